"""What quantitative maps have in common: how they are declared and drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mriderived.figures.overlays import map_overlay
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Column, Output

#: What the numbers of an outcome stand for.
LEVELS = {
    '0': 'outside of the mask',
    '1': 'fitted',
    '2': 'no signal',
    '3': 'no solution: no parameters explain the signals',
    '4': 'implausible: a solution outside of the plausible range',
}


def map_output(
    field: str,
    suffix: str,
    desc: str,
    title: str,
    description: str,
    unit: str,
    *,
    param: str = '',
    datatype: str = 'anat',
    is_summed_up: bool = True,
    zero_counts: bool = False,
    in_spaces: bool | None = None,
    **sidecar: Any,
) -> Output:
    """Declare a quantitative map; one without a suffix of its own has a ``param``.

    ``is_summed_up`` asks for regions and for the map in spaces. With ``zero_counts`` 0 is a value
    like others, and voxels without one are NaN; such a map comes to spaces only if ``in_spaces``
    asks for it, as it has no value there where it is 0.
    """
    return Output(
        field=field,
        datatype=datatype,
        suffix=suffix,
        entities={**({'param': param} if param else {}), 'desc': desc},
        description=description,
        unit=unit,
        title=title,
        regions=is_summed_up,
        in_spaces=is_summed_up and not zero_counts if in_spaces is None else in_spaces,
        is_zero_missing=not zero_counts,
        sidecar={'SkullStripped': True, **sidecar},
        draft='mriderived' if param else None,
    )


def outcome_output(field: str, desc: str) -> Output:
    """Declare the map of why each voxel has, or has not, a value."""
    return map_output(
        field, 'qmrimap', desc, 'Outcome of the fit',
        'Why a voxel has a value or none: ' + ', '.join(f'{k} {v}' for k, v in LEVELS.items())
        + '.',
        '1', param='outcome', is_summed_up=False, Levels=LEVELS,
    )  # fmt: skip


def misfit_output(field: str, desc: str) -> Output:
    """Declare the map of what a model leaves of the signals."""
    return map_output(
        field, 'qmrimap', desc, 'Misfit',
        'What the model leaves of the signals (root mean square), over their mean.',
        '1', param='misfit', is_summed_up=False,
    )  # fmt: skip


def quality_output(
    field: str, desc: str, title: str, what: str, unit: str, *, has_misfit: bool = True
) -> Output:
    """Declare the table of a fit, of which ``what`` is the map that matters."""
    misfit = Column(
        'misfit',
        'Median of what the model leaves of the signals (root mean square), over their mean.',
        '1',
        f'{title}, misfit',
    )
    return Output(
        field=field,
        datatype='anat',
        suffix='qc',
        extension='.tsv',
        entities={'desc': desc},
        description=f'How well the fit of {what} went.',
        columns=(
            Column('median', f'Median over the mask of: {what}.', unit, f'{title}, median'),
            *((misfit,) if has_misfit else ()),
            Column('no_value', 'Share of the voxels of the mask without a value.', '1',
                   f'{title}, voxels without a value'),
            Column('implausible', 'Share of the voxels of the mask whose solution lies outside '
                   'of the plausible range.', '1', f'{title}, implausible voxels'),
        ),
        draft='mriderived',
    )  # fmt: skip


def qmri_figure(
    field: str,
    label: str,
    unit: str,
    limits: tuple[float, float],
    *,
    zero_counts: bool = False,
    is_relative: bool = False,
) -> Callable[..., list[Any]]:
    """Return what draws the map ``field`` over the reference of its collection.

    Voxels of 0 are left out if not ``zero_counts``; a map that ``is_relative`` is divided by its
    median.
    """
    return partial(
        _draw,
        field=field,
        label=label,
        unit=unit,
        limits=limits,
        zero_counts=zero_counts,
        is_relative=is_relative,
    )


def _draw(
    *,
    field: str,
    label: str,
    unit: str,
    limits: tuple[float, float],
    zero_counts: bool,
    is_relative: bool,
    qmri_reference: Path,
    **maps: Path,
) -> list[Any]:
    values, affine = load(maps[field]), load_affine(maps[field])
    shown = np.isfinite(values) & (zero_counts | (values != 0))
    if is_relative and shown.any():
        values = values / np.median(values[shown])
    return [
        map_overlay(load(qmri_reference), affine, values, label=label, unit=unit, mask=shown,
                    limits=limits, opacity=1.0)
    ]  # fmt: skip
