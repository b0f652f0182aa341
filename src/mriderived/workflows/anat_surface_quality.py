"""How good the meshes of both hemispheres are: the table, and what its numbers make doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mriderived.core.surface_layers import SurfaceQuality
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Column

SIDES = {'L': 'left', 'R': 'right'}
#: Beyond these a mesh needs a look: the share of triangles that meet others, the share of
#: vertices off their boundary (the pial surface stops before it meets itself in buried sulci),
#: voxels of 1 mm that were cut or filled, and the ratio of the areas of both hemispheres.
LARGEST_INTERSECTION = 0.01
LARGEST_OFF = {'off_white': 0.05, 'off_pial': 0.35}
MOST_CORRECTED = 3000
LARGEST_ASYMMETRY = 1.1


def describe_mesh(
    quality: SurfaceQuality, area_white: float, area_pial: float
) -> dict[str, float]:
    """Return the numbers of one hemisphere; areas in mm2, without the medial wall."""
    return {
        'area_white': area_white,
        'area_pial': area_pial,
        'euler_number': quality.euler_number,
        'components': quality.components,
        'voxels_corrected': quality.voxels_cut + quality.voxels_filled,
        'intersecting_white': quality.intersecting_white,
        'intersecting_pial': quality.intersecting_pial,
        'intersecting_white_pial': quality.intersecting_white_pial,
        'off_white': quality.off_white,
        'off_pial': quality.off_pial,
    }


def write_quality(halves: Mapping[str, Mapping[str, float]]) -> Path:
    """Write the table of one row, with notes on what speaks against the meshes."""
    row = {
        f'{name}_{side}': value for side, half in halves.items() for name, value in half.items()
    }
    table = Path.cwd() / 'surfaces.tsv'
    pd.DataFrame([row]).to_csv(table, sep='\t', index=False, float_format='%.7g')
    notes = [note for side, half in halves.items() for note in _doubt(SIDES[side], half)]
    left, right = (half['area_white'] for half in halves.values())
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


def quality_columns() -> tuple[Column, ...]:
    """Declare the columns of the table."""
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
