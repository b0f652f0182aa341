"""Surfaces and values per vertex as GIFTI, with what Connectome Workbench wants to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nibabel.gifti import GiftiCoordSystem, GiftiDataArray, GiftiImage, GiftiMetaData
from numpy.typing import NDArray

#: What Workbench calls the hemispheres and the layers of the cortex.
STRUCTURES = {'L': 'CortexLeft', 'R': 'CortexRight'}
LAYERS = {'white': 'GrayWhite', 'midthickness': 'MidThickness', 'pial': 'Pial'}
SCANNER = nb.nifti1.xform_codes['NIFTI_XFORM_SCANNER_ANAT']


class Surface(NamedTuple):
    """A triangle mesh in scanner coordinates."""

    #: float64, shape (n, 3): mm, RAS.
    points: NDArray[np.float64]
    #: int32, shape (m, 3): counter-clockwise from outside.
    faces: NDArray[np.int32]


def save_surface(surface: Surface, side: str, layer: str, name: str) -> Path:
    """Save a mesh under ``name`` in the current folder."""
    meta = {
        'AnatomicalStructurePrimary': STRUCTURES[side],
        'AnatomicalStructureSecondary': LAYERS[layer],
        'GeometricType': 'Anatomical',
    }
    points = GiftiDataArray(
        np.asarray(surface.points, dtype=np.float32),
        intent='NIFTI_INTENT_POINTSET',
        datatype='NIFTI_TYPE_FLOAT32',
        coordsys=GiftiCoordSystem(SCANNER, SCANNER, np.eye(4)),
        meta=GiftiMetaData(meta),
    )
    triangles = GiftiDataArray(
        np.asarray(surface.faces, dtype=np.int32),
        intent='NIFTI_INTENT_TRIANGLE',
        datatype='NIFTI_TYPE_INT32',
        coordsys=None,
    )
    return _save([points, triangles], side, name)


def save_values(values: NDArray[Any], side: str, title: str, name: str) -> Path:
    """Save a value per vertex under ``name`` in the current folder."""
    array = GiftiDataArray(
        np.asarray(values, dtype=np.float32),
        intent='NIFTI_INTENT_SHAPE',
        datatype='NIFTI_TYPE_FLOAT32',
        meta=GiftiMetaData({'Name': title}),
        coordsys=None,
    )
    return _save([array], side, name)


def load_surface(path: Path) -> Surface:
    """Read a mesh."""
    points, faces = (array.data for array in nb.loadsave.load(path).darrays)
    return Surface(np.asarray(points, dtype=np.float64), np.asarray(faces, dtype=np.int32))


def load_values(path: Path) -> NDArray[np.float32]:
    """Read values per vertex."""
    return np.asarray(nb.loadsave.load(path).darrays[0].data, dtype=np.float32)


def _save(arrays: list[Any], side: str, name: str) -> Path:
    meta = GiftiMetaData({'AnatomicalStructurePrimary': STRUCTURES[side]})
    path = Path.cwd() / name
    GiftiImage(darrays=arrays, meta=meta).to_filename(path)
    return path
