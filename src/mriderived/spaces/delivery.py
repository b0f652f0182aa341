"""Deliver an atlas the way that the workflows use it: one image, RAS, in its space."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.spaces.bundled import ATLASES
from mriderived.spaces.labels import read_table
from mriderived.spaces.model import DEFAULT_SPACE, Atlas
from mriderived.spaces.transform import WARP_FILE, deliver_labels, sample_labels

#: Label of voxels that belong to a structure which the atlas does not have.
CONTEXT = -1
#: Change it when what is delivered changes.
VERSION = 1

Labels = NDArray[np.int32]
Matrix = NDArray[np.float64]


def prepare_atlas(atlas: Atlas, folder: Path) -> Path:
    """Return the label image of ``atlas`` in ``atlas.space``, made in ``folder`` if need be.

    Labels that the table does not name are left out. In the default space, voxels outside the
    regions of an atlas of the cortex which belong to a deep structure, the cerebellum, the brain
    stem or a ventricle are ``CONTEXT``, so that cortex is never grown over them.
    """
    target = folder / f'{atlas.name}-{_fingerprint(atlas)}.nii.gz'.replace(':', '-')
    if target.exists():
        return target
    whole, affine = _load(atlas)
    table = read_table(atlas.table)
    labels = np.where(np.isin(whole, table['index']), whole, 0).astype(np.int32)
    if atlas.space == DEFAULT_SPACE and (table['tissue'] == 'cortex').any():
        is_context = _is_context(atlas, whole, affine)
        labels = np.where((labels == 0) & is_context, CONTEXT, labels)
    _save(labels, affine, target)
    return target


def _fingerprint(atlas: Atlas) -> str:
    digest = hashlib.sha256(f'{VERSION} {atlas.space} {atlas.source_space}'.encode())
    for path in (atlas.image, atlas.table, WARP_FILE):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _load(atlas: Atlas) -> tuple[Labels, Matrix]:
    labels, affine = read_labels(atlas.image)
    if atlas.source_space != atlas.space:
        return deliver_labels(labels, affine)
    return labels, affine


def read_labels(path: Path) -> tuple[Labels, Matrix]:
    """Read a three-dimensional label image with its axes in RAS order."""
    image: Any = nb.as_closest_canonical(nb.loadsave.load(path))
    labels = np.rint(np.asarray(image.dataobj)).astype(np.int32)
    if labels.size != np.prod(labels.shape[:3]):
        raise ValueError(f'{path} is not a label image: it has {labels.shape[3]} volumes')
    return labels.reshape(labels.shape[:3]), np.asarray(image.affine, dtype=np.float64)


def _is_context(atlas: Atlas, whole: Labels, affine: Matrix) -> NDArray[np.bool_]:
    """Tell which voxels of an atlas, all of whose labels are given, are of deep structures."""
    row = next(row for row in ATLASES if row.name == 'DesikanKilliany')
    source = row.to_atlas()
    labels, grid = (whole, affine) if source.image == atlas.image else _load(source)
    table = read_table(row.table)
    deep = table['tissue'].isin(['subcortex', 'cerebellum', 'brainstem', 'csf'])
    is_deep: NDArray[np.bool_] = np.isin(labels, table['index'][deep])
    if labels.shape == whole.shape and np.allclose(grid, affine, atol=1e-9):
        return is_deep
    points = affine[:3, :3] @ np.indices(whole.shape).reshape(3, -1) + affine[:3, 3:]
    found = sample_labels(is_deep.astype(np.int32), np.linalg.inv(grid), points) > 0
    return found.reshape(whole.shape)


def _save(labels: Labels, affine: Matrix, target: Path) -> None:
    """Write the image whole or not at all: several processes may want it at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    image: Any = nb.Nifti1Image(labels.astype(np.int32), affine)
    image.set_sform(affine, code=4)
    image.set_qform(affine, code=4)
    partial = target.with_name(f'.{uuid4().hex}.{target.name}')
    image.to_filename(partial)
    partial.replace(target)
