"""Cortical thickness on fsaverage5, for pictures and statistics over a group."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.surface_mesh import vertex_normals
from mriderived.core.surface_transfer import match_vertices
from mriderived.figures.inflated import Painted, paint_inflated
from mriderived.interfaces.gifti import load_surface, load_values, save_values
from mriderived.interfaces.itk import FLIP
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.spaces.fsaverage import Side, load_fsaverage

NEEDS = (
    'xfm_to_space',
    'midthickness_left',
    'thickness_vertices_left',
    'midthickness_right',
    'thickness_vertices_right',
)
#: A vertex of the template with no vertex of the participant within this distance has no value.
FURTHEST_MM = 8.0
#: What the colours of the figure span, in mm.
SHOWN = (1.0, 4.5)
#: More of the cortex than this without a value should not go unsaid.
MUCH = 0.02


class FsaverageFiles(NamedTuple):
    """The files that :func:`transfer_thickness` writes."""

    fsaverage_thickness_left: Path
    fsaverage_thickness_right: Path


def transfer_thickness(
    xfm_to_space: Path,
    midthickness_left: Path,
    thickness_vertices_left: Path,
    midthickness_right: Path,
    thickness_vertices_right: Path,
) -> FsaverageFiles:
    """Look up for every vertex of fsaverage5 the thickness of the vertex that corresponds."""
    left = _transfer('L', xfm_to_space, midthickness_left, thickness_vertices_left)
    right = _transfer('R', xfm_to_space, midthickness_right, thickness_vertices_right)
    return FsaverageFiles(left, right)


def _transfer(side: Side, xfm: Path, midthickness: Path, thickness: Path) -> Path:
    template = load_fsaverage(side)
    points = map_to_image(template.midthickness, xfm)
    normals = vertex_normals(points, template.triangles)
    mesh, values = load_surface(midthickness), load_values(thickness)
    cortex = values > 0
    index, distance = match_vertices(
        points, normals, mesh.points[cortex], vertex_normals(mesh.points, mesh.faces)[cortex]
    )
    known = template.is_cortex & (distance <= FURTHEST_MM)
    found = np.where(known, values[cortex][index], 0)
    out_file = save_values(found, side, 'Cortical thickness', f'thickness_{side}.shape.gii')
    lost = 1 - known.sum() / template.is_cortex.sum()
    if lost > MUCH:
        note = f'{100 * lost:.0f} % of the cortex of fsaverage5 has no counterpart ({side}).'
        write_remarks(out_file, notes=[note])
    return out_file


def map_to_image(points: NDArray[np.float64], xfm_to_space: Path) -> NDArray[np.float64]:
    """Map points (n, 3; mm) of the space to the image.

    The transform that resamples the image in the space maps points just so.
    """
    import ants

    table = pd.DataFrame(points @ FLIP[:3, :3], columns=['x', 'y', 'z'])
    moved = ants.apply_transforms_to_points(3, table, [str(xfm_to_space)])
    return np.asarray(moved[['x', 'y', 'z']].to_numpy() @ FLIP[:3, :3], dtype=np.float64)


def draw_fsaverage(fsaverage_thickness_left: Path, fsaverage_thickness_right: Path) -> list[Any]:
    """Paint thickness on the inflated template."""
    painted: dict[str, Painted] = {}
    sides: tuple[tuple[Side, Path], ...] = (
        ('L', fsaverage_thickness_left),
        ('R', fsaverage_thickness_right),
    )
    for side, path in sides:
        mesh = load_fsaverage(side)
        values = load_values(path).astype(np.float64)
        values[values == 0] = np.nan
        painted[side] = Painted(mesh.inflated, mesh.triangles, mesh.sulcal_depth, values)
    return [paint_inflated(painted, label='cortical thickness (mm)', limits=SHOWN)]


def init_fsaverage_thickness_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(transfer_thickness, NEEDS, node_name='transfer')


def _output(side: str, name: str) -> Output:
    return Output(
        field=f'fsaverage_thickness_{name}',
        datatype='anat',
        suffix='thickness',
        extension='.shape.gii',
        entities={'hemi': side, 'space': 'fsaverage', 'den': '10k'},
        description=f'Cortical thickness at the vertices of fsaverage5, {name} hemisphere; 0 '
        'where there is none.',
        unit='mm',
        sidecar={'Density': {'10k': '10,242 vertices in each hemisphere (fsaverage5)'}},
        draft='BEP011',
    )


FSAVERAGE_THICKNESS = Measure(
    name='fsaverage_thickness',
    title='Thickness on fsaverage5',
    needs=NEEDS,
    outputs=(_output('L', 'left'), _output('R', 'right')),
    init_wf=init_fsaverage_thickness_wf,
    reference='https://doi.org/10.1002/hbm.24213',
    methods=(
        'For figures and group maps, the vertices of fsaverage5 were brought to the image '
        'through MNI152 and the inverse of its nonlinear registration (in the manner of Wu et al. '
        '2018, doi:10.1002/hbm.24213) and took the thickness of the nearest vertex that faces '
        'the same way.'
    ),
    figures=(
        Figure(
            name='fsaverage',
            draw=draw_fsaverage,
            needs=('fsaverage_thickness_left', 'fsaverage_thickness_right'),
            title='Cortical thickness on fsaverage5',
            caption='Thickness on the inflated template. Primary sensory and visual cortex are '
            'thin, insula and temporal pole are thick; patches or one side that differs tell of '
            'a fault.',
        ),
    ),
    minutes=0.1,
)
