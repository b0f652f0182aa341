"""What FreeSurfer found: volumes, thickness and area of regions, and the whole brain."""

from __future__ import annotations

from pathlib import Path

from mriderived.bids.freesurfer import (
    FILES,
    FreeSurferError,
    Stats,
    find_people,
    read_cohort_table,
    read_stats,
)
from mriderived.group.derivatives import Derivatives, Sheet
from mriderived.group.records import Row
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
_SHEETS = {
    'aseg': ('freesurfer_aseg', 'FreeSurfer structures', '', (_VOLUME,)),
    'wmparc': ('freesurfer_wmparc', 'FreeSurfer white matter', 'DesikanKilliany', (_VOLUME,)),
    'aparc': ('freesurfer_aparc', 'FreeSurfer cortex', 'DesikanKilliany', _SURFACE),
    'aparc.a2009s': ('freesurfer_aparc', 'FreeSurfer cortex', 'Destrieux', _SURFACE),
}


def read_freesurfer(folder: Path) -> Derivatives:
    """Read ``stats/`` of everybody in a folder, and tables of whole cohorts that lie in it."""
    found = Derivatives()
    sheets = {
        kind: Sheet(name, title, _REFERENCE, columns, variant)
        for kind, (name, title, variant, columns) in _SHEETS.items()
    }
    whole = Sheet('freesurfer_brain', 'FreeSurfer brain', _REFERENCE, tuple(WHOLE.values()))
    folders: dict[Row, str] = {}
    for participant, session, path in find_people(folder):
        row = Row(session, participant)
        if folders.setdefault(row, path.name) != path.name:
            found.warnings.append(
                f'{path.name} and {folders[row]} are of the same participant: {path.name} is '
                'left out; leave one of them'
            )
            continue
        for name, kind in FILES.items():
            file = path / 'stats' / name
            if not file.exists():
                continue
            try:
                _add(read_stats(file), sheets[kind], whole, row)
            except FreeSurferError as error:
                reason = f'{path.name}/stats/{error}'
                sheets[kind].reasons[row] = reason
                found.warnings.append(reason)
    for file in sorted((*folder.glob('*.tsv'), *folder.glob('*.csv'), *folder.glob('*.txt'),
                        *folder.glob('*.table'))):  # fmt: skip
        _read_cohort(file, sheets, whole, found)
    found.sheets = [whole, *sheets.values()]
    return found


def _read_cohort(file: Path, sheets: dict[str, Sheet], whole: Sheet, found: Derivatives) -> None:
    try:
        kind, people = read_cohort_table(file)
    except (FreeSurferError, ValueError, KeyError) as error:
        found.warnings.append(f'{file.name} is left out: {error}')
        return
    for name, stats in people.items():
        label, _, session = name.removeprefix('sub-').partition('_ses-')
        _add(stats, sheets[kind], whole, Row(session, label))


def _add(stats: Stats, sheet: Sheet, whole: Sheet, row: Row) -> None:
    for (region, column), value in stats.regions.items():
        sheet.add(row, region, column, value)
    for name, value in stats.whole.items():
        if name in WHOLE:
            whole.add(row, '', WHOLE[name].name, value)
