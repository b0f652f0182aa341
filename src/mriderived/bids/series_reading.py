"""Read a series of volumes one by one, so that it is never in memory as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.nifti_reading import (
    REPLACE,
    BadImageError,
    data_type,
    open_file,
    parse_header,
    read_to_end,
    reading,
    repair,
    require_content,
    skip_to_data,
    stored_shape,
)


class SeriesHeader(NamedTuple):
    """A header as it is stored, the same repaired, and the size in four dimensions."""

    header: nib.Nifti1Header
    repaired: nib.Nifti1Header
    shape: tuple[int, int, int, int]


def read_series_header(path: Path, least: int = 8) -> SeriesHeader:
    """Read the header of an image of three or four dimensions, ``least`` voxels along each."""
    require_content(path)
    with reading(path), open_file(path) as stream:
        header = parse_header(path, stream)
    data_type(path, header)
    shape = stored_shape(path, header, least)
    if any(size > 1 for size in shape[4:]):
        raise BadImageError(
            path,
            f'a series has four dimensions, this one has {" x ".join(map(str, shape))}',
            'Save each part (such as each echo) as a series of its own.',
        )
    volumes = shape[3] if len(shape) > 3 else 1
    return SeriesHeader(header, repair(path, header), (shape[0], shape[1], shape[2], volumes))


def iterate_volumes(path: Path, least: int = 8) -> Iterator[NDArray[np.float32]]:
    """Give one scaled volume after the other, as stored; raise if the file ends before.

    After the last volume the rest of the file is read, because its end holds the checksum.
    """
    series = read_series_header(path, least)
    dtype, total = data_type(path, series.header), series.shape[3]
    size = math.prod(series.shape[:3]) * dtype.itemsize
    with reading(path), open_file(path) as stream:
        skip_to_data(stream, parse_header(path, stream))
        for number in range(1, total + 1):
            with reading(path, f' in volume {number} of {total}'):
                payload = stream.read(size)
            if len(payload) < size:
                raise BadImageError(
                    path, f'the file ends in volume {number} of {total} (truncated)', REPLACE
                )
            stored = np.frombuffer(payload, dtype).reshape(series.shape[:3], order='F')
            yield _scale(stored, series.repaired)
        read_to_end(stream)


def _scale(stored: NDArray[Any], header: nib.Nifti1Header) -> NDArray[np.float32]:
    slope, intercept = header.get_slope_inter()
    if slope is None or (slope, intercept) == (1.0, 0.0):
        return stored.astype(np.float32)
    scaled: NDArray[np.float64] = stored * np.float64(slope) + intercept
    return scaled.astype(np.float32)
