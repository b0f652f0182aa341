"""Look at the images of quantitative MRI: any body part, any number of slices, one volume each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.spatialimages import SpatialImage

from mriderived.bids.image_checks import ImageCheck
from mriderived.bids.nifti_reading import BadImageError, Finding
from mriderived.bids.orientation import find_geometry
from mriderived.bids.series_reading import SeriesHeader, iterate_volumes, read_series_header

#: A single slice of this thickness is an image, too, in mm.
LEAST_MM = 1.0
#: Share of the voxels that may lack a number; these are set to 0.
MAX_MISSING = 0.01
#: Share of negative values with which an image is no magnitude.
MAX_NEGATIVE = 0.01
#: Grids are one if their corners lie within this share of a voxel.
SAME_GRID = 0.02
_RESCAN = 'Take the image from its original source again, or leave it out with .bidsignore.'


def read_map_header(path: Path) -> SeriesHeader:
    """Read the header of an image that must hold one volume."""
    header = read_series_header(path, least=1)
    if header.shape[3] > 1:
        raise BadImageError(
            path,
            f'it holds {header.shape[3]} volumes, a member of a collection holds one',
            'Save every echo, flip angle or inversion time in a file of its own.',
        )
    return header


def look_at_magnitude(path: Path) -> tuple[Finding, ...]:
    """Check the values of a magnitude image; raise if they cannot be used."""
    values = _read_finite(path)
    negative = float((values < 0).mean())
    if negative > MAX_NEGATIVE:
        raise BadImageError(
            path,
            f'{negative:.0%} of its values are negative: it is no magnitude image',
            'Name its part (part-real, part-imag or part-phase), or save the magnitude.',
        )
    return _tell_missing(values)


def look_at_part(path: Path) -> tuple[Finding, ...]:
    """Check the values of a phase, real, imaginary or computed image."""
    return _tell_missing(_read_finite(path))


def _read_finite(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    read_map_header(path)
    (values,) = iterate_volumes(path, least=1)
    finite = np.isfinite(values)
    if not finite.any():
        raise BadImageError(path, 'no voxel holds a number (all NaN or infinite)', _RESCAN)
    missing = 1 - float(finite.mean())
    known = values[finite]
    if float(known.min()) == float(known.max()):
        raise BadImageError(path, f'every voxel holds the same value ({known.min():g})', _RESCAN)
    if missing > MAX_MISSING:
        raise BadImageError(path, f'{missing:.1%} of its voxels are NaN or infinite', _RESCAN)
    return values


def _tell_missing(values: np.ndarray[Any, np.dtype[np.float32]]) -> tuple[Finding, ...]:
    missing = int((~np.isfinite(values)).sum())
    if not missing:
        return ()
    text = f'{missing} voxels without a number (NaN or infinite) were set to 0.'
    return (('missing_values', float(missing), text),)


def check_map(path: Path, findings: Iterable[Finding], content: str) -> ImageCheck:
    """Return what the report says of the first image of a collection."""
    read = read_map_header(path)
    geometry = find_geometry(path, read.header, read.repaired, read.shape[:3], LEAST_MM)
    known = (*geometry.findings, *findings)
    return ImageCheck(
        path=path,
        notes=tuple(sentence for _, _, sentence in known),
        flags={flag: value for flag, value, _ in known},
        rows=(
            ('Matrix', ' × '.join(map(str, read.shape[:3]))),
            ('Voxel size (mm)', ' × '.join(f'{size:.3g}' for size in geometry.voxel_mm)),
            ('Content', content),
        ),
    )


def require_geometry(path: Path) -> None:
    """Raise if the header tells no usable position."""
    read = read_map_header(path)
    find_geometry(path, read.header, read.repaired, read.shape[:3], LEAST_MM)


def is_same_grid(first: SpatialImage, second: SpatialImage) -> bool:
    """Tell whether two images have the same voxels."""
    if first.shape[:3] != second.shape[:3]:
        return False
    size = np.sqrt((first.affine[:3, :3] ** 2).sum(axis=0)).min()
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    corners[:, :3] *= np.array(first.shape[:3]) - 1
    apart = corners @ (first.affine - second.affine).T
    return bool(np.abs(apart[:, :3]).max() <= SAME_GRID * size)


def require_one_grid(paths: Sequence[Path], images: Sequence[SpatialImage], what: str) -> None:
    """Raise if images of one acquisition do not share their voxels."""
    for path, image in zip(paths[1:], images[1:], strict=True):
        if not is_same_grid(images[0], image):
            raise BadImageError(
                path,
                f'its voxels ({" x ".join(map(str, image.shape[:3]))}) are not those of '
                f'{paths[0].name} ({" x ".join(map(str, images[0].shape[:3]))}), though {what}',
                'Convert the acquisition from DICOM again, or leave it out with .bidsignore.',
            )
