"""What quantitative maps have in common: how they are declared."""

from __future__ import annotations

from typing import Any

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
    has_regions: bool = True,
    zero_counts: bool = False,
    in_spaces: bool | None = None,
    **sidecar: Any,
) -> Output:
    """Declare a quantitative map; one without a suffix of its own has a ``param``.

    It has tables of regions if ``has_regions``, and comes to spaces if ``in_spaces``. With
    ``zero_counts`` 0 is a value like others, and voxels without one are NaN; such a map comes to
    spaces only if that is asked for, as it has no value there where it is 0.
    """
    return Output(
        field=field,
        datatype=datatype,
        suffix=suffix,
        entities={**({'param': param} if param else {}), 'desc': desc},
        description=description,
        unit=unit,
        title=title,
        regions=has_regions,
        in_spaces=not zero_counts if in_spaces is None else in_spaces,
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
        '1', param='outcome', has_regions=False, in_spaces=False, Levels=LEVELS,
    )  # fmt: skip


def misfit_output(field: str, desc: str) -> Output:
    """Declare the map of what a model leaves of the signals."""
    return map_output(
        field, 'qmrimap', desc, 'Misfit',
        'What the model leaves of the signals (root mean square), over their mean.',
        '1', param='misfit', in_spaces=False,
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
