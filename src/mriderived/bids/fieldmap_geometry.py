"""Whether the images of a field map lie on one grid, and where the run is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.nifti_reading import BadImageError
from mriderived.bids.orientation import compare_affines, find_geometry
from mriderived.bids.series_reading import SeriesHeader, read_series_header

Affine = NDArray[np.float64]

#: Images of one field map may differ by so much.
MAX_DEGREES, MAX_MM = 0.5, 0.5
#: Share of the run's field of view that the field map must cover, and should.
LEAST_COVER, USUAL_COVER = 0.5, 0.9


def check_field_map_geometry(files: Mapping[str, Path], run: Path) -> tuple[str, ...]:
    """Return notes on the geometry of a field map; raise if it is not one of this run.

    Parameters
    ----------
    files : mapping of role to path
        Those of a ``FieldMap``. EPI may differ in grid, others not.
    run : Path

    Raises
    ------
    BadImageError
        Naming the image and what to do.
    """
    grids = {role: (path, *_grid(path)) for role, path in files.items()}
    echoes = {role: grid for role, grid in grids.items() if not role.startswith('epi')}
    for path, series, _ in echoes.values():
        if series.shape[3] > 1:
            raise BadImageError(
                path,
                f'a field map has three dimensions, this one has {series.shape[3]} volumes',
                'Save each echo as an image of its own (phase1, phase2, …).',
            )
    for one, other in zip(list(echoes)[:-1], list(echoes)[1:], strict=True):
        _require_same_grid(echoes[one], echoes[other])
    _, series, affine = _path_and_grid(run)
    return tuple(
        note for grid in grids.values() for note in _cover(grid, series.shape[:3], affine, run)
    )


def _grid(path: Path) -> tuple[SeriesHeader, Affine]:
    series = read_series_header(path)
    geometry = find_geometry(path, series.header, series.repaired, series.shape[:3])
    return series, geometry.affine


def _path_and_grid(path: Path) -> tuple[Path, SeriesHeader, Affine]:
    return (path, *_grid(path))


def _require_same_grid(
    one: tuple[Path, SeriesHeader, Affine], other: tuple[Path, SeriesHeader, Affine]
) -> None:
    shape, others = one[1].shape[:3], other[1].shape[:3]
    if shape != others:
        raise BadImageError(
            other[0],
            f'its matrix {" x ".join(map(str, others))} is not that of {one[0].name} '
            f'({" x ".join(map(str, shape))})',
            'Phase and magnitude must be of one scan; look for a mixed-up pair.',
        )
    degrees, shift = compare_affines(one[2], other[2], shape)
    if degrees > MAX_DEGREES or shift > MAX_MM:
        raise BadImageError(
            other[0],
            f'it lies {degrees:.1f} degrees and {shift:.1f} mm off {one[0].name}',
            'Phase and magnitude must be of one scan; look for a mixed-up pair.',
        )


def _cover(
    grid: tuple[Path, SeriesHeader, Affine], shape: tuple[int, ...], affine: Affine, run: Path
) -> Iterator[str]:
    path, series, own = grid
    if path == run:
        return
    steps = [np.linspace(0, size - 1, 12) for size in shape]
    points = np.stack([*(a.ravel() for a in np.meshgrid(*steps, indexing='ij')), np.ones(12**3)])
    voxels = (np.linalg.inv(own) @ affine @ points)[:3]
    limits = np.array(series.shape[:3])[:, None] - 0.5
    share = float(np.mean(((voxels >= -0.5) & (voxels <= limits)).all(axis=0)))
    if share < LEAST_COVER:
        raise BadImageError(
            path,
            f'it covers {share:.0%} of the field of view of {run.name}',
            'It was taken of another place or its header is wrong; correct IntendedFor or the '
            'header.',
        )
    if share < USUAL_COVER:
        yield (
            f'{path.name} covers {share:.0%} of the field of view of {run.name}; beyond, the '
            'field is continued.'
        )
