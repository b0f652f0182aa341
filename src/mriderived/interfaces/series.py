"""Read and write series volume by volume, so that none is ever in memory as a whole."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Noise hardly shrinks, whatever the effort.
COMPRESSION = 1


@contextmanager
def open_series(path: Path) -> Iterator[Any]:
    """Open a four-dimensional image so that single volumes are read in any order at once.

    A compressed one is unpacked for as long as it is open: the scaled values of volume ``t``
    are ``series[..., t]``.
    """
    with TemporaryDirectory(dir=Path.cwd()) as scratch:
        plain = path
        if path.suffix == '.gz':
            plain = Path(scratch) / path.stem
            _unpack(path, plain)
        image = nb.load(plain)
        yield image.dataobj
        del image


def _unpack(packed: Path, plain: Path) -> None:
    with gzip.open(packed, 'rb') as source, plain.open('wb') as target:
        while block := source.read(1 << 22):
            target.write(block)


def read_volumes(path: Path, stop: int | None = None) -> Iterator[Volume]:
    """Yield the first ``stop`` volumes of an image (all, if ``None``) one after the other."""
    image = nb.load(path, keep_file_open=True)
    for t in range(image.shape[3] if stop is None else stop):
        yield np.asarray(image.dataobj[..., t], dtype=np.float32)


def load_masked(path: Path, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the series of the voxels in a mask, of shape (voxels, volumes)."""
    length = nb.load(path).shape[3]
    series = np.empty((int(mask.sum()), length), np.float32)
    for t, volume in enumerate(read_volumes(path)):
        series[:, t] = volume[mask]
    return series


def spread(values: Array, mask: NDArray[np.bool_]) -> Volume:
    """Return a volume with one value for each voxel in a mask, and 0 elsewhere."""
    volume = np.zeros(mask.shape, np.float32)
    volume[mask] = values
    return volume


def save_series(
    volumes: Iterable[Volume],
    affine: Matrix,
    shape: tuple[int, ...],
    length: int,
    repetition_time: float,
    name: str,
) -> Path:
    """Write volumes, as they come, into a NIfTI of float32 in the current folder.

    Raises
    ------
    ValueError
        If there are more or fewer volumes than ``length``.
    """
    header = _make_header(affine, (*shape, length), repetition_time)
    return _write(header, (np.asarray(volume, '<f4') for volume in volumes), length, name)


def _make_header(
    affine: Matrix, shape: tuple[int, ...], repetition_time: float, step: float | None = None
) -> nb.Nifti1Header:
    """Return the header of a series of float32 or, with a ``step``, of int16."""
    header = nb.Nifti1Header()
    header.set_data_dtype(np.float32 if step is None else np.int16)
    header.set_data_shape(shape)
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    header.set_zooms((*np.sqrt((affine[:3, :3] ** 2).sum(axis=0)), repetition_time))
    header.set_xyzt_units('mm', 'sec')
    header['magic'] = b'n+1'
    header['vox_offset'] = 352
    if step is not None:
        header.set_slope_inter(step, 0.0)
    return header


def _write(header: nb.Nifti1Header, volumes: Iterable[Array], length: int, name: str) -> Path:
    path = Path.cwd() / name
    count = 0
    with gzip.open(path, 'wb', compresslevel=COMPRESSION) as stream:
        stream.write(header.binaryblock + bytes(4))
        for volume in volumes:
            stream.write(volume.tobytes(order='F'))
            count += 1
    if count != length:
        raise ValueError(f'{count} volumes were made, but {length} were expected')
    return path


def save_masked(
    series: NDArray[np.float32],
    mask: NDArray[np.bool_],
    affine: Matrix,
    repetition_time: float,
    name: str,
) -> Path:
    """Write the series of the voxels in a mask, of shape (voxels, volumes); 0 elsewhere."""
    volumes = (spread(series[:, t], mask) for t in range(series.shape[1]))
    return save_series(volumes, affine, mask.shape, series.shape[1], repetition_time, name)


def save_masked_coarse(
    series: NDArray[np.float32],
    mask: NDArray[np.bool_],
    affine: Matrix,
    repetition_time: float,
    name: str,
) -> Path:
    """Do as :func:`save_masked` with half of the bytes: steps of 1/32767 of the largest value."""
    largest = max(float(series.max(initial=0)), -float(series.min(initial=0)))
    step = np.float32(largest / 32767) if largest > 0 else np.float32(1)
    header = _make_header(affine, (*mask.shape, series.shape[1]), repetition_time, float(step))
    volumes = (
        np.rint(spread(series[:, t], mask) / step).astype('<i2') for t in range(series.shape[1])
    )
    return _write(header, volumes, series.shape[1], name)


def repetition_time(path: Path) -> float:
    """Return the time between volumes in seconds, of a series that we wrote."""
    return float(nb.load(path).header.get_zooms()[3])
