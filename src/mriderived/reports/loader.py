"""What a participant's report shows, read from the files of the output folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from mriderived.bids.names import InvalidNameError, Name, split_name
from mriderived.bids.qmri_collections import SUFFIXES as QMRI_SUFFIXES
from mriderived.bids.qmri_collections import common_entities
from mriderived.bids.status import RecordError, UnitRecord, read_record, shorten_paths
from mriderived.measures.base import Figure, Measure
from mriderived.reports.tables import Table, read_json, read_mapping, read_table

#: Sections of pictures in the order of the report.
SECTIONS = ('brain', 'tissue', 'registration', 'atlas', 'measure', 'quality')
_FACE = re.compile(r'id="patch_1">.*?fill:\s*#([0-9a-f]{6})', re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """One figure on disk; with ``reference``, one of two to flicker between."""

    name: str
    title: str
    caption: str
    section: str
    variant: str
    path: Path
    reference: Path | None = None

    @property
    def is_dark(self) -> bool:
        """Whether the picture has a dark ground, as brain slices have."""
        with self.path.open(encoding='utf-8', errors='replace') as stream:
            found = _FACE.search(stream.read(20_000))
        return bool(found) and sum(bytes.fromhex(found[1])) < 384 if found else False


@dataclass(frozen=True)
class ImageView:
    """Everything that belongs to one image of the participant."""

    path: str
    label: str
    session: str | None = None
    units: tuple[UnitRecord, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    flags: dict[str, Any] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()
    is_checked: bool = False


@dataclass(frozen=True)
class ParticipantView:
    """All that is on disk of one participant."""

    participant: str
    images: tuple[ImageView, ...]
    units: tuple[UnitRecord, ...]
    provenance: dict[str, Any]
    #: Files that could not be read, in sentences.
    problems: tuple[str, ...] = ()


def load_participant(
    out_dir: Path, participant: str, measures: Sequence[Measure]
) -> ParticipantView:
    """Read records, checks, pictures and tables of ``participant`` (without ``sub-``)."""
    problems: list[str] = []
    units = _read_units(out_dir, participant, problems)
    logs = out_dir / 'logs' / f'sub-{participant}'
    checks = _read_checks(logs / 'inputs.json', problems)
    paths = list(dict.fromkeys([*(unit.image for unit in units), *checks]))
    pictures = _by_image(_find_pictures(out_dir, participant), paths)
    owners = {out_dir / name: unit.image for unit in units for name in unit.outputs}
    tables = _by_image(_find_tables(out_dir, participant, units), paths, owners)
    declared = _declare_figures(measures)
    titles = {measure.name: measure.title for measure in measures}
    extra = [] if '' in paths or not (pictures.get('') or tables.get('')) else ['']
    images = tuple(
        ImageView(
            path=path,
            label=image_label(path, participant),
            session=next((unit.session for unit in units if unit.image == path), None),
            units=tuple(unit for unit in units if unit.image == path),
            pictures=_describe_pictures(pictures.get(path, []), declared),
            tables=tuple(
                table
                for file in tables.get(path, [])
                if (
                    table := read_table(out_dir, file, _table_title(file, units, titles), problems)
                )
            ),
            notes=tuple(str(note) for note in checks.get(path, {}).get('notes', ())),
            flags=dict(checks.get(path, {}).get('flags', {})),
            facts=tuple((str(k), str(v)) for k, v in checks.get(path, {}).get('rows', ())),
            is_checked=path in checks,
        )
        for path in [*paths, *extra]
    )
    provenance = read_mapping(logs / 'provenance.json', problems)
    told = tuple(shorten_paths(problem, out_dir) for problem in problems)
    return ParticipantView(participant, images, units, provenance, told)


def _read_units(out_dir: Path, participant: str, problems: list[str]) -> tuple[UnitRecord, ...]:
    try:
        return read_record(out_dir, participant)
    except RecordError as error:
        problems.append(f'{error}.')
        return ()


def image_label(path: str, participant: str) -> str:
    """Return an image's name without what is the same for all of the participant."""
    if path in ('', 'n/a'):
        return 'No image'
    stem = PurePath(path).name.partition('.')[0]
    return stem.removeprefix(f'sub-{participant}_').replace('_', ' ') or stem


def _read_checks(path: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    """Return what the input checks found, by image."""
    rows = read_json(path, problems)
    rows = rows if isinstance(rows, list) else []
    return {str(row.get('image', '')): row for row in rows if isinstance(row, dict)}


def _find_pictures(out_dir: Path, participant: str) -> list[Path]:
    return sorted((out_dir / f'sub-{participant}' / 'figures').glob('[!.]*.svg'))


def _find_tables(out_dir: Path, participant: str, units: Iterable[UnitRecord]) -> list[Path]:
    """Return the tables that a finished unit lays claim to, or all where none claims any."""
    found = sorted((out_dir / f'sub-{participant}').rglob('[!.]*.tsv'))
    claimed = {name for unit in units if unit.status == 'done' for name in unit.outputs}
    if not claimed:
        return found
    return [path for path in found if path.relative_to(out_dir).as_posix() in claimed]


def _name(path: PurePath | str) -> Name:
    try:
        return split_name(path)
    except InvalidNameError:
        return Name({}, '', '')


def _by_image(
    files: Iterable[Path], images: Sequence[str], owners: Mapping[Path, str] | None = None
) -> dict[str, list[Path]]:
    """Give each file to its owner, or to the image whose entities it has; ``''`` holds the rest.

    Results of a collection are named without what tells its members apart, and hold its suffix.
    Of images with the same entities the one whose suffix a file has goes before.
    """
    entities = {image: _own_entities(_name(image)) for image in images}
    grouped: dict[str, list[Path]] = {}
    for file in files:
        if owners and file in owners:
            grouped.setdefault(owners[file], []).append(file)
            continue
        suffix = _name(file).suffix
        own = _name(file).entities.items()
        fitting = [image for image, wanted in entities.items() if wanted and wanted.items() <= own]
        collection = _collection_of(file)
        if collection:
            fitting = [image for image in fitting if _name(image).suffix == collection]
        best = max(
            fitting,
            key=lambda image: (len(entities[image]), _name(image).suffix == suffix),
            default='',
        )
        grouped.setdefault(best, []).append(file)
    return grouped


def _own_entities(name: Name) -> dict[str, str]:
    if name.suffix in QMRI_SUFFIXES:
        return common_entities(name.entities, name.suffix)
    return name.entities


def _collection_of(file: Path) -> str:
    """Return the collection that the name of a result tells, or nothing."""
    entities, suffix, _ = _name(file)
    if suffix in QMRI_SUFFIXES and 'desc' in entities:
        return suffix
    told = (entities.get('space', ''), entities.get('desc', ''), entities.get('from', ''))
    return next((s for s in QMRI_SUFFIXES if any(text.endswith(s) for text in told)), '')


def _declare_figures(measures: Iterable[Measure]) -> dict[str, Figure]:
    """Return figures by name, and by suffix and name: images of several kinds share names."""
    pairs = [(measure, figure) for measure in measures for figure in measure.figures]
    found = {figure.name: figure for _, figure in pairs}
    return found | {f'{measure.source} {figure.name}': figure for measure, figure in pairs}


def _describe_pictures(files: Sequence[Path], declared: dict[str, Figure]) -> tuple[Picture, ...]:
    found: list[Picture] = []
    for file in files:
        entities = _name(file).entities
        name = entities.get('desc', file.stem)
        if name.removesuffix('Reference') in declared and name not in declared:
            continue
        figure = declared.get(f'{_name(file).suffix} {name}', declared.get(name))
        reference = file.with_name(file.name.replace(f'desc-{name}_', f'desc-{name}Reference_'))
        found.append(
            Picture(
                name=name,
                title=figure.title if figure else name,
                caption=figure.caption if figure else '',
                section=figure.section if figure else 'measure',
                variant=entities.get('atlas', entities.get('space', '')),
                path=file,
                reference=reference if reference != file and reference.exists() else None,
            )
        )
    ranks = {name: rank for rank, name in enumerate(declared)}
    return tuple(
        sorted(found, key=lambda p: (SECTIONS.index(p.section), ranks.get(p.name, len(ranks))))
    )


def _table_title(file: Path, units: Iterable[UnitRecord], titles: dict[str, str]) -> str:
    ending = '/' + file.name
    for unit in units:
        if any(('/' + name).endswith(ending) for name in unit.outputs):
            title = titles.get(unit.measure, unit.measure)
            return f'{title} · {unit.variant}' if unit.variant else title
    entities, suffix, _ = _name(file)
    return ' '.join(entities[key] for key in ('atlas', 'desc') if key in entities) or suffix
