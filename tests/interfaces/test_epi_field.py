"""A field map that is noise displaces nothing, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.epi_field import make_field

SHAPE = (32, 36, 24)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = -4 * (np.array(SHAPE) - 1) / 2


def draw_head() -> np.ndarray:
    x, y, z = np.moveaxis(np.indices(SHAPE), 0, 0) * 4.0 + AFFINE[:3, 3].reshape(3, 1, 1, 1)
    inside = (x / 48) ** 2 + (y / 58) ** 2 + (z / 38) ** 2 < 1
    texture = 600 + 150 * np.cos(x / 14) * np.sin(y / 17)
    return np.where(inside, texture, 5).astype(np.float32)


def write_field_map(folder: Path, noise: float) -> dict[str, Any]:
    """Write a magnitude and a phase difference, of which a share of the voxels is noise."""
    rng = np.random.default_rng(0)
    y = np.linspace(-1, 1, SHAPE[1])[:, None]
    phase = np.broadcast_to(1.2 * y, SHAPE).copy()
    noisy = rng.random(SHAPE) < noise
    phase[noisy] = rng.uniform(-np.pi, np.pi, int(noisy.sum()))
    files = {'magnitude': draw_head(), 'phasediff': phase.astype(np.float32)}
    # the range tells the coding
    files['phasediff'][0, 0, :2] = (-3.14, 3.14)
    for role, data in files.items():
        nb.save(nb.Nifti1Image(data, AFFINE), folder / f'{role}.nii.gz')
    return {
        'kind': 'phasediff',
        'files': {role: str(folder / f'{role}.nii.gz') for role in files},
        'echo_times': [0.004, 0.0065],
        'run': {'direction': 'j', 'readout_time': 0.04},
        'units': None,
    }


@pytest.mark.parametrize('noise', [0.5, 1.0])
def test_noise_is_refused_with_a_note(tmp_path: Path, noise: float) -> None:
    found = make_field((), write_field_map(tmp_path, noise), draw_head(), AFFINE, 1)
    assert found.method == 'none'
    assert not found.hz.any()
    (note,) = found.notes
    assert note.startswith('No distortion correction: the phase in phasediff.nii.gz is mostly')


def test_a_sound_field_is_taken(tmp_path: Path) -> None:
    found = make_field((), write_field_map(tmp_path, 0.01), draw_head(), AFFINE, 1)
    assert found.method == 'field map (phasediff)'
    inside = draw_head() > 100
    slope = 1.2 / (2 * np.pi * 0.0025)
    expected = np.broadcast_to(slope * np.linspace(-1, 1, SHAPE[1])[:, None], SHAPE)
    away = (found.hz - expected)[inside]
    assert np.std(away) < 3
