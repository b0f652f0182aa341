"""Tables and signals of known tensors for the tests of diffusion models."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.core.gradient_table import Gradients, make_gradients, world_from_fsl


def spiral(count: int) -> np.ndarray:
    """Return unit vectors spread over a half sphere."""
    z = 1 - (np.arange(count) + 0.5) / count
    angle = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])


def table(shells: dict[float, int], b0: int = 4) -> Gradients:
    """Return a table of unweighted volumes and shells of so many directions."""
    b = np.concatenate([np.zeros(b0), *(np.full(count, b) for b, count in shells.items())])
    parts = [np.zeros((b0, 3)), *(spiral(count) for count in shells.values())]
    return make_gradients(b, np.concatenate(parts))


def rotations(count: int, seed: int = 0) -> np.ndarray:
    """Return random rotations (count, 3, 3)."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(count, 3, 3)))[0]
    return q * np.linalg.det(q)[:, None, None]


def tensors(eigenvalues: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Return tensors (N, 6) of eigenvalues (N, 3) or (3,), turned."""
    values = np.broadcast_to(eigenvalues, (len(turns), 3))
    full = np.einsum('nik,nk,njk->nij', turns, values, turns)
    return full[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]


def add_noise(signals: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """Return magnitudes with Rician noise."""
    rng = np.random.default_rng(seed)
    real = signals + rng.normal(scale=sigma, size=signals.shape)
    return np.hypot(real, rng.normal(scale=sigma, size=signals.shape))


def dipy_table(gradients: Gradients):
    from dipy.core.gradients import gradient_table

    return gradient_table(gradients.b, bvecs=gradients.directions)


def load_slice(test_data: Path) -> tuple[np.ndarray, Gradients, Path, np.ndarray]:
    """Return signals (N, n) of a real slice, its table, its folder and its mask, or skip."""
    folder = test_data / 'noddi-example/nifti'
    if not folder.exists():
        pytest.skip('noddi-example is not among the real scans')
    image = nb.load(folder / 'dwi.nii.gz')
    bvec = np.loadtxt(folder / 'dwi.bvec').T
    gradients = make_gradients(np.loadtxt(folder / 'dwi.bval'), world_from_fsl(bvec, image.affine))
    mask = np.asarray(nb.load(folder / 'mask.nii.gz').dataobj) > 0
    return np.asarray(image.dataobj, np.float32)[mask], gradients, folder, mask
