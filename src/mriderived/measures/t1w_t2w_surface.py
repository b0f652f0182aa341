"""The ratio of T1w to T2w on the surface of the cortex, and its regions there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.surface_geometry import nearest_labels, vertex_areas
from mriderived.core.surface_projection import sample
from mriderived.interfaces.gifti import load_surface, load_values, save_values
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Column, Measure, Output
from mriderived.measures.missing_regions import explain_coverage, read_labels, remark_missing
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.surface_regions import FURTHEST_MM, LEAST_AREA, NOT_THERE, SIDES
from mriderived.measures.t1w_t2w import T1W_T2W

#: A vertex has a value if so much of the voxels around it has.
LEAST_SHARE = 0.5
SURFACE_NEEDS = (
    't1w_t2w_ratio',
    *(f'{name}_{side}' for side in SIDES.values() for name in ('midthickness',
                                                               'thickness_vertices')),
)  # fmt: skip
REGION_NEEDS = (
    'atlas_dseg',
    'atlas_labels',
    *(f'{name}_{side}' for side in SIDES.values() for name in ('midthickness',
                                                               't1w_t2w_vertices')),
)  # fmt: skip


class VertexFiles(NamedTuple):
    """The files that :func:`sample_ratio` writes."""

    t1w_t2w_vertices_left: Path
    t1w_t2w_vertices_right: Path


def sample_ratio(
    t1w_t2w_ratio: Path,
    midthickness_left: Path,
    thickness_vertices_left: Path,
    midthickness_right: Path,
    thickness_vertices_right: Path,
) -> VertexFiles:
    """Interpolate the map halfway through the cortex; voxels without a value lend none."""
    values, to_voxel = load(t1w_t2w_ratio), np.linalg.inv(load_affine(t1w_t2w_ratio))
    files = []
    for side, middle, thickness in (
        ('L', midthickness_left, thickness_vertices_left),
        ('R', midthickness_right, thickness_vertices_right),
    ):
        points = load_surface(middle).points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        share = sample((values > 0).astype(np.float32), points)
        found = sample(values, points) / np.maximum(share, LEAST_SHARE)
        known = (share >= LEAST_SHARE) & (load_values(thickness) > 0)
        name = f'ratio_{side}.shape.gii'
        files.append(save_values(np.where(known, found, 0), side, 'T1w/T2w ratio', name))
    return VertexFiles(*files)


class RatioRegions(NamedTuple):
    """The file that :func:`tabulate_ratio` writes."""

    t1w_t2w_surface_regions: Path


def tabulate_ratio(
    atlas_dseg: Path,
    atlas_labels: Path,
    midthickness_left: Path,
    t1w_t2w_vertices_left: Path,
    midthickness_right: Path,
    t1w_t2w_vertices_right: Path,
) -> RatioRegions:
    """Average the ratio over the area of each region of the cortex."""
    table = read_labels(atlas_labels)
    table = table[table['tissue'] == 'cortex']
    labels, affine = load(atlas_dseg, np.int32), load_affine(atlas_dseg)
    parts = []
    for side, middle, vertices in (
        ('L', midthickness_left, t1w_t2w_vertices_left),
        ('R', midthickness_right, t1w_t2w_vertices_right),
    ):
        mine = table['index'][table['hemisphere'].isin([side, 'both'])].to_numpy()
        parts.append(_read(middle, vertices, labels, affine, mine))
    rows = _summarise(pd.concat(parts), table['index'].to_numpy(dtype=np.int64))
    rows.insert(1, 'name', table['name'].to_numpy())
    reasons = [
        why or (NOT_THERE if missing else '')
        for why, missing in zip(explain_coverage(table), rows['mean'].isna(), strict=True)
    ]
    rows.loc[np.array([bool(why) for why in reasons], dtype=bool), 'mean'] = np.nan
    out_file = Path.cwd() / 'surface_regions.tsv'
    rows.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    if rows.empty:
        write_remarks(out_file, notes=['The atlas has no region of the cortex.'])
    remark_missing(out_file, rows, reasons, ('mean',), 'number')
    return RatioRegions(out_file)


def _read(
    middle: Path,
    vertices: Path,
    labels: NDArray[np.int32],
    affine: NDArray[np.float64],
    regions: NDArray[np.int64],
) -> pd.DataFrame:
    """Return region, value and area of the vertices that have a value."""
    mesh, values = load_surface(middle), load_values(vertices)
    keep = np.zeros(int(labels.max()) + 1, bool)
    keep[regions[regions < len(keep)]] = True
    to_voxel = np.linalg.inv(affine)
    voxels = mesh.points @ to_voxel[:3, :3].T + to_voxel[:3, 3]
    found = nearest_labels(labels, voxels, keep, FURTHEST_MM, voxel_size(affine))
    area = vertex_areas(mesh.points, mesh.faces)
    table = pd.DataFrame({'index': found, 'value': values.astype(np.float64), 'area': area})
    return table[table['value'] > 0]


def _summarise(vertices: pd.DataFrame, index: NDArray[np.int64]) -> pd.DataFrame:
    vertices = vertices.assign(weighted=vertices['value'] * vertices['area'])
    sums = vertices.groupby('index')[['weighted', 'area']].sum().reindex(index)
    sums = sums.where(sums['area'] >= LEAST_AREA)
    count = vertices.groupby('index').size().reindex(index).fillna(0).astype(int)
    mean = sums['weighted'] / sums['area']
    return pd.DataFrame({'index': index, 'mean': mean, 'n_vertices': count}).reset_index(drop=True)


def init_t1w_t2w_surface_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(sample_ratio, SURFACE_NEEDS)


def init_t1w_t2w_surface_regions_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(tabulate_ratio, REGION_NEEDS, node_name='tabulate')


def _vertices(side: str) -> Output:
    return Output(
        field=f't1w_t2w_vertices_{SIDES[side]}',
        datatype='anat',
        suffix='T1wT2wratio',
        extension='.shape.gii',
        entities={'hemi': side},
        description=f'T1w/T2w ratio at the vertices of the midthickness, {SIDES[side]} '
        'hemisphere; 0 where there is none.',
        unit='1',
        draft='BEP011',
    )


T1W_T2W_SURFACE = Measure(
    name='t1w_t2w_surface',
    title='T1w/T2w ratio on the surface',
    needs=SURFACE_NEEDS,
    source='T2w',
    scope=T1W_T2W.scope,
    outputs=tuple(_vertices(side) for side in SIDES),
    init_wf=init_t1w_t2w_surface_wf,
    reference=T1W_T2W.reference,
    methods='On the surface, the T1w/T2w ratio was interpolated halfway through the cortex.',
    minutes=0.1,
)
T1W_T2W_SURFACE_REGIONS = Measure(
    name='t1w_t2w_surface_regions',
    title='T1w/T2w ratio of regions on the surface',
    needs=REGION_NEEDS,
    source='T2w',
    scope=T1W_T2W.scope,
    outputs=(
        Output(
            field='t1w_t2w_surface_regions',
            datatype='anat',
            suffix='T1wT2wratio',
            extension='.tsv',
            entities={'desc': 'surface'},
            description='T1w/T2w ratio of regions of the cortex, on its surface.',
            columns=(
                Column('index', 'Number of the region in the label image.'),
                Column('name', 'Name of the region.', unit=''),
                Column(
                    'mean',
                    'Mean T1w/T2w ratio over the area of the midthickness.',
                    '1',
                    'Mean on the surface',
                ),
                Column('n_vertices', 'Vertices of the region with a value.', title='Vertices'),
            ),
            cohort_columns=('mean',),
            tissues=('cortex',),
            draft='BEP011',
        ),
    ),
    init_wf=init_t1w_t2w_surface_regions_wf,
    reference=T1W_T2W.reference,
    methods='',
    over='atlas',
    minutes=0.1,
)
