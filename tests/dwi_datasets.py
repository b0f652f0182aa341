"""Diffusion series of a bright ball: as small as can be, with tables and sidecars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

SHAPE = (12, 12, 8)
AFFINE = np.diag([-8.0, 8, 8, 1])
#: Unit vectors that determine a tensor, spread over half a sphere.
READOUT = {'TotalReadoutTime': 0.05, 'RepetitionTime': 4.0}


def spread(count: int) -> NDArray[np.float64]:
    """Return unit vectors spread over the sphere."""
    index = np.arange(count) + 0.5
    height, angle = 1 - index / count, np.pi * (1 + 5**0.5) * index
    flat = np.sqrt(1 - height**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), height], axis=1)


def table(shells: dict[float, int], b0s: int = 1) -> tuple[list[float], NDArray[np.float64]]:
    """Return b-values and directions: those without weighting first."""
    b = [0.0] * b0s + [value for value, count in shells.items() for _ in range(count)]
    directions = [np.zeros((b0s, 3)), *(spread(count) for count in shells.values())]
    return b, np.concatenate(directions)


def write_dwi(
    path: Path,
    shells: dict[float, int],
    direction: str = 'j-',
    b0s: int = 1,
    affine: NDArray[np.float64] = AFFINE,
    shape: Sequence[int] = SHAPE,
    **metadata: Any,
) -> Path:
    """Write a series with its table and sidecar; return the image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    b, directions = table(shells, b0s)
    away = np.sqrt(sum(((np.indices(shape)[k] - shape[k] / 2) / shape[k]) ** 2 for k in range(3)))
    # no two images have the same noise
    rng = np.random.default_rng(crc32(path.name.encode()))
    ball = np.where(away < 0.35, 900.0, 5.0)[..., None] * np.exp(-0.8e-3 * np.array(b))
    series = np.abs(ball + rng.normal(0, 3, ball.shape)).astype(np.float32)
    nb.Nifti1Image(series, affine).to_filename(path)
    stem = path.name.partition('.')[0]
    np.savetxt(path.with_name(f'{stem}.bval'), np.array(b)[None], fmt='%g')
    np.savetxt(path.with_name(f'{stem}.bvec'), directions.T, fmt='%.6f')
    content = {**READOUT, 'PhaseEncodingDirection': direction, **metadata}
    path.with_name(f'{stem}.json').write_text(json.dumps(content))
    return path


def write_root(folder: Path) -> Path:
    """Write what makes a folder a dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'dataset_description.json').write_text(
        json.dumps({'Name': 'dwi', 'BIDSVersion': '1.10.0', 'DatasetType': 'raw'})
    )
    (folder / 'README').write_text('A dataset without information, for tests only.')
    return folder
