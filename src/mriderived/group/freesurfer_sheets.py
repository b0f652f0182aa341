"""What FreeSurfer found: volumes, thickness and area of regions, and the whole brain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mriderived.bids.freesurfer import (
    FILES,
    FreeSurferError,
    Stats,
    find_people,
    find_unread,
    read_cohort_table,
    read_stats,
)
from mriderived.group.derivatives import Derivatives, Sheet
from mriderived.group.records import Row
from mriderived.group.unreadable import UNREADABLE
from mriderived.measures.base import Column

_REFERENCE = 'https://doi.org/10.1016/j.neuroimage.2012.01.021'
_VOLUME = Column('volume', 'Volume.', 'mm3', 'Volume')
_SURFACE = (
    Column('thickness', 'Mean cortical thickness.', 'mm', 'Thickness'),
    Column('area', 'Area of the white surface.', 'mm2', 'Area'),
    Column('volume', 'Grey matter volume.', 'mm3', 'Volume'),
)
#: Numbers of the whole brain, by FreeSurfer's names of them.
WHOLE = {
    'eTIV': Column('etiv', 'Estimated total intracranial volume (of the affine).', 'mm3', 'eTIV'),
    'BrainSegVol': Column('brain_volume', 'Brain segmentation volume.', 'mm3', 'Brain'),
    'BrainSegVolNotVent': Column(
        'brain_volume_without_ventricles', 'Brain segmentation volume without ventricles.', 'mm3'
    ),
    'CortexVol': Column('cortex_volume', 'Cortical grey matter volume.', 'mm3', 'Cortex'),
    'CerebralWhiteMatterVol': Column(
        'white_matter_volume', 'Cerebral white matter volume.', 'mm3', 'White matter'
    ),
    'SubCortGrayVol': Column(
        'subcortical_volume', 'Subcortical grey matter volume.', 'mm3', 'Subcortical'
    ),
    'TotalGrayVol': Column('grey_matter_volume', 'Grey matter volume.', 'mm3', 'Grey matter'),
    'lh_MeanThickness': Column(
        'left_mean_thickness', 'Mean cortical thickness, left.', 'mm', 'Thickness, left'
    ),
    'rh_MeanThickness': Column(
        'right_mean_thickness', 'Mean cortical thickness, right.', 'mm', 'Thickness, right'
    ),
    'lh_WhiteSurfArea': Column(
        'left_white_area', 'Area of the white surface, left.', 'mm2', 'Area, left'
    ),
    'rh_WhiteSurfArea': Column(
        'right_white_area', 'Area of the white surface, right.', 'mm2', 'Area, right'
    ),
    'SurfaceHoles': Column(
        'surface_holes', 'Holes of both surfaces before they were closed.', '1', 'Holes'
    ),
}
#: Tables have fewer digits than ``stats/``.
_ROUNDING = 1e-3
_MOST_NAMED = 5
#: Name of a file below ``stats/`` → folder → version.
Versions = dict[str, dict[str, str]]
_SHEETS = {
    'aseg': ('freesurfer_aseg', 'FreeSurfer structures', '', (_VOLUME,)),
    'wmparc': ('freesurfer_wmparc', 'FreeSurfer white matter', 'DesikanKilliany', (_VOLUME,)),
    'aparc': ('freesurfer_aparc', 'FreeSurfer cortex', 'DesikanKilliany', _SURFACE),
    'aparc.a2009s': ('freesurfer_aparc', 'FreeSurfer cortex', 'Destrieux', _SURFACE),
}


def read_freesurfer(folder: Path) -> Derivatives:
    """Read ``stats/`` of everybody in a folder, and tables of whole cohorts that lie in it.

    Tables add what nobody's ``stats/`` has; where both have a number, that of ``stats/`` counts.
    """
    found = Derivatives()
    sheets = {
        kind: Sheet(name, title, _REFERENCE, columns, variant)
        for kind, (name, title, variant, columns) in _SHEETS.items()
    }
    whole = Sheet('freesurfer_brain', 'FreeSurfer brain', _REFERENCE, tuple(WHOLE.values()))
    folders: dict[Row, str] = {}
    versions: Versions = {}
    for participant, session, path in find_people(folder):
        row = Row(session, participant)
        if folders.setdefault(row, path.name) != path.name:
            found.warnings.append(
                f'{path.name} and {folders[row]} are of the same participant: {path.name} is '
                'left out; leave one of them'
            )
            continue
        for name, kind in FILES.items():
            if (path / 'stats' / name).exists():
                version = _read_own(path / 'stats' / name, sheets[kind], whole, row, found)
                if version:
                    versions.setdefault(name, {})[path.name] = version
    found.warnings += _compare_versions(versions)
    unread = find_unread(folder)
    if unread:
        found.warnings.append(
            f'{_list(unread)}: stats/ is not read, because only folders called sub-<label> or '
            'sub-<label>_ses-<label> are: rename or link those that are wanted'
        )
    for file in sorted((*folder.glob('*.tsv'), *folder.glob('*.csv'), *folder.glob('*.txt'),
                        *folder.glob('*.table'))):  # fmt: skip
        _read_cohort(file, sheets, whole, found)
    found.sheets = [whole, *sheets.values()]
    return found


def _read_own(file: Path, sheet: Sheet, whole: Sheet, row: Row, found: Derivatives) -> str:
    """Add one file of somebody and return the version that wrote it, where it says so."""
    try:
        stats = read_stats(file)
        _add(stats, sheet, whole, row)
        return stats.version
    except UNREADABLE as error:
        told = str(error) if isinstance(error, FreeSurferError) else f'{file.name}: {error}'
        reason = f'{file.parent.parent.name}/stats/{told}'
        sheet.reasons[row] = '; '.join(filter(None, (sheet.reasons.get(row), reason)))
        found.warnings.append(reason)
    return ''


def _compare_versions(versions: Versions) -> list[str]:
    """Return warnings on folders whose version is not that of most, by the first such file."""
    for file, known in versions.items():
        counts = Counter(known.values())
        usual = min(counts, key=lambda version: (-counts[version], version))
        others = sorted(set(counts) - {usual})
        if others:
            return [
                f'{_list([name for name, one in known.items() if one == version])}: {file} is of '
                f'FreeSurfer {version}, and that of most of {usual}: numbers of both stand in one '
                'table. Run all with one version, or choose with --participant-label'
                for version in others
            ]
    return []


def _read_cohort(file: Path, sheets: dict[str, Sheet], whole: Sheet, found: Derivatives) -> None:
    try:
        table = read_cohort_table(file)
    except UNREADABLE as error:
        found.warnings.append(f'{file.name} is left out: {error}')
        return
    if table.strangers:
        found.warnings.append(
            f'{file.name}: rows of no participant are left out: {_list(table.strangers)}'
        )
    for label, session in table.twice:
        name = _name(label, session)
        reason = f'{file.name} has more than one row of {name}'
        for sheet in (sheets[table.kind], whole):
            sheet.reasons[Row(session, label)] = reason
        found.warnings.append(f'{reason}: leave one')
    different = [
        _name(label, session)
        for (label, session), stats in table.people.items()
        if not _add(stats, sheets[table.kind], whole, Row(session, label))
    ]
    if different:
        found.warnings.append(
            f'{file.name} has other numbers than stats/, or than a table before it, of '
            f'{len(different)} ({_list(different)}): those count, for the table may be older; '
            'remove it or make it anew'
        )


def _name(label: str, session: str) -> str:
    return f'sub-{label}' + (f'_ses-{session}' if session else '')


def _list(names: Sequence[str]) -> str:
    return ', '.join(names[:_MOST_NAMED]) + ', …' * (len(names) > _MOST_NAMED)


def _add(stats: Stats, sheet: Sheet, whole: Sheet, row: Row) -> bool:
    """Add the numbers that are not there yet; tell whether those that are there are the same."""
    same = [_fill(sheet, row, region, column, value)
            for (region, column), value in stats.regions.items()]  # fmt: skip
    same += [_fill(whole, row, '', WHOLE[name].name, value)
             for name, value in stats.whole.items() if name in WHOLE]  # fmt: skip
    return all(same)


def _fill(sheet: Sheet, row: Row, region: str, column: str, value: float) -> bool:
    known = sheet.values.get(row, {}).get((region, column), np.nan)
    if np.isnan(known):
        sheet.add(row, region, column, value)
    return bool(np.isnan([known, value]).any() or np.isclose(known, value, rtol=_ROUNDING))
