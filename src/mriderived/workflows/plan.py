"""Decide what runs: one unit for each image × measure (× atlas or space)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mriderived.bids.dataset import Image
from mriderived.bids.known_files import KnownFiles
from mriderived.bids.status import UnitRecord, find_record
from mriderived.config import Config
from mriderived.measures.base import Measure
from mriderived.spaces import DEFAULT_SPACE, get_atlas
from mriderived.workflows.asked import asked_measures
from mriderived.workflows.contrast_source import LESION_MASKS_OF
from mriderived.workflows.guests import hash_guests, order_for_guests
from mriderived.workflows.output_names import output_paths
from mriderived.workflows.renewal import renew
from mriderived.workflows.scopes import (
    explain_atlas,
    explain_scope,
    find_references,
    hash_scope,
    is_in_scope,
)
from mriderived.workflows.sources import (
    RAW_RESOURCES,
    AnyCheck,
    Source,
    digest,
    find_sources,
    known_files,
)
from mriderived.workflows.steps import preprocessing_steps
from mriderived.workflows.unit_sources import list_others

State = Literal['to run', 'done', 'not available', 'bad input', 'killed']
#: Stands for all measures where a participant as a whole could not be processed.
WHOLE = 'all'


@dataclass(frozen=True)
class Unit:
    """One image × measure, what it will be called and whether it can and must run."""

    participant: str
    source: Image | None
    #: The source's path below its dataset, or ``n/a``.
    image: str
    measure: Measure
    variant: str | None = None
    state: State = 'to run'
    reason: str = ''
    fingerprint: str = ''
    is_reference: bool = True
    #: The T1w image whose resources it may use, as ``image``; empty for none.
    lender: str = ''
    #: The other raw files of a source of several (echoes, parts, images), as ``image``.
    others: tuple[str, ...] = ()
    #: Output field → path below the output folder.
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What tells this unit from every other of its participant."""
        return self.image, self.measure.name, self.variant

    @property
    def title(self) -> str:
        """A short name for progress displays."""
        stem = Path(self.image).name.split('.')[0].removeprefix(f'sub-{self.participant}_')
        variant = f' [{self.variant}]' if self.variant else ''
        return f'{stem} {self.measure.name}{variant}'


@dataclass(frozen=True)
class ParticipantPlan:
    """The units of one participant in the order in which they run, and the input checks."""

    participant: str
    units: tuple[Unit, ...]
    checks: Mapping[str, AnyCheck]
    previous: Mapping[tuple[str, str, str | None], UnitRecord]
    #: What goes with an image that is more than one file, by its path below the dataset.
    acquisitions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Lesion masks, by the path of their image below the dataset.
    lesion_masks: Mapping[str, Path] = field(default_factory=dict)
    #: What is known of the raw files, to be saved for the next run.
    files: KnownFiles | None = None


@dataclass(frozen=True)
class PlannedUnit:
    """What ``--dry-run`` says of one unit."""

    participant: str
    session: str | None
    image: str
    measure: str
    variant: str | None
    state: State
    reason: str
    minutes: float
    #: Its image may still be refused when all of it is read.
    is_unread: bool = False


def selected_measures(config: Config) -> tuple[Measure, ...]:
    """Return the steps, then the measures that the settings ask for, in their fixed order.

    Measures whose results those need come with them.
    """
    allowed = tuple(
        measure
        for measure in asked_measures(config)
        if not {measure.name, measure.scope.family} & {*config.skip_measures}
    )
    asked = [measure for measure in allowed if _is_asked_for(measure, config)]
    chosen = with_needed_measures(asked, allowed)
    steps = preprocessing_steps(config.anat_backend, config.use_syn_sdc)
    return (*(steps if config.asks_for_default else needed_steps(chosen, steps)), *chosen)


def with_needed_measures(
    asked: Sequence[Measure], allowed: Sequence[Measure]
) -> tuple[Measure, ...]:
    """Return the measures asked for and those whose outputs they need, in the order of all."""
    wanted = {need for measure in asked for need in measure.needs}
    kept: list[Measure] = []
    for measure in reversed(allowed):
        if measure in asked or wanted & {output.field for output in measure.outputs}:
            kept.append(measure)
            wanted |= {*measure.needs}
    return tuple(reversed(kept))


def _is_asked_for(measure: Measure, config: Config) -> bool:
    is_named = bool({measure.name, measure.scope.family} & {*config.measures})
    return is_named or (config.asks_for_default and not measure.is_opt_in)


def unasked_measures(config: Config) -> tuple[str, ...]:
    """Return the names of the measures that run only where named, and are not named."""
    named = {*config.measures, *config.skip_measures}
    names = (
        measure.scope.family or measure.name
        for measure in asked_measures(config)
        if measure.is_opt_in and not {measure.name, measure.scope.family} & named
    )
    return tuple(dict.fromkeys(names))


def needed_steps(measures: Sequence[Measure], steps: Sequence[Measure]) -> tuple[Measure, ...]:
    """Return those of ``steps`` that these measures cannot do without."""
    wanted = {need for measure in measures for need in _all_needs(measure)}
    kept: list[Measure] = []
    for step in reversed(steps):
        if wanted & {output.field for output in step.outputs}:
            kept.append(step)
            wanted |= _all_needs(step)
    return tuple(reversed(kept))


def _all_needs(measure: Measure) -> set[str]:
    return {*measure.needs, *measure.optional} | {
        need for figure in measure.figures for need in figure.needs
    }


def belongs_to_run(record: UnitRecord, config: Config) -> bool:
    """Tell whether a record is of a unit that these settings ask for."""
    if config.session_labels and record.session not in (None, *config.session_labels):
        return False
    asked = {
        (measure.name, variant)
        for measure in selected_measures(config)
        for variant in variants(measure, config)
    }
    return record.measure == WHOLE or (record.measure, record.variant) in asked


def variants(measure: Measure, config: Config) -> tuple[str | None, ...]:
    """Return the atlases or spaces over which a measure runs; ``None`` when over neither."""
    if measure.over == 'atlas':
        return config.atlases
    if measure.over == 'space':
        wanted = [DEFAULT_SPACE, *config.output_spaces]
        if measure.source == 'T1w':  # through which the regions of an atlas come
            wanted += [get_atlas(name).space for name in config.atlases]
        return tuple(dict.fromkeys(wanted))
    return (None,)


def plan_participant(
    config: Config, participant: str, *, is_preview: bool = False
) -> ParticipantPlan:
    """Find the images of one participant, check them and list the units.

    With ``is_preview`` images that no earlier run has read are only looked at, and units of
    participants without results have no meaningful fingerprint.
    """
    previous = {
        (record.image, record.measure, record.variant): record
        for record in find_record(config.out_dir, participant)
    }
    measures = selected_measures(config)
    kinds = [kind for kind in RAW_RESOURCES if kind in {m.source for m in measures}]
    files = known_files(config, participant, is_preview=is_preview)
    is_hashed = bool(previous) or not is_preview
    sources = find_sources(config, participant, kinds, files, is_hashed=is_hashed)
    if not sources:
        return ParticipantPlan(
            participant, tuple(_without_images(config, participant, kinds)), {}, previous
        )
    references = find_references(measures, sources)
    listed = [
        unit
        for source in sources
        for measure in measures
        if is_in_scope(measure, source)
        for unit in _units(
            config,
            source,
            measure,
            previous,
            source in references[measure.name],
            hash_guests(measure, source, sources, measures),
        )
    ]
    units = renew(order_for_guests(listed), previous)
    checks = {source.relative: source.check for source in sources if source.check}
    acquisitions = {source.relative: source.acquisition for source in sources}
    masks = {source.relative: source.lesion_mask for source in sources if source.lesion_mask}
    return ParticipantPlan(participant, tuple(units), checks, previous, acquisitions, masks, files)


def _without_images(config: Config, participant: str, kinds: Sequence[str]) -> Iterator[Unit]:
    """Say of every measure of the most basic image that there is none."""
    reason = f'no {" or ".join(kinds)} image of sub-{participant} matches'
    for measure in selected_measures(config):
        for variant in variants(measure, config) if measure.source == kinds[0] else ():
            yield Unit(participant, None, 'n/a', measure, variant, 'not available', reason)


def _units(
    config: Config,
    source: Source,
    measure: Measure,
    previous: Mapping[tuple[str, str, str | None], UnitRecord],
    is_reference: bool,
    lent: Sequence[str] = (),
) -> Iterator[Unit]:
    beside = (*hash_scope(measure, source), *lent)
    for variant in variants(measure, config):
        fingerprint = digest(source.content, config.hash, measure.name, variant or '', *beside)
        is_named = not (source.fault or source.lack)
        outputs = output_paths(source.image, measure, variant) if is_named else {}
        record = previous.get((source.relative, measure.name, variant))
        state: State = 'to run'
        if source.fault:
            state = 'bad input'
        elif record and _is_done(record, fingerprint, config.out_dir, outputs):
            state = 'done'
        lack = explain_scope(measure, source) or explain_atlas(measure, variant)
        if lack:
            state = 'not available'
        reason = source.fault or lack or _tell_mask(source, measure)
        yield Unit(source.image.participant, source.image, source.relative, measure, variant,
                   state, reason, fingerprint, is_reference, source.lender,
                   list_others(source, measure, config.bids_dir), outputs)  # fmt: skip


def _tell_mask(source: Source, measure: Measure) -> str:
    """Say for a dry run which units a lesion mask goes into."""
    mask = LESION_MASKS_OF.get(source.image.suffix)
    if source.lesion_mask is None or mask not in measure.optional:
        return ''
    return f'uses {source.lesion_mask.name}'


def _is_done(
    record: UnitRecord, fingerprint: str, out_dir: Path, outputs: Mapping[str, str]
) -> bool:
    return (
        record.status == 'done'
        and record.fingerprint == fingerprint
        and all((out_dir / path).exists() for path in outputs.values())
    )
