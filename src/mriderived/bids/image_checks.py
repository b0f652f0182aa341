"""Look at a raw image before any computation: refuse what is broken, flag what is unusual.

An image is refused (:class:`BadImageError`) where any result would be wrong or none would come
out. Everything else is processed; what is unusual is noted for the report and flagged for tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.bids.known_files import Look
from mriderived.bids.nifti_reading import (
    BadImageError,
    Finding,
    Header,
    Volume,
    read_header,
    read_volume,
)
from mriderived.bids.orientation import Geometry, find_geometry

__all__ = ['BadImageError', 'ImageCheck', 'check_image', 'load_clean', 'look_at_volume']

#: Share of the head's voxels that may lack a number; these are set to 0.
MAX_MISSING_IN_HEAD = 0.001
#: A head whose cross-section at a face of the image is larger than this is cut into the brain:
#: scalp and skull alone (12 mm below the vertex of a sphere of 85 mm) reach about 60 cm2.
MAX_FACE_CM2 = 60.0
MIN_HEIGHT_MM = 100.0
_FACES = ('left', 'right', 'posterior', 'anterior', 'inferior', 'superior')


@dataclass(frozen=True)
class ImageCheck:
    """What is worth knowing of an image that can be processed.

    ``flags`` are short names with a value (see :func:`check_image`), ``notes`` the sentences
    that go with them, ``rows`` label and value for the report.
    """

    path: Path
    notes: tuple[str, ...]
    flags: Mapping[str, str | float]
    rows: tuple[tuple[str, str], ...]


def check_image(path: Path, look: Look | None = None, content: str = 'T1w') -> ImageCheck:
    """Check one raw structural image; raise :class:`BadImageError` if it cannot be processed.

    ``look`` stands for :func:`look_at_volume`, which reads all of the image; ``content`` is its
    suffix.

    Flags: ``squeezed``, ``no_orientation``, ``qform_sform_conflict`` (degrees),
    ``invalid_qform``, ``voxel_size_mismatch``, ``units``, ``left_handed``, ``oblique`` (degrees),
    ``shear``, ``anisotropic`` (ratio), ``low_resolution`` (mm), ``missing_values`` (voxels),
    ``negative_values`` (share), ``few_intensities`` (number), ``cropped`` (sides).
    """
    header = read_header(path)
    geometry = find_geometry(path, header.header, header.repaired, header.shape[:3])
    findings = [
        *_squeeze_findings(header.shape),
        *geometry.findings,
        *(look or look_at_volume)(path),
    ]
    return ImageCheck(
        path=path,
        notes=tuple(sentence for _, _, sentence in findings),
        flags={flag: value for flag, value, _ in findings},
        rows=(*_rows(header, geometry), ('Content', content)),
    )


def look_at_volume(path: Path) -> tuple[Finding, ...]:
    """Check the values of an image; raise :class:`BadImageError` if they cannot be used."""
    volume = read_volume(path)
    geometry = find_geometry(path, volume.header, volume.repaired, volume.data.shape)
    head = _find_head(path, volume)
    return (*_value_findings(head), *_crop_findings(head, geometry))


def load_clean(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return a checked image as a finite float32 volume with axes to right, front and top.

    Axes are permuted and flipped, never resampled; voxels without a number become 0.
    """
    volume = read_volume(path)
    geometry = find_geometry(path, volume.header, volume.repaired, volume.data.shape)
    to_ras = nib.io_orientation(geometry.affine)
    values = nib.apply_orientation(_scale(volume), to_ras)
    array = np.ascontiguousarray(values, dtype=np.float32)
    np.nan_to_num(array, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    shift = nib.orientations.inv_ornt_aff(to_ras, volume.data.shape)
    return array, np.asarray(geometry.affine @ shift, dtype=np.float64)


def _scale(volume: Volume) -> NDArray[Any]:
    slope, intercept = volume.repaired.get_slope_inter()
    if slope is None:  # a slope of 0 or NaN means: not scaled
        slope, intercept = 1.0, 0.0
    is_short = volume.data.dtype.itemsize <= 2 or volume.data.dtype.kind == 'f'
    precision = np.float32 if is_short and volume.data.dtype.itemsize <= 4 else np.float64
    values = volume.data.astype(precision)
    return values if (slope, intercept) == (1.0, 0.0) else values * slope + intercept


class _Head(NamedTuple):
    """Coarse view of the image: every ``step``-th voxel, and where the head is in it."""

    values: NDArray[Any]
    mask: NDArray[np.bool_]
    step: tuple[int, ...]
    missing: int


def _find_head(path: Path, volume: Volume) -> _Head:
    values = _scale(volume)
    finite = np.isfinite(values)
    missing = int(values.size - finite.sum())
    if missing == values.size:
        raise BadImageError(path, 'no voxel holds a number (all NaN or infinite)', _RESCAN)
    low, high = float(values[finite].min()), float(values[finite].max())
    if low == high:
        raise BadImageError(path, f'every voxel holds the same value ({low:g})', _RESCAN)
    if max(-low, high) > float(np.finfo(np.float32).max):
        raise BadImageError(path, f'values reach {high:g}, beyond any scanner', _RESCAN)
    step = tuple(max(1, round(2.0 * size / 256)) for size in values.shape)
    coarse = values[:: step[0], :: step[1], :: step[2]]
    mask = foreground(coarse)
    if missing:
        _require_few_missing(path, finite, mask, step)
    return _Head(coarse, mask, step, missing)


_RESCAN = 'Take the image from its original source again, or leave it out with .bidsignore.'


def foreground(coarse: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the largest bright part of an image."""
    finite = coarse[np.isfinite(coarse)]
    low = float(np.percentile(finite, 1))
    above = finite[finite > low]
    high = float(np.percentile(above, 98)) if above.size else low
    bright = np.nan_to_num(coarse, nan=low, posinf=low, neginf=low) > low + 0.15 * (high - low)
    opened = ndimage.binary_opening(bright)
    labels, count = ndimage.label(opened)
    if count == 0:
        return np.asarray(bright, dtype=np.bool_)
    largest = int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    return np.asarray(labels == largest, dtype=np.bool_)


def _require_few_missing(
    path: Path, finite: NDArray[np.bool_], mask: NDArray[np.bool_], step: tuple[int, ...]
) -> None:
    solid = ndimage.binary_fill_holes(ndimage.binary_closing(mask, iterations=3)) | mask
    fine = solid
    for axis, factor in enumerate(step):
        fine = np.repeat(fine, factor, axis=axis)
    fine = fine[tuple(slice(0, size) for size in finite.shape)]
    inside = int((fine & ~finite).sum())
    share = inside / max(1, int(fine.sum()))
    if share > MAX_MISSING_IN_HEAD:
        raise BadImageError(
            path, f'{inside} voxels inside the head ({share:.1%}) are NaN or infinite', _RESCAN
        )


def _squeeze_findings(shape: tuple[int, ...]) -> Iterator[Finding]:
    if len(shape) > 3:
        yield 'squeezed', 'yes', f'{len(shape)}D with one volume, which was taken.'


def _value_findings(head: _Head) -> Iterator[Finding]:
    if head.missing:
        yield (
            'missing_values',
            float(head.missing),
            f'{head.missing} voxels without a number (NaN or infinite) were set to 0.',
        )
    finite = head.values[np.isfinite(head.values)]
    negative = float((finite < 0).mean())
    if negative > 0.01:
        yield (
            'negative_values',
            round(negative, 4),
            f'{negative:.0%} of the values are negative: is this a magnitude image?',
        )
    distinct = np.unique(finite).size
    if distinct < 32:
        yield (
            'few_intensities',
            float(distinct),
            f'Only {distinct} different values: is this a label image?',
        )


def _crop_findings(head: _Head, geometry: Geometry) -> Iterator[Finding]:
    to_ras = nib.io_orientation(geometry.affine)
    mask = nib.apply_orientation(head.mask, to_ras) > 0
    order = np.argsort(to_ras[:, 0])
    size = np.array([geometry.voxel_mm[axis] * head.step[axis] for axis in order])
    cut = [name for name, area in _face_areas(mask, size) if area > MAX_FACE_CM2]
    extent = np.ptp(np.flatnonzero(mask.any(axis=(0, 1)))) * size[2] if mask.any() else 0.0
    if extent < MIN_HEIGHT_MM:
        cut.append('height')
    if cut:
        yield (
            'cropped',
            ', '.join(cut),
            f'The field of view probably cuts the brain ({", ".join(cut)}).',
        )


def _face_areas(mask: NDArray[np.bool_], size: NDArray[Any]) -> Iterator[tuple[str, float]]:
    for axis in range(3):
        pixel = float(np.prod(np.delete(size, axis))) / 100.0
        for side, name in zip((0, -1), _FACES[2 * axis : 2 * axis + 2], strict=True):
            if name != 'inferior':  # the neck is cut in every scan
                section = ndimage.binary_fill_holes(mask.take(side, axis=axis))
                yield name, float(section.sum()) * pixel


def _rows(read: Header, geometry: Geometry) -> tuple[tuple[str, str], ...]:
    header = read.header
    slope, intercept = read.repaired.get_slope_inter()
    return (
        ('Orientation', ''.join(nib.aff2axcodes(geometry.affine))),
        ('Matrix', ' × '.join(map(str, read.shape))),
        ('Voxel size (mm)', ' × '.join(f'{size:.3g}' for size in geometry.voxel_mm)),
        ('Data type', header.get_data_dtype().name),
        ('Slope, intercept', 'none' if slope is None else f'{slope:g}, {intercept:g}'),
        ('Obliquity (degrees)', f'{geometry.oblique_degrees:.1f}'),
        ('qform, sform code', f'{int(header["qform_code"])}, {int(header["sform_code"])}'),
        ('Orientation from', geometry.source),
    )
