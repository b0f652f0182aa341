"""Collections of images that are made up, as the files that measures of quantitative MRI read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import save

SHAPE = (12, 10, 8)
AFFINE = np.diag([2.0, 2, 2.5, 1])
#: A ball of 500 voxels or so within the volume.
MASK = (np.indices(SHAPE).T - (5.5, 4.5, 3.5)).T ** 2
MASK = MASK.sum(axis=0) < 19
COUNT = int(MASK.sum())
#: A voxel (of the mask) of which all images are 0.
DEAD = 7


class Files(NamedTuple):
    """What measures take first."""

    series: Path
    acquisition: Path
    mask: Path


def setting(**values: Any) -> dict[str, Any]:
    """Return what a plan writes of one volume."""
    keys = ('phase', 'imag', 'echo_time', 'repetition_time', 'preparation_time', 'inversion_time',
            'flip_angle', 'mt')  # fmt: skip
    return {'path': 'x.nii.gz', 'part': 'mag', 'group': 0, 'metadata': {}} | dict.fromkeys(
        keys
    ) | values  # fmt: skip


def acquisition(suffix: str, images: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Return what a plan writes of a collection."""
    return {
        'collection': suffix, 'images': [dict(image) for image in images], 'reference': 0,
        'transmit_field': None, 'field_reason': 'there is none', 'unit1': None, 'body_part': '',
        'notes': [], **more,
    }  # fmt: skip


def volume(values: Any) -> np.ndarray:
    """Return values of the voxels of the mask as a volume."""
    values = np.asarray(values, np.float32)
    filled = np.zeros((*SHAPE, *values.shape[1:]), np.float32)
    filled[MASK] = values
    return filled


def write(content: Mapping[str, Any], rows: Any) -> Files:
    """Write signals (voxels of the mask, images) and what goes with them."""
    rows = np.array(rows, np.float32)
    rows[DEAD] = 0
    path = Path.cwd() / 'acquisition.json'
    path.write_text(json.dumps(content))
    mask = save(MASK.astype(np.uint8), AFFINE, 'mask.nii.gz')
    return Files(save(volume(rows), AFFINE, 'series.nii.gz'), path, mask)


def write_field(field: Any) -> Path:
    """Write a transmit field over its nominal value."""
    return save(volume(np.broadcast_to(field, COUNT)), AFFINE, 'field.nii.gz')


def magnitudes(signals: Any, snr: float, seed: int = 0) -> np.ndarray:
    """Return Rician magnitudes of signals (voxels, images); the ratio is that of the largest."""
    signals = np.asarray(signals, float)
    rng, noise = np.random.default_rng(seed), np.abs(signals).max() / snr
    return np.hypot(
        signals + noise * rng.standard_normal(signals.shape),
        noise * rng.standard_normal(signals.shape),
    )


def tile(signals: Any) -> np.ndarray:
    """Return signals (images,) for every voxel of the mask."""
    return np.tile(np.asarray(signals, float), (COUNT, 1))


def inside(path: Path) -> np.ndarray:
    """Return the voxels of the mask of a map but for the dead one."""
    import nibabel as nb

    return np.delete(np.asarray(nb.load(path).dataobj)[MASK], DEAD)


def said(path: Path) -> dict[str, Any]:
    """Return the remarks beside a file."""
    found: dict[str, Any] = json.loads(remarks_file(path).read_text())
    return found
