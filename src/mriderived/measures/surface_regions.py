"""Area, thickness, curvature and contrast of the regions of an atlas on the surface."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.surface_geometry import nearest_labels, vertex_areas
from mriderived.figures.sides import draw_sides
from mriderived.interfaces.gifti import load_surface, load_values
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.missing_regions import explain_coverage, read_labels, remark_missing
from mriderived.measures.one_node import one_node_wf
from mriderived.spaces.labels import strip_side

#: A vertex takes the nearest label of its hemisphere's cortex within this distance, in mm.
FURTHEST_MM = 3.0
#: Regions with less area, in mm2, have no numbers: a few triangles say nothing.
LEAST_AREA = 10.0
#: Why a region has no numbers, and which those are.
NOT_THERE = 'the region is not on the surface'
NUMBERS = ('area', 'area_pial', 'thickness', 'thickness_std', 'curvature', 'contrast')
SIDES = {'L': 'left', 'R': 'right'}
FILES = ('midthickness', 'pial', 'thickness_vertices', 'area_vertices', 'curv_vertices',
         'contrast_vertices')  # fmt: skip
NEEDS = (
    'atlas_dseg',
    'atlas_labels',
    *(f'{name}_{side}' for side in SIDES.values() for name in FILES),
)


class SurfaceRegions(NamedTuple):
    """The file that :func:`tabulate_surface` writes."""

    surface_regions: Path


def tabulate_surface(
    atlas_dseg: Path,
    atlas_labels: Path,
    midthickness_left: Path,
    pial_left: Path,
    thickness_vertices_left: Path,
    area_vertices_left: Path,
    curv_vertices_left: Path,
    contrast_vertices_left: Path,
    midthickness_right: Path,
    pial_right: Path,
    thickness_vertices_right: Path,
    area_vertices_right: Path,
    curv_vertices_right: Path,
    contrast_vertices_right: Path,
) -> SurfaceRegions:
    """Give every vertex a region and summarise what is known at the vertices."""
    table = read_labels(atlas_labels)
    table = table[table['tissue'] == 'cortex']
    labels, affine = load(atlas_dseg, np.int32), load_affine(atlas_dseg)
    left = _read(midthickness_left, pial_left, thickness_vertices_left, area_vertices_left,
                 curv_vertices_left, contrast_vertices_left)  # fmt: skip
    right = _read(midthickness_right, pial_right, thickness_vertices_right, area_vertices_right,
                  curv_vertices_right, contrast_vertices_right)  # fmt: skip
    parts = []
    for side, vertices in (('L', left), ('R', right)):
        mine = table['index'][table['hemisphere'].isin([side, 'both'])].to_numpy()
        vertices['index'] = _label(vertices, labels, affine, mine)
        parts.append(vertices[vertices['thickness'] > 0])
    rows = _summarise(pd.concat(parts), table['index'].to_numpy(dtype=np.int64))
    rows.insert(1, 'name', table['name'].to_numpy())
    rows.insert(2, 'hemisphere', table['hemisphere'].to_numpy())
    reasons = [
        why or (NOT_THERE if missing else '')
        for why, missing in zip(explain_coverage(table), rows['area'].isna(), strict=True)
    ]
    rows.loc[np.array([bool(why) for why in reasons], dtype=bool), list(NUMBERS)] = np.nan
    out_file = Path.cwd() / 'surface_regions.tsv'
    rows.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    if rows.empty:
        write_remarks(out_file, notes=['The atlas has no region of the cortex.'])
    remark_missing(out_file, rows, reasons, NUMBERS, 'number')
    return SurfaceRegions(out_file)


def _read(
    midthickness: Path, pial: Path, thickness: Path, area: Path, curv: Path, contrast: Path
) -> pd.DataFrame:
    outer, middle = load_surface(pial), load_surface(midthickness)
    values = {
        'thickness': load_values(thickness),
        'area': load_values(area),
        'area_pial': vertex_areas(outer.points, outer.faces),
        'weight': vertex_areas(middle.points, middle.faces),
        'curvature': load_values(curv),
        'contrast': load_values(contrast),
    }
    columns = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    return pd.DataFrame({**dict(zip('xyz', middle.points.T, strict=True)), **columns})


def _label(
    vertices: pd.DataFrame,
    labels: NDArray[np.int32],
    affine: NDArray[np.float64],
    regions: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return the nearest of ``regions`` for every vertex, 0 where none is near."""
    keep = np.zeros(int(labels.max()) + 1, bool)
    keep[regions[regions < len(keep)]] = True
    # in mm along the axes of the image, so that slices may be thicker than pixels
    spacing = voxel_size(affine)
    to_voxels = np.linalg.inv(affine)
    voxels = vertices[list('xyz')].to_numpy() @ to_voxels[:3, :3].T + to_voxels[:3, 3]
    return nearest_labels(labels, voxels, keep, FURTHEST_MM, spacing)


def _summarise(vertices: pd.DataFrame, index: NDArray[np.int64]) -> pd.DataFrame:
    """Sum areas, and average over that of the midthickness, within regions."""
    weighted = vertices[['thickness', 'curvature', 'contrast']].mul(vertices['weight'], axis=0)
    for name in ('area', 'area_pial', 'weight'):
        weighted[name] = vertices[name]
    weighted['square'] = vertices['thickness'] ** 2 * vertices['weight']
    sums = weighted.groupby(vertices['index']).sum().reindex(index)
    sums = sums.where(sums['area'] >= LEAST_AREA)
    mean = sums[['thickness', 'curvature', 'contrast']].div(sums['weight'], axis=0)
    variance = sums['square'] / sums['weight'] - mean['thickness'] ** 2
    count = vertices.groupby('index').size().reindex(index).fillna(0).astype(int)
    return pd.DataFrame(
        {
            'index': index,
            'area': sums['area'],
            'area_pial': sums['area_pial'],
            'thickness': mean['thickness'],
            'thickness_std': np.sqrt(variance.clip(lower=0)),
            'curvature': mean['curvature'],
            'contrast': mean['contrast'],
            'n_vertices': count,
        }
    ).reset_index(drop=True)


def draw_areas(surface_regions: Path) -> list[Any]:
    """Draw the left against the right region of every pair."""
    table = pd.read_csv(surface_regions, sep='\t', keep_default_na=False, na_values='n/a')
    table['pair'] = table['name'].map(strip_side)
    sides = table.pivot_table('area', 'pair', 'hemisphere', 'first').reindex(columns=['L', 'R'])
    sides = sides.dropna()
    names = [str(name) for name in sides.index]
    return [draw_sides(names, sides['L'].to_numpy(), sides['R'].to_numpy(), 'Area', 'mm²')]


def init_surface_regions_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(tabulate_surface, NEEDS, node_name='tabulate')


SURFACE_REGIONS = Measure(
    name='surface_regions',
    title='Regions on the surface',
    needs=NEEDS,
    outputs=(
        Output(
            field='surface_regions',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'surface'},
            description='Regions of the atlas on the surface of the cortex.',
            columns=(
                Column('index', 'Number of the region in the label image.'),
                Column('name', 'Name of the region.', unit=''),
                Column('hemisphere', 'L, R, or both for a region of the midline.', unit=''),
                Column('area', 'Area of the white surface.', 'mm2', 'Surface area'),
                Column('area_pial', 'Area of the pial surface.', 'mm2', 'Pial area'),
                Column(
                    'thickness',
                    'Mean cortical thickness over the area of the midthickness.',
                    'mm',
                    'Mean thickness',
                ),
                Column(
                    'thickness_std',
                    'Standard deviation of cortical thickness over the area.',
                    'mm',
                    'Standard deviation of thickness',
                ),
                Column(
                    'curvature',
                    'Mean curvature of the midthickness, positive in sulci.',
                    '1/mm',
                    'Mean curvature',
                ),
                Column(
                    'contrast',
                    'Grey-white contrast: difference of white and grey matter in percent of '
                    'their mean.',
                    'percent',
                    'Grey-white contrast',
                ),
                Column('n_vertices', 'Vertices of the region.', title='Vertices'),
            ),
            cohort_columns=('area', 'thickness', 'contrast'),
            tissues=('cortex',),
            draft='BEP011',
        ),
    ),
    init_wf=init_surface_regions_wf,
    reference='https://doi.org/10.1006/nimg.1998.0395',
    methods=(
        'Every vertex of the midthickness was given the nearest region of the cortex (at most '
        f'{FURTHEST_MM:.0f} mm away). Area is that of the white surface; thickness, curvature and '
        'grey-white contrast (Salat et al. 2009, doi:10.1016/j.neuroimage.2009.05.014) are means '
        'over the area of the midthickness.'
    ),
    over='atlas',
    figures=(
        Figure(
            name='areas',
            draw=draw_areas,
            needs=('surface_regions',),
            title='Surface areas, left and right',
            caption='Each point is a pair of regions; the line is where both sides are the same. '
            'In atlases that divide each hemisphere on its own (Schaefer), the two of a name are '
            'not the same area.',
        ),
    ),
    minutes=0.1,
)
