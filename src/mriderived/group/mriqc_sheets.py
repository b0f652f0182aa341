"""What MRIQC found: its group tables, or the JSON of each image where there is none."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from mriderived.group.derivatives import Derivatives, Sheet
from mriderived.group.named_files import (
    Named,
    choose_runs,
    find_named,
    name_row,
    need_columns,
    read_each,
    to_number,
)
from mriderived.group.records import Row
from mriderived.group.sheets import SheetError, read_grid
from mriderived.measures.base import Column

_REFERENCE = 'https://doi.org/10.1371/journal.pone.0184661'
#: Suffix of the image → table of the cohort, and what it is called.
_KINDS = {
    'T1w': ('mriqc_t1w', 'MRIQC of T1w'),
    'T2w': ('mriqc_t2w', 'MRIQC of T2w'),
    'bold': ('mriqc_bold', 'MRIQC of BOLD'),
    'dwi': ('mriqc_dwi', 'MRIQC of diffusion'),
}
#: What is sure of single numbers; for all others MRIQC's own documentation has the definition.
_KNOWN = {
    'fd_mean': ('Mean framewise displacement.', 'mm'),
    'fd_num': ('Volumes with framewise displacement above the threshold.', '1'),
    'fd_perc': ('Share of volumes with framewise displacement above the threshold.', '%'),
    'spacing_x': ('Size of a voxel along x.', 'mm'),
    'spacing_y': ('Size of a voxel along y.', 'mm'),
    'spacing_z': ('Size of a voxel along z.', 'mm'),
    'spacing_tr': ('Repetition time.', 's'),
    'cjv': ('Coefficient of joint variation.', '1'),
    'cnr': ('Contrast-to-noise ratio.', '1'),
    'efc': ('Entropy-focus criterion.', '1'),
    'tsnr': ('Temporal signal-to-noise ratio.', '1'),
}
Numbers = dict[str, float]


def read_mriqc(folder: Path) -> Derivatives:
    """Read ``group_<suffix>.tsv``, or ``sub-*_<suffix>.json`` where a suffix has no such table."""
    found = Derivatives()
    for suffix, (name, title) in _KINDS.items():
        sheet = Sheet(name, title, _REFERENCE, ())
        table = folder / f'group_{suffix}.tsv'
        try:
            people = _read_table(table, sheet, found) if table.exists() else {}
        except SheetError as error:
            found.warnings.append(f'{table.name} is left out: {error}')
            people = {}
        if not table.exists():
            files = choose_runs(find_named(folder, f'sub-*_{suffix}.json'))
            read = read_each(files, _read_image, found, sheet.reasons)
            people = {one.row: numbers for one, numbers in read}
        _fill(sheet, people)
        found.sheets.append(sheet)
    return found


def _read_table(path: Path, sheet: Sheet, found: Derivatives) -> dict[Row, Numbers]:
    """Return the numbers of the run that stands for each row."""
    grid = read_grid(path)
    need_columns(grid, 'bids_name')
    width, names = len(grid.header), grid.column('bids_name')
    lines: dict[str, Numbers] = {}
    twice = {name for name, count in Counter(names).items() if count > 1}
    images = []
    for place, name in enumerate(names):
        known = name_row(name)
        if known is None:
            found.warnings.append(f'{path.name}: {name!r} is no name of BIDS, and is left out')
        elif name in twice:
            sheet.reasons[known[0]] = f'{path.name} has more than one row of {name}'
        else:
            cells = grid.cells[place * width : (place + 1) * width]
            lines[name] = _numbers(dict(zip(grid.header, cells, strict=True)))
            images.append(Named(*known, Path(name)))
    found.warnings += [
        f'{path.name} has more than one row of {name}: leave one' for name in sorted(twice)
    ]
    found_lines = {one.row: lines[str(one.path)] for one in choose_runs(images)}
    for row in found_lines:
        sheet.reasons.pop(row, None)  # another run stands for them
    return found_lines


def _numbers(cells: dict[str, str]) -> Numbers:
    found = {name: to_number(cell) for name, cell in cells.items() if name != 'bids_name'}
    return {name: number for name, number in found.items() if number is not None}


def _read_image(path: Path) -> Numbers:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SheetError(f'the file cannot be read: {error}') from error
    if not isinstance(content, dict):
        raise SheetError('the file holds no object')
    return {
        name: float(value)
        for name, value in content.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _fill(sheet: Sheet, people: dict[Row, Numbers]) -> None:
    names = sorted({name for numbers in people.values() for name in numbers})
    sheet.columns = tuple(
        Column(name, *_KNOWN.get(name, (f'{name}, as MRIQC defines it.', ''))) for name in names
    )
    for row, numbers in people.items():
        for name, value in numbers.items():
            sheet.add(row, '', name, value)
