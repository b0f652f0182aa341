"""What XCP-D found: ALFF, ReHo, coverage and shape of regions, and the quality of each run.

A table of regions has one column per region and one row, or (coverage) a column ``Node`` with the
regions and one with the numbers.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mriderived.group.derivatives import Derivatives, Sheet
from mriderived.group.named_files import (
    Named,
    choose_runs,
    choose_space,
    find_named,
    read_each,
    read_rows,
    to_number,
)
from mriderived.group.sheets import SheetError, read_grid
from mriderived.measures.base import Column

_REFERENCE = 'https://doi.org/10.1162/imag_a_00257'
_STATS = {
    'alff': ('ALFF', Column('alff', 'Amplitude of low-frequency fluctuations.', '', 'ALFF')),
    'reho': ('ReHo', Column('reho', "Regional homogeneity (Kendall's W).", '1', 'ReHo')),
    'coverage': (
        'coverage', Column('coverage', 'Share of the region that has a signal.', '1', 'Coverage')
    ),
}  # fmt: skip
#: The same of the surface, which lies in other files.
_SHAPES = {
    'thickness': (
        'thickness', Column('thickness', 'Mean thickness of the cortex.', 'mm', 'Thickness')
    ),
    'sulc': ('sulcal depth', Column('sulc', 'Mean sulcal depth.', '', 'Sulcal depth')),
    'curv': ('curvature', Column('curv', 'Mean curvature.', '1/mm', 'Curvature')),
}  # fmt: skip
_QUALITY = (
    Column('mean_fd', 'Mean framewise displacement, of all volumes.', 'mm', 'FD'),
    Column('mean_fd_post_censoring', 'Mean framewise displacement of the volumes that were kept.',
           'mm', 'FD, kept'),
    Column('mean_relative_rms', 'Mean root mean square displacement.', 'mm', 'RMS'),
    Column('max_relative_rms', 'Largest root mean square displacement.', 'mm', 'Largest RMS'),
    Column('mean_dvars_initial', 'Mean DVARS before denoising.', '', 'DVARS before'),
    Column('mean_dvars_final', 'Mean DVARS after denoising.', '', 'DVARS after'),
    Column('num_dummy_volumes', 'Volumes that were removed at the start.', '1', 'Dummies'),
    Column('num_censored_volumes', 'Volumes that were censored.', '1', 'Censored'),
    Column('num_retained_volumes', 'Volumes that were kept.', '1', 'Kept'),
    Column('fd_dvars_correlation_initial', 'Correlation of FD and DVARS before denoising.', '1'),
    Column('fd_dvars_correlation_final', 'Correlation of FD and DVARS after denoising.', '1'),
    *(
        Column(f'{step}_{name}', f'{what} of the masks of {images}.', '1')
        for step, images in (('coreg', 'BOLD and T1w'), ('norm', 'BOLD and template'))
        for name, what in (
            ('dice', 'Dice'), ('correlation', 'Correlation'), ('overlap', 'Overlap')
        )
    ),
)  # fmt: skip


#: The same in every space.
_OF_RUN = {
    'mean_fd', 'mean_fd_post_censoring', 'mean_relative_rms', 'max_relative_rms',
    'num_dummy_volumes', 'num_censored_volumes', 'num_retained_volumes',
}  # fmt: skip


def read_xcp_d(folder: Path) -> Derivatives:
    """Read the region tables and ``linc_qc`` of the run that stands for everybody's session."""
    found = Derivatives()
    quality = Sheet('xcp_d_qc', 'XCP-D quality', _REFERENCE, _QUALITY)
    files = find_named(folder, 'sub-*_desc-linc_qc.tsv')
    usual = choose_space(files, found.warnings, quality.reasons)
    known = {column.name for column in _QUALITY}
    _add_quality(found, quality, usual, known)
    # Motion and censoring are of the run, whatever the space.
    others = [one for one in files if one.row not in {mine.row for mine in usual}]
    _add_quality(found, quality, others, known & _OF_RUN)
    found.sheets.append(quality)
    for stat, (title, column) in _STATS.items():
        _add_regions(found, find_named(folder, f'sub-*_stat-{stat}_bold.tsv'), title, column)
    for shape, (title, column) in _SHAPES.items():
        pattern = f'sub-*_stat-mean_desc-{shape}_morph.tsv'
        _add_regions(found, find_named(folder, pattern), title, column)
    return found


def _add_quality(
    found: Derivatives, quality: Sheet, files: list[Named], wanted: Collection[str]
) -> None:
    for one, row in read_each(choose_runs(files), _read_one, found, quality.reasons):
        for name, cell in row.items():
            number = to_number(cell)
            if name in wanted and number is not None:
                quality.add(one.row, '', name, number)


def _add_regions(found: Derivatives, files: list[Named], title: str, column: Column) -> None:
    for atlas, mine in _by_atlas(files).items():
        sheet = Sheet(f'xcp_d_{column.name}', f'XCP-D {title}', _REFERENCE, (column,), atlas)
        runs = choose_runs(choose_space(mine, found.warnings, sheet.reasons))
        for one, row in read_each(runs, _read_regions, found, sheet.reasons):
            for region, cell in row.items():
                number = to_number(cell)
                if number is not None:
                    sheet.add(one.row, region, column.name, number)
        found.sheets.append(sheet)


def _by_atlas(files: list[Named]) -> dict[str, list[Named]]:
    """Sort by atlas, which versions of XCP-D call ``atlas`` or ``seg`` in the names."""
    found: dict[str, list[Named]] = {}
    for one in files:
        atlas = one.entities.get('seg') or one.entities.get('atlas')
        if atlas:
            found.setdefault(atlas, []).append(one)
    return dict(sorted(found.items()))


def _read_one(path: Path) -> dict[str, str]:
    rows = read_rows(path)
    if len(rows) != 1:
        raise SheetError(f'the table has {len(rows)} rows instead of one')
    return rows[0]


def _read_regions(path: Path) -> dict[str, str]:
    """Return the cell of each region, from either form of the table."""
    grid = read_grid(path)
    if grid.header[:1] != ['Node']:
        return _read_one(path)
    if len(grid.header) != 2:
        raise SheetError(f'the table has {len(grid.header)} columns instead of two')
    regions = grid.column('Node')
    if len(set(regions)) != len(regions):
        raise SheetError('the table lists a region twice')
    return dict(zip(regions, grid.column(grid.header[1]), strict=True))
