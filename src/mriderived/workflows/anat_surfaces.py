"""Step ``surfaces``: white, midthickness and pial meshes with values per vertex."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.surface_geometry import mean_curvature, sulcal_depth, vertex_areas
from mriderived.core.surface_layers import Layers, reconstruct
from mriderived.core.surface_maps import grey_white_contrast, is_cortex, sample_inside
from mriderived.figures.meshes import Outlined, mesh_mosaic
from mriderived.figures.style import AMBER, CYAN
from mriderived.interfaces.gifti import Surface, load_surface, save_surface, save_values
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_surface_quality import (
    SIDES,
    describe_mesh,
    quality_columns,
    write_quality,
)

NEEDS = (
    't1w',
    'structures_dseg',
    'thickness_left',
    'thickness_right',
    'depth_left',
    'depth_right',
)
LAYERS = ('white', 'midthickness', 'pial')
#: Values per vertex: suffix, title, description, unit.
VALUES: Mapping[str, tuple[str, str, str]] = {
    'thickness': ('Cortical thickness', 'Cortical thickness; 0 on the medial wall', 'mm'),
    'area': ('Area', "A third of the area of the vertex's triangles, on the white surface", 'mm2'),
    'curv': ('Mean curvature', 'Mean curvature of the midthickness, positive in sulci', '1/mm'),
    'sulc': ('Sulcal depth', 'Distance below the outer hull of the hemisphere', 'mm'),
    'contrast': (
        'Grey-white contrast',
        'Difference of the image 1 mm below the white surface and at 30 % of the cortex above '
        'it, in percent of their mean',
        'percent',
    ),
}


class SurfaceFiles(NamedTuple):
    """What the step writes."""

    white_left: Path
    midthickness_left: Path
    pial_left: Path
    thickness_vertices_left: Path
    area_vertices_left: Path
    curv_vertices_left: Path
    sulc_vertices_left: Path
    contrast_vertices_left: Path
    white_right: Path
    midthickness_right: Path
    pial_right: Path
    thickness_vertices_right: Path
    area_vertices_right: Path
    curv_vertices_right: Path
    sulc_vertices_right: Path
    contrast_vertices_right: Path
    surface_quality: Path


class Scan(NamedTuple):
    """The image and its structures, on one grid."""

    image: NDArray[np.float32]
    structures: NDArray[np.int32]
    affine: NDArray[np.float64]


class Half(NamedTuple):
    """One hemisphere: its meshes, its values per vertex, and its row of the quality table."""

    surfaces: dict[str, Surface]
    values: dict[str, NDArray[np.float32]]
    quality: dict[str, float]


def make_surfaces(
    t1w: Path,
    structures_dseg: Path,
    thickness_left: Path,
    thickness_right: Path,
    depth_left: Path,
    depth_right: Path,
    threads: int,
) -> SurfaceFiles:
    """Reconstruct the surfaces of both hemispheres."""
    scan = Scan(load(t1w), load(structures_dseg, np.int32), load_affine(t1w))

    def reconstruct_half(side: str, thickness: Path, depth: Path) -> Half:
        try:
            return _reconstruct(scan, thickness, depth)
        except ValueError as error:
            raise ValueError(f'{SIDES[side]} hemisphere: {error}') from error

    with ThreadPoolExecutor(min(threads, 2)) as pool:
        left, right = pool.map(
            reconstruct_half, SIDES, (thickness_left, thickness_right), (depth_left, depth_right)
        )
    quality = write_quality({'L': left.quality, 'R': right.quality})
    files = [*_save_half('L', left), *_save_half('R', right), quality]
    return SurfaceFiles(*files)


def _reconstruct(scan: Scan, thickness: Path, depth: Path) -> Half:
    position, affine = load(depth), load_affine(depth)
    edge = float(voxel_size(affine)[0])
    layers = reconstruct(position, edge)
    surfaces = _to_scanner(layers, affine)
    white, pial = surfaces['white'].points, surfaces['pial'].points
    to_voxels = np.asarray(np.linalg.inv(scan.affine), dtype=np.float64)
    middle = surfaces['midthickness'].points @ to_voxels[:3, :3].T + to_voxels[:3, 3]
    cortex = is_cortex(scan.structures, middle, voxel_size(scan.affine))
    values = {
        'thickness': np.where(cortex, sample_inside(load(thickness), layers.midthickness), 0),
        'area': vertex_areas(white, layers.faces),
        'curv': mean_curvature(*surfaces['midthickness']),
        'sulc': sulcal_depth(layers.midthickness, position, edge),
        'contrast': grey_white_contrast(scan.image, white, pial, to_voxels),
    }
    cortex = values['thickness'] > 0
    pial_area = vertex_areas(pial, layers.faces)
    areas = float(values['area'][cortex].sum()), float(pial_area[cortex].sum())
    return Half(surfaces, values, describe_mesh(layers.quality, *areas))


def _to_scanner(layers: Layers, affine: NDArray[np.float64]) -> dict[str, Surface]:
    """Put the meshes into scanner coordinates, triangles counter-clockwise from outside."""
    faces = layers.faces
    if np.linalg.det(affine[:3, :3]) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    return {
        name: Surface(getattr(layers, name) @ affine[:3, :3].T + affine[:3, 3], faces)
        for name in LAYERS
    }


def _save_half(side: str, half: Half) -> list[Path]:
    meshes = [
        save_surface(half.surfaces[layer], side, layer, f'{layer}_{side}.surf.gii')
        for layer in LAYERS
    ]
    return meshes + [
        save_values(half.values[name], side, VALUES[name][0], f'{name}_{side}.shape.gii')
        for name in VALUES
    ]


def draw_surfaces(
    t1w: Path, white_left: Path, white_right: Path, pial_left: Path, pial_right: Path
) -> list[Any]:
    """Draw where the white and the pial surface cut slices of the image."""
    return [
        mesh_mosaic(
            load(t1w),
            load_affine(t1w),
            [
                Outlined(
                    [load_surface(pial_left), load_surface(pial_right)], AMBER, 'pial surface'
                ),
                Outlined(
                    [load_surface(white_left), load_surface(white_right)], CYAN, 'white surface'
                ),
            ],
        )
    ]


def init_surfaces_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(make_surfaces, NEEDS, threads=config.omp_nthreads)


def _mesh(layer: str, side: str) -> Output:
    titles = {
        'white': 'Surface between white and grey matter',
        'midthickness': 'Surface halfway through the cortex',
        'pial': 'Outer surface of the cortex',
    }
    return Output(
        field=f'{layer}_{SIDES[side]}',
        datatype='anat',
        suffix=layer,
        extension='.surf.gii',
        entities={'hemi': side},
        description=f'{titles[layer]}, {SIDES[side]} hemisphere, in scanner coordinates.',
        unit='mm',
        draft='BEP011',
    )


def _values(name: str, side: str) -> Output:
    _, description, unit = VALUES[name]
    return Output(
        field=f'{name}_vertices_{SIDES[side]}',
        datatype='anat',
        suffix=name,
        extension='.shape.gii',
        entities={'hemi': side},
        description=f'{description}, at every vertex of the {SIDES[side]} hemisphere.',
        unit=unit,
        draft='BEP011',
    )


SURFACES = Measure(
    name='surfaces',
    title='Surfaces of the cortex',
    needs=NEEDS,
    outputs=(
        *(
            output
            for side in SIDES
            for output in (
                *(_mesh(layer, side) for layer in LAYERS),
                *(_values(name, side) for name in VALUES),
            )
        ),
        Output(
            field='surface_quality',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'surfaces'},
            description='Area of the surfaces of each hemisphere, and how good the meshes are.',
            columns=quality_columns(),
            draft='BEP011',
        ),
    ),
    init_wf=init_surfaces_wf,
    reference='https://doi.org/10.1006/nimg.1998.0395',
    methods=(
        'The midthickness surface is the level halfway between the white and the pial boundary. '
        'Voxels of 1 mm inside it were made a ball by growing simple points, so that every mesh '
        'is one closed sphere; their faces were moved onto the level and, from level to level, on '
        'to the white and the pial boundary, with the same triangles.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='surfaces',
            draw=draw_surfaces,
            needs=('t1w', 'white_left', 'white_right', 'pial_left', 'pial_right'),
            title='White and pial surfaces',
            caption='Where the surfaces cut slices of the image. The white surface should follow '
            'the border of white matter, the pial surface the outer border of grey matter, into '
            'every sulcus.',
            section='tissue',
        ),
    ),
    minutes=0.8,
    memory_gb=2.5,
)
