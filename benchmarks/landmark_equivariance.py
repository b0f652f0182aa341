"""Move and mirror a processed head, register it again, and see whether its landmarks move along.

    python benchmarks/landmark_equivariance.py OUT/sub-01/anat/sub-01 [--threads 2] [--moves 4]

The argument is an output folder of a participant and the beginning of its file names. Brain, mask
and tissues are resampled on a grid that is turned by up to 15 degrees and shifted by up to 15 mm
(splines for the image), every second one mirrored; registration and landmarks are those of the
app. Prints how far landmarks and the midsagittal plane are from where the unmoved head has them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.masks import find_box
from mriderived.core.rigid import rigid_matrix
from mriderived.core.sampling import resample
from mriderived.core.splines import resample_spline
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.landmarks import REFINED, find_landmarks
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.workflows.anat_registration import register_to_space

Matrix = NDArray[np.float64]
MIRROR = np.diag([-1.0, 1, 1, 1])
MARGIN = 12


class Head(NamedTuple):
    """Arrays on one grid by name (t1w, brain_mask, gm_probseg, wm_probseg), and its affine."""

    arrays: dict[str, NDArray[np.float32]]
    affine: Matrix


class Found(NamedTuple):
    """Landmarks by name, shape (3,), and the plane as normal and point, all in mm."""

    points: dict[str, NDArray[np.float64]]
    normal: NDArray[np.float64]
    point: NDArray[np.float64]


def read_head(prefix: str) -> Head:
    """Read the brain and its surroundings of a processed head."""
    names = {'t1w': 'desc-preproc_T1w', 'brain_mask': 'desc-brain_mask',
             'gm_probseg': 'label-GM_probseg', 'wm_probseg': 'label-WM_probseg'}  # fmt: skip
    paths = {name: Path(f'{prefix}_{end}.nii.gz') for name, end in names.items()}
    affine = load_affine(paths['t1w'])
    mask = load(paths['brain_mask'])
    box = find_box(mask > 0, (MARGIN,) * 3)
    arrays = {name: np.ascontiguousarray(load(path)[box]) for name, path in paths.items()}
    arrays['t1w'] = np.where(arrays['brain_mask'] > 0, arrays['t1w'], 0).astype(np.float32)
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return Head(arrays, shifted)


def move_head(head: Head, matrix: Matrix) -> Head:
    """Return the head at another place, on voxels along the axes of the scanner."""
    size = np.sqrt((head.affine[:3, :3] ** 2).sum(axis=0))
    shape = head.arrays['t1w'].shape
    ends = np.array(np.meshgrid(*((0, n - 1) for n in shape))).reshape(3, -1)
    corners = (matrix @ head.affine)[:3] @ np.vstack([ends, np.ones(ends.shape[1])])
    low, high = corners.min(axis=1), corners.max(axis=1)
    grid = np.diag([*size, 1.0])
    grid[:3, 3] = low + 0.37  # no voxel lies where one was
    x, y, z = (int(n) for n in np.ceil((high - low) / size))
    back = np.linalg.inv(head.affine) @ np.linalg.inv(matrix) @ grid
    moved = {
        name: resample(values, back, (x, y, z), 1)
        for name, values in head.arrays.items()
        if name != 't1w'
    }
    moved['brain_mask'] = (moved['brain_mask'] > 0.5).astype(np.float32)
    image = resample_spline(head.arrays['t1w'], back, (x, y, z))
    moved['t1w'] = np.where(moved['brain_mask'] > 0, image, 0).astype(np.float32)
    return Head(moved, grid)


def measure(head: Head, folder: Path, threads: int, *, sloppy: bool = False) -> Found:
    """Register a head and find its landmarks, as the app does."""
    folder.mkdir()
    os.chdir(folder)
    files = {name: save(values, head.affine, f'{name}.nii.gz')
             for name, values in head.arrays.items()}  # fmt: skip
    space = get_space(DEFAULT_SPACE)
    registered = register_to_space(
        **files, space_brain=space.brain, space_tissues=space.tissues, threads=threads,
        sloppy=sloppy,
    )  # fmt: skip
    found = find_landmarks(files['t1w'], files['brain_mask'], registered.xfm_to_space, space.brain)
    table = pd.read_csv(found.afids_table, sep='\t', na_values='n/a')
    points = dict(zip(table['name'], table[['x', 'y', 'z']].to_numpy(float), strict=True))
    plane = json.loads(remarks_file(found.landmark_distances).read_text())['MidsagittalPlane']
    return Found(points, np.array(plane['Normal']), np.array(plane['Point']))


def draw_move(rng: np.random.Generator, *, flip: bool) -> Matrix:
    """Return a turn by up to 15 degrees and a shift by up to 15 mm, and a mirror before it."""
    parameters = np.concatenate([rng.uniform(-15, 15, 3), rng.uniform(-0.26, 0.26, 3)])
    matrix = rigid_matrix(parameters, np.zeros(3))
    return matrix @ MIRROR if flip else matrix


def compare(still: Found, moved: Found, matrix: Matrix) -> dict[str, float]:
    """Return distances in mm: of landmarks, and of the planes at both commissures."""

    def carry(point: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(matrix[:3, :3] @ point + matrix[:3, 3])

    away = {name: float(np.linalg.norm(moved.points[name] - carry(point)))
            for name, point in still.points.items()}  # fmt: skip
    normal = matrix[:3, :3] @ still.normal
    normal = normal * np.sign(normal @ moved.normal)
    offset = [abs(float((carry(still.points[name]) - moved.point) @ moved.normal
                        - (carry(still.points[name]) - carry(still.point)) @ normal))
              for name in ('AC', 'PC')]  # fmt: skip
    sided = {'AC', 'PC', 'IMS', 'PG', 'SPLE'}  # mirrored, left and right ones change names
    middle = [away[name] for name in REFINED & sided]
    return {'AC': away['AC'], 'PC': away['PC'], 'middle refined': float(np.mean(middle)),
            'plane': max(offset),
            'degrees': float(np.degrees(np.arccos(min(1, normal @ moved.normal))))}  # fmt: skip


def main() -> None:
    """Move, register, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('prefix')
    parser.add_argument('--moves', type=int, default=4)
    parser.add_argument('--threads', type=int, default=2)
    given = parser.parse_args()
    head = read_head(str(Path(given.prefix).absolute()))
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        # the unmoved head is resampled too: what is compared has been blurred alike
        still = measure(move_head(head, np.eye(4)), Path(folder) / 'still', given.threads)
        rows = []
        for number in range(given.moves):
            start = time.perf_counter()
            matrix = draw_move(rng, flip=number % 2 == 1)
            place = Path(folder) / f'move{number}'
            row = compare(still, measure(move_head(head, matrix), place, given.threads), matrix)
            kind = 'mirrored' if number % 2 else 'moved'
            rows.append({'move': kind, **row, 'seconds': time.perf_counter() - start})
            print(pd.DataFrame(rows[-1:]).round(3).to_string(header=number == 0), flush=True)
        os.chdir('/')
    print(pd.DataFrame(rows).groupby('move').max().round(3).to_string())


if __name__ == '__main__':
    main()
