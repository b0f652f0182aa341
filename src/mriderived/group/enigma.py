"""The three CSV files that the protocols of the ENIGMA consortium read.

Names and order of the columns are those of the consortium's own scripts, which take FreeSurfer's
tables apart; analysis scripts count columns, so nothing may move. The values are those of the
cohort tables, unrounded, and ``NA`` stands wherever these have no value and a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mriderived import __version__
from mriderived.bids.status import NoInputError
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE
from mriderived.group.blocks import MISSING, Block
from mriderived.group.records import Cohort, Row
from mriderived.group.writing import write_lines
from mriderived.spaces.structures import ATLAS

#: BIDS has no place for such files: the whole folder is in ``.bidsignore``.
FOLDER = PurePosixPath('exports', 'enigma')
NA = 'NA'
NEEDS = (('surface_regions', ATLAS), ('structure_volume', None), ('tissue_volume', None))
SIDES = {'L': ('ctx-lh', 'Left'), 'R': ('ctx-rh', 'Right')}
REGIONS = (
    'bankssts', 'caudalanteriorcingulate', 'caudalmiddlefrontal', 'cuneus', 'entorhinal',
    'fusiform', 'inferiorparietal', 'inferiortemporal', 'isthmuscingulate', 'lateraloccipital',
    'lateralorbitofrontal', 'lingual', 'medialorbitofrontal', 'middletemporal',
    'parahippocampal', 'paracentral', 'parsopercularis', 'parsorbitalis', 'parstriangularis',
    'pericalcarine', 'postcentral', 'posteriorcingulate', 'precentral', 'precuneus',
    'rostralanteriorcingulate', 'rostralmiddlefrontal', 'superiorfrontal', 'superiorparietal',
    'superiortemporal', 'supramarginal', 'frontalpole', 'temporalpole', 'transversetemporal',
    'insula',
)  # fmt: skip
STRUCTURES = {
    'LatVent': 'Lateral-Ventricle',
    'thal': 'Thalamus-Proper',
    'caud': 'Caudate',
    'put': 'Putamen',
    'pal': 'Pallidum',
    'hippo': 'Hippocampus',
    'amyg': 'Amygdala',
    'accumb': 'Accumbens-area',
}
_ABOUT = f"""\
Tables in the form of the ENIGMA protocols, made by MRIderived {__version__}, not by FreeSurfer.

Thickness (thickavg) is in mm, area of the white surface (surfavg) in mm2, volume and ICV in mm3.
Regions are those of the atlas {ATLAS} on the surface; their thickness is a mean over the surface.

Do not pool these values with FreeSurfer's: both thickness and area have a bias against it. In one
adult at 1 mm, thickness on our surfaces was 0.11 mm less on average and the area of the white
surface 0.943 times FreeSurfer's in all; single regions differ by more. See docs/validation.md.

LThickness and RThickness are means of the regions of a side, weighted by surfavg; NA if one lacks.
LSurfArea and RSurfArea are the whole white surface without the medial wall.
ICV is tiv_volume of the measure tissue_volume: what is inside the brain mask.
The reason for every NA is in phenotype/mriderived_reasons*.tsv.
"""


class Place(NamedTuple):
    """Where in the cohort table a value stands; the region is empty where there is none."""

    measure: str
    region: str
    column: str


ICV = ('ICV', Place('tissue_volume', '', 'tiv_volume'))


def check_cohort(cohort: Cohort) -> None:
    """Raise :class:`NoInputError` where a measure that the tables need was never run."""
    lacking = [need for need in NEEDS if need not in cohort.units]
    if not lacking:
        return
    names = [name for name, _ in lacking]
    told = [f'{name} with the atlas {atlas}' if atlas else name for name, atlas in lacking]
    option = f' --atlases {ATLAS}' if any(atlas for _, atlas in lacking) else ''
    raise NoInputError(
        f'--export enigma needs {", ".join(told)}, which no participant was run with: '
        f'run the participant level with --measures {" ".join(names)}{option} first'
    )


def write_enigma(
    out_dir: Path, rows: Sequence[Row], blocks: Sequence[Block], is_sloppy: bool = False
) -> tuple[PurePosixPath, ...]:
    """Write the three tables and what they hold, and return their paths below ``out_dir``."""
    layouts = tables()
    lines = {name: [_join('SubjID', dict(columns))] for name, columns in layouts.items()}
    sources = _find_places(blocks)
    # The sessions of a participant stand together, whereas each is a cohort table of its own.
    for place in sorted(range(len(rows)), key=lambda place: rows[place][::-1]):
        row = rows[place]
        values = _read_values(sources, place)
        label = f'sub-{row.participant}' + (f'_ses-{row.session}' if row.session else '')
        for name, columns in layouts.items():
            lines[name].append(_join(label, [values.get(where, NA) for _, where in columns]))
    for name, table in lines.items():
        write_lines(out_dir / FOLDER / name, table)
    mark = [f'{SLOPPY_TITLE}. {SLOPPY_TEXT}', ''] if is_sloppy else []
    write_lines(out_dir / FOLDER / 'README.txt', [*mark, *_ABOUT.splitlines()])
    return tuple(FOLDER / name for name in (*lines, 'README.txt'))


def tables() -> Mapping[str, tuple[tuple[str, Place], ...]]:
    """Return the columns of each table: what ENIGMA calls it, and where the value is."""
    return {
        'CorticalMeasuresENIGMA_ThickAvg.csv': _cortical('thickavg', 'thickness'),
        'CorticalMeasuresENIGMA_SurfAvg.csv': _cortical('surfavg', 'area'),
        'LandRvolumes.csv': (
            *(
                (f'{side}{short}', Place('structure_volume', f'{word}-{structure}', 'volume'))
                for short, structure in STRUCTURES.items()
                for side, (_, word) in SIDES.items()
            ),
            ICV,
        ),
    }


def _cortical(ending: str, column: str) -> tuple[tuple[str, Place], ...]:
    regions = (
        (f'{side}_{region}_{ending}', _region(side, region, column))
        for side in SIDES
        for region in REGIONS
    )
    thickness = ((f'{side}Thickness', _mean(side)) for side in SIDES)
    areas = ((f'{side}SurfArea', Place('surfaces', '', f'area_white_{side}')) for side in SIDES)
    return (*regions, *thickness, *areas, ICV)


def _region(side: str, region: str, column: str) -> Place:
    return Place('surface_regions', f'{SIDES[side][0]}-{region}', column)


def _mean(side: str) -> Place:
    """Return the place of what no cohort table has: the mean thickness of a side."""
    return Place('surface_regions', SIDES[side][0], 'thickness')


def _find_places(blocks: Sequence[Block]) -> list[tuple[Block, list[Place]]]:
    """Return the blocks that hold values of the tables, and where each of their columns stands."""
    wanted: set[tuple[str, str | None]] = {*NEEDS, ('surfaces', None)}
    found = []
    for block in blocks:
        source = block.columns[0].source
        if (source.measure.name, source.variant) in wanted:
            keys = [column.key for column in block.columns]
            name = source.measure.name
            found.append((block, [Place(name, key.region, key.column) for key in keys]))
    return found


def _read_values(sources: Sequence[tuple[Block, list[Place]]], row: int) -> dict[Place, str]:
    """Return the values of one row by their place; those that are missing are left out."""
    values = {
        place: cell
        for block, places in sources
        for place, cell in zip(places, block.values[row].split('\t'), strict=True)
        if cell != MISSING
    }
    for side in SIDES:
        mean = _mean_thickness(values, side)
        if mean is not None:
            values[_mean(side)] = f'{mean:.7g}'
    return values


def _mean_thickness(values: Mapping[Place, str], side: str) -> float | None:
    """Return the mean over the area of all regions; what is without one of them is no mean."""
    thickness, area = (
        [float(values.get(_region(side, name, column), 'nan')) for name in REGIONS]
        for column in ('thickness', 'area')
    )
    mean = float(np.average(thickness, weights=area))
    return None if np.isnan(mean) else mean


def _join(label: str, cells: Iterable[str]) -> str:
    return ','.join((label, *cells))
