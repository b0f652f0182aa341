"""Tractograms as TRX: a zip archive of plain arrays, which other programs read, too.

The format is that of https://tee-ar-ex.github.io/trx-python/trx_specifications.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from mriderived.core.streamlines import Streamlines

_PER_STREAMLINE = 'dps'


def save_trx(
    streamlines: Streamlines,
    affine: NDArray[np.float64],
    shape: tuple[int, ...],
    name: str,
    values: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    """Save streamlines under ``name`` in the current folder.

    ``affine`` and ``shape`` are those of the image; ``values`` hold a number per streamline.
    Points are stored as float16, which is 0.06 mm at the border of the brain; the same
    streamlines make the same file.
    """
    path = Path.cwd() / name
    header = {
        'DIMENSIONS': [int(size) for size in shape[:3]],
        'VOXEL_TO_RASMM': np.asarray(affine, np.float64).tolist(),
        'NB_VERTICES': len(streamlines.points),
        'NB_STREAMLINES': len(streamlines),
    }
    parts: dict[str, NDArray[Any]] = {
        'positions.3.float16': streamlines.points.astype('<f2'),
        'offsets.uint64': streamlines.offsets.astype('<u8'),
    }
    for key, column in (values or {}).items():
        parts[f'{_PER_STREAMLINE}/{key}.float32'] = np.asarray(column, '<f4')
    with ZipFile(path, 'w', ZIP_STORED) as archive:
        archive.writestr(ZipInfo('header.json'), json.dumps(header))
        for key, data in parts.items():
            # an entry without a time, so that nothing but the streamlines decides on the bytes
            with archive.open(ZipInfo(key), 'w', force_zip64=True) as entry:
                entry.write(np.ascontiguousarray(data).data.cast('B') if data.size else b'')
    return path


def load_trx(path: Path) -> tuple[Streamlines, dict[str, NDArray[np.float64]]]:
    """Load the streamlines of a file that we wrote, and its numbers per streamline."""
    with ZipFile(path) as archive:
        entries = {
            Path(name).name.partition('.')[0]: (name, archive.read(name))
            for name in archive.namelist()
        }
        names = archive.namelist()
    points = np.frombuffer(entries['positions'][1], '<f2').reshape(-1, 3)
    offsets = np.frombuffer(entries['offsets'][1], '<u8').astype(np.int64)
    values = {
        Path(name).name.partition('.')[0]: np.frombuffer(
            entries[Path(name).name.partition('.')[0]][1], '<f4'
        ).astype(np.float64)
        for name in names
        if name.startswith(f'{_PER_STREAMLINE}/')
    }
    return Streamlines(points.astype(np.float32), offsets), values
