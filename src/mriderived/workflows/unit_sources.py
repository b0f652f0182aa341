"""Which raw files the outputs of a unit are made of, beside its image."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mriderived.measures.base import Measure
from mriderived.measures.registry import ALL_MEASURES
from mriderived.workflows.sources import Source
from mriderived.workflows.steps import preprocessing_steps

#: What a source may be made of, as its acquisition calls it.
_MEMBERS = ('parts', 'echoes', 'images')


def list_others(source: Source, measure: Measure, bids_dir: Path) -> tuple[str, ...]:
    """Return the files of a source beside its first, below the dataset.

    The T1w image belongs to what uses results of it, the transmit field to what is corrected with
    it, and the uniform image of a scanner to MP2RAGE.
    """
    acquisition = source.acquisition
    members = next((acquisition[key] for key in _MEMBERS if key in acquisition), ())
    paths = [
        Path(member[part])
        for part in ('path', 'phase', 'imag')
        for member in members
        if member.get(part)
    ]
    uses = {*measure.needs, *measure.optional}
    if acquisition.get('transmit_field') and (
        measure.scope.needs_transmit_field or 'qmri_b1' in uses
    ):
        paths += map(Path, acquisition['transmit_field']['files'].values())
    if acquisition.get('unit1') and measure.name == 'mp2rage':
        paths.append(Path(acquisition['unit1']))
    root = bids_dir.absolute()
    named = [path.absolute().relative_to(root).as_posix() for path in paths]
    if source.lender and source.lender != source.relative and uses & _fields_of_t1w():
        named.append(source.lender)
    return tuple(name for name in dict.fromkeys(named) if name != source.relative)


@lru_cache
def _fields_of_t1w() -> frozenset[str]:
    """Return the fields of all outputs of T1w images."""
    everything = (*preprocessing_steps(), *ALL_MEASURES)
    return frozenset(
        output.field
        for measure in everything
        if measure.source == 'T1w'
        for output in measure.outputs
    )
