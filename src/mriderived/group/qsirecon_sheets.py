"""What QSIRecon found: scalars of diffusion models along bundles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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
            repeated = {key for key, count in Counter(map(_identify, rows)).items() if count > 1}
            fault = _tell_repeated(one, repeated) if repeated else ''
            for cells in rows:
                model = cells.get(_SUFFIX) or workflow
                sheet = sheets.setdefault(model, _declare(model, bundles))
                number = to_number(cells['mean'])
                if _identify(cells) in repeated:
                    sheet.reasons[one.row] = fault
                elif number is not None:
                    sheet.add(one.row, cells['bundle'], cells['variable_name'], number)
            found.warnings += [f'{fault}: leave one'] * bool(fault)
        for _, sheet in sorted(sheets.items()):
            sheet.reasons |= broken
            names = {name for values in sheet.values.values() for _, name in values}
            sheet.columns = tuple(
                Column(name, f'Mean of {name} over the voxels of the bundle.', '')
                for name in sorted(names)
            )
            found.sheets.append(sheet)
    return found


def _identify(cells: Mapping[str, str]) -> tuple[str, str, str]:
    """Return bundle, scalar and workflow of a row, which together stand once in a table."""
    return cells['bundle'], cells['variable_name'], cells.get(_SUFFIX, '')


def _tell_repeated(one: Named, repeated: Iterable[tuple[str, str, str]]) -> str:
    names = ', '.join(f'{scalar} of {bundle}' for bundle, scalar, _ in sorted(repeated))
    return f'{one.path.name} has more than one row of {names}'


def _declare(model: str, bundles: str) -> Sheet:
    return Sheet(f'qsirecon_{model}', f'QSIRecon {model}', _REFERENCE, (), bundles)


def _workflow(path: Path) -> str:
    """Return the name of the workflow from the folder ``qsirecon-<name>`` of a file."""
    names = [part.partition('-')[2] for part in path.parts if part.startswith('qsirecon-')]
    return names[-1] if names else 'scalars'


def _read(path: Path) -> list[dict[str, str]]:
    need_columns(read_grid(path), 'bundle', 'variable_name', 'mean')
    return read_rows(path)
