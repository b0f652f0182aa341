"""What QSIRecon found: scalars of diffusion models along bundles."""

from __future__ import annotations

from pathlib import Path

from mriderived.group.derivatives import Derivatives, Sheet
from mriderived.group.named_files import (
    Named,
    choose_runs,
    find_named,
    need_columns,
    read_each,
    read_rows,
    to_number,
)
from mriderived.group.records import Row
from mriderived.group.sheets import read_grid
from mriderived.measures.base import Column

_REFERENCE = 'https://doi.org/10.1038/s41592-021-01185-5'
#: What the tables call the workflow that made the maps.
_SUFFIX = 'qsirecon_suffix'


def read_qsirecon(folder: Path) -> Derivatives:
    """Read ``*_bundles-<label>_scalarstats.tsv`` of all workflows below a folder of QSIRecon."""
    found = Derivatives()
    by_bundles: dict[tuple[str, str], list[Named]] = {}
    for one in find_named(folder, 'sub-*_scalarstats.tsv'):
        kind = (_workflow(one.path), one.entities.get('bundles', ''))
        by_bundles.setdefault(kind, []).append(one)
    for (workflow, bundles), files in sorted(by_bundles.items()):
        sheets: dict[str, Sheet] = {}
        broken: dict[Row, str] = {}
        for one, rows in read_each(choose_runs(files), _read, found, broken):
            for cells in rows:
                model = cells.get(_SUFFIX) or workflow
                sheet = sheets.setdefault(model, _declare(model, bundles))
                number = to_number(cells['mean'])
                if number is not None:
                    sheet.add(one.row, cells['bundle'], cells['variable_name'], number)
        for _, sheet in sorted(sheets.items()):
            sheet.reasons |= broken
            names = {name for values in sheet.values.values() for _, name in values}
            sheet.columns = tuple(
                Column(name, f'Mean of {name} over the voxels of the bundle.', '')
                for name in sorted(names)
            )
            found.sheets.append(sheet)
    return found


def _declare(model: str, bundles: str) -> Sheet:
    return Sheet(f'qsirecon_{model}', f'QSIRecon {model}', _REFERENCE, (), bundles)


def _workflow(path: Path) -> str:
    """Return the name of the workflow from the folder ``qsirecon-<name>`` of a file."""
    names = [part.partition('-')[2] for part in path.parts if part.startswith('qsirecon-')]
    return names[-1] if names else 'scalars'


def _read(path: Path) -> list[dict[str, str]]:
    need_columns(read_grid(path), 'bundle', 'variable_name', 'mean')
    return read_rows(path)
