"""Step ``surfaces``: white, midthickness and pial meshes with values per vertex."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.surface_geometry import mean_curvature, sulcal_depth, vertex_areas
from mriderived.core.surface_layers import Layers, reconstruct
from mriderived.core.surface_maps import grey_white_contrast, is_cortex, sample_inside
from mriderived.figures.meshes import Outlined, mesh_mosaic
from mriderived.figures.style import AMBER, CYAN
from mriderived.interfaces.gifti import Surface, load_surface, save_surface, save_values
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = (
    't1w',
    'structures_dseg',
    'thickness_left',
    'thickness_right',
    'depth_left',
    'depth_right',
)
SIDES = {'L': 'left', 'R': 'right'}
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
#: Beyond these a mesh needs a look: the share of triangles that meet others, the share of
#: vertices off their boundary (the pial surface stops before it meets itself in buried sulci),
#: voxels of 1 mm that were cut or filled, and the ratio of the areas of both hemispheres.
LARGEST_INTERSECTION = 0.01
LARGEST_OFF = {'off_white': 0.05, 'off_pial': 0.35}
MOST_CORRECTED = 3000
LARGEST_ASYMMETRY = 1.1


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
    quality = _write_quality({'L': left, 'R': right})
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
    quality = {
        'area_white': float(values['area'][cortex].sum()),
        'area_pial': float(pial_area[cortex].sum()),
        'euler_number': layers.quality.euler_number,
        'components': layers.quality.components,
        'voxels_corrected': layers.quality.voxels_cut + layers.quality.voxels_filled,
        'intersecting_white': layers.quality.intersecting_white,
        'intersecting_pial': layers.quality.intersecting_pial,
        'intersecting_white_pial': layers.quality.intersecting_white_pial,
        'off_white': layers.quality.off_white,
        'off_pial': layers.quality.off_pial,
    }
    return Half(surfaces, values, quality)


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


def _write_quality(halves: Mapping[str, Half]) -> Path:
    row = {
        f'{name}_{side}': value
        for side, half in halves.items()
        for name, value in half.quality.items()
    }
    table = Path.cwd() / 'surfaces.tsv'
    pd.DataFrame([row]).to_csv(table, sep='\t', index=False, float_format='%.7g')
    notes = [note for side, half in halves.items() for note in _doubt(SIDES[side], half.quality)]
    left, right = (half.quality['area_white'] for half in halves.values())
    if max(left, right) > LARGEST_ASYMMETRY * min(left, right):
        notes.append(
            f'The hemispheres differ in area (left {left / 100:.0f} cm2, right '
            f'{right / 100:.0f} cm2): a lesion, surgery, or a failed segmentation. Numbers of the '
            'smaller are in doubt.'
        )
    write_remarks(table, notes=notes)
    return table


def _doubt(side: str, quality: Mapping[str, float]) -> list[str]:
    """Say what speaks against the meshes of a hemisphere."""
    notes = []
    if quality['euler_number'] != 2:
        notes.append(
            f'The {side} surfaces are no spheres: Euler number {quality["euler_number"]:.0f}.'
        )
    worst = max(value for name, value in quality.items() if name.startswith('intersecting'))
    if worst > LARGEST_INTERSECTION:
        notes.append(f'{100 * worst:.1f} % of the triangles of a {side} surface meet others.')
    if quality['voxels_corrected'] > MOST_CORRECTED:
        notes.append(
            f'{quality["voxels_corrected"]:.0f} voxels of the {side} hemisphere were changed to '
            'make its surface a sphere.'
        )
    for name, largest in LARGEST_OFF.items():
        if quality[name] > largest:
            surface = name.removeprefix('off_')
            notes.append(
                f'{100 * quality[name]:.0f} % of the vertices of the {side} {surface} surface are '
                'off their boundary.'
            )
    return notes


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


def _quality_columns() -> tuple[Column, ...]:
    told = (
        ('area_white', 'Area of the white surface without the medial wall', 'mm2', 'White area'),
        ('area_pial', 'Area of the pial surface without the medial wall', 'mm2', 'Pial area'),
        ('euler_number', 'Euler number of the meshes; 2 is a sphere', '1', 'Euler number'),
        ('components', 'Separate parts of the meshes', '1', 'Parts of the mesh'),
        (
            'voxels_corrected',
            'Voxels of 1 mm that were cut or filled to make the surface a sphere',
            '1',
            'Corrected voxels',
        ),
        (
            'intersecting_white',
            'Share of the triangles of the white surface that meet others of it',
            '1',
            'Intersecting, white',
        ),
        (
            'intersecting_pial',
            'Share of the triangles of the pial surface that meet others of it',
            '1',
            'Intersecting, pial',
        ),
        (
            'intersecting_white_pial',
            'Share of the triangles of the white surface that meet the pial surface',
            '1',
            'White meets pial',
        ),
        (
            'off_white',
            'Share of the vertices of the white surface that are off the boundary',
            '1',
            'Off the boundary, white',
        ),
        (
            'off_pial',
            'Share of the vertices of the pial surface that are off the boundary, as they are in '
            'buried sulci',
            '1',
            'Off the boundary, pial',
        ),
    )
    return tuple(
        Column(f'{name}_{side}', f'{text}, {word} hemisphere.', unit, f'{title}, {word}')
        for side, word in SIDES.items()
        for name, text, unit, title in told
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
            columns=_quality_columns(),
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
