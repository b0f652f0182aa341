"""A BOLD run of 60 small volumes with known motion, tissues and acquisition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.interfaces.rigid_files import save_rigid

Array = NDArray[Any]
SHAPE, VOLUMES, TR = (20, 20, 14), 60, 2.0
SIZE = np.array([8.0, 9.0, 8.0])
AFFINE = np.diag([*SIZE, 1.0])
AFFINE[:3, 3] = -SIZE * (np.array(SHAPE) - 1) / 2
#: Volumes from this one on are moved by so much along y, in mm.
JUMP, JUMP_MM = 30, 1.5


class T1w(NamedTuple):
    """Files of the T1w image, on a grid twice as fine."""

    brain_mask: Path
    gm_probseg: Path
    wm_probseg: Path
    csf_probseg: Path
    xfm_bold_to_t1w: Path


def places(shape: tuple[int, ...], affine: Array) -> Array:
    """Return the mm of each voxel, shape (3, x, y, z)."""
    voxels = np.indices(shape).reshape(3, -1)
    return np.asarray((affine[:3, :3] @ voxels + affine[:3, 3:]).reshape(3, *shape))


def radius(mm: Array) -> Array:
    """Return the distance from the middle: 1 at the border of the brain."""
    half = np.array([58.0, 68.0, 44.0]).reshape(3, 1, 1, 1)
    return np.asarray(np.sqrt(np.square(mm / half).sum(axis=0)))


def draw_volume(shift: float) -> Array:
    """Draw a head with some structure, its middle moved by ``shift`` mm along y."""
    mm = places(SHAPE, AFFINE) - np.array([0, shift, 0]).reshape(3, 1, 1, 1)
    x, y, z = mm
    texture = 120 * (np.cos(x / 13 + 1) + np.sin(y / 15) + np.cos((x + z) / 14))
    return (900 + texture) / (1 + np.exp((radius(mm) - 1) * 14))


def write_run(folder: Path, unsteady: int = 0) -> Path:
    """Write the run: noise everywhere, slow waves in the brain, a jump, bright first volumes."""
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 6, SHAPE)
    still, moved = draw_volume(0), draw_volume(JUMP_MM)
    series = np.empty((*SHAPE, VOLUMES), np.float32)
    for t in range(VOLUMES):
        wave = 1 + 0.01 * np.sin(2 * np.pi * 0.04 * TR * t + phase)
        volume = (moved if t >= JUMP else still) * wave
        volume *= 1.5 if t < unsteady else 1
        series[..., t] = np.abs(volume + rng.normal(0, 5, SHAPE))
    image = nb.Nifti1Image(series, AFFINE)
    image.header.set_zooms((*SIZE, TR))
    path = folder / 'sub-01_task-rest_bold.nii.gz'
    image.to_filename(path)
    return path


def write_acquisition(folder: Path, run: Path, **changes: Any) -> Path:
    """Write what goes with the run, as the plan does."""
    content = {
        'repetition_time': TR,
        'slice_times': None,
        'slice_axis': 2,
        'phase_direction': 'j-',
        'task': 'rest',
        'echoes': [{'path': str(run), 'echo_time': 0.03}],
        'events': None,
        'field_map': None,
        'notes': ['No distortion correction: there are no field maps.'],
    }
    path = folder / 'acquisition.json'
    path.write_text(json.dumps(content | changes))
    return path


def write_t1w(folder: Path) -> T1w:
    """Write masks and tissues: CSF in the middle, then white matter, then grey matter."""
    shape = tuple(2 * n for n in SHAPE)
    affine = np.diag([*SIZE / 2, 1.0])
    affine[:3, 3] = -SIZE / 2 * (np.array(shape) - 1) / 2
    away = radius(places(shape, affine))
    parts = {
        'mask': away < 1,
        'csf': away < 0.42,
        'wm': (away >= 0.42) & (away < 0.75),
        'gm': (away >= 0.75) & (away < 1),
    }
    for name, part in parts.items():
        nb.Nifti1Image(part.astype(np.float32), affine).to_filename(folder / f't1w_{name}.nii.gz')
    files = (folder / f't1w_{name}.nii.gz' for name in ('mask', 'gm', 'wm', 'csf'))
    return T1w(*files, save_rigid(np.eye(4), 'bold_to_t1w.h5'))
