"""Where the voxels of a NIfTI file lie in the world, and how far its header can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nibabel as nib
import numpy as np
from nibabel.affines import obliquity, voxel_sizes
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from mriderived.bids.nifti_reading import BadImageError, Finding

Affine = NDArray[np.float64]
Source = Literal['sform', 'qform', 'none']

MIN_VOXEL_MM, MAX_VOXEL_MM = 0.2, 10.0
MIN_EXTENT_MM, MAX_EXTENT_MM = 60.0, 600.0
_HEADER = 'Correct the header or convert the scan from DICOM again.'


class Geometry(NamedTuple):
    """The affine that counts, where it is from, and what is unusual about it."""

    affine: Affine
    source: Source
    voxel_mm: tuple[float, float, float]
    oblique_degrees: float
    findings: tuple[Finding, ...]


def find_geometry(
    path: Path,
    header: nib.Nifti1Header,
    repaired: nib.Nifti1Header,
    shape: tuple[int, ...],
    least_mm: float = MIN_EXTENT_MM,
) -> Geometry:
    """Choose sform before qform; raise :class:`BadImageError` if what is chosen is unusable.

    A field of view below ``least_mm`` along any axis is taken for a fault.
    """
    _require_voxel_sizes(path, header)
    qform = _qform(repaired)
    affine, source = _choose(path, repaired, qform)
    voxel = voxel_sizes(affine)
    _require_plausible(path, voxel, np.array(shape), header, least_mm)
    oblique = float(np.degrees(obliquity(affine).max()))
    findings = (
        *_source_findings(header, affine, source, qform, np.array(shape)),
        *_unit_findings(header),
        *_shape_findings(affine, voxel, oblique),
    )
    size = (float(voxel[0]), float(voxel[1]), float(voxel[2]))
    return Geometry(np.asarray(affine, dtype=np.float64), source, size, oblique, findings)


def _require_voxel_sizes(path: Path, header: nib.Nifti1Header) -> None:
    stored = header['pixdim'][1:4]
    if not np.isfinite(stored).all() or (stored <= 0).any():
        raise BadImageError(
            path, f'the header holds impossible voxel sizes {stored.tolist()}', _HEADER
        )


def _qform(header: nib.Nifti1Header) -> Affine | None:
    """Return the qform if it is set and its quaternion is one."""
    if header['qform_code'] < 1:
        return None
    try:
        qform = header.get_qform()
    except (ValueError, HeaderDataError):
        return None
    return qform if _is_usable(qform) else None


def _is_usable(affine: Affine) -> bool:
    if not np.isfinite(affine).all():
        return False
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    return bool((sizes > 1e-6).all() and abs(np.linalg.det(affine[:3, :3] / sizes)) > 0.01)


def _choose(path: Path, header: nib.Nifti1Header, qform: Affine | None) -> tuple[Affine, Source]:
    if header['sform_code'] > 0:
        sform = header.get_sform()
        if not np.isfinite(sform).all():
            raise BadImageError(path, 'the affine (sform) holds NaN or infinite values', _HEADER)
        if not _is_usable(sform):
            raise BadImageError(path, 'the affine (sform) is singular', _HEADER)
        return sform, 'sform'
    if header['qform_code'] > 0:
        if qform is None:
            raise BadImageError(
                path, 'the affine (qform) is not a rotation and there is no sform', _HEADER
            )
        return qform, 'qform'
    return header.get_base_affine(), 'none'


def _require_plausible(
    path: Path,
    voxel: NDArray[Any],
    shape: NDArray[Any],
    header: nib.Nifti1Header,
    least_mm: float,
) -> None:
    name = ' x '.join(f'{size:.4g}' for size in voxel)
    unit = header.get_xyzt_units()[0]
    if (voxel < MIN_VOXEL_MM).any() or (voxel > MAX_VOXEL_MM).any():
        unit_note = f' (the header gives the unit {unit})' if unit in ('meter', 'micron') else ''
        raise BadImageError(
            path, f'voxels of {name} mm are implausible{unit_note}', f'{_HEADER} Sizes are in mm.'
        )
    extent = voxel * shape
    if (extent < least_mm).any() or (extent > MAX_EXTENT_MM).any():
        size = ' x '.join(f'{length:.0f}' for length in extent)
        raise BadImageError(
            path, f'a field of view of {size} mm is implausible for a head', _HEADER
        )


def _source_findings(
    header: nib.Nifti1Header, affine: Affine, source: Source, qform: Affine | None, shape: Any
) -> Iterator[Finding]:
    if source == 'none':
        yield (
            'no_orientation',
            'yes',
            'Neither qform nor sform is set: left and right are a guess (LAS).',
        )
    if source == 'sform' and header['qform_code'] > 0:
        if qform is None:
            yield 'invalid_qform', 'yes', 'The qform is not a rotation; the sform was used.'
        else:
            yield from _conflict_findings(affine, qform, shape)
    stored, used = header['pixdim'][1:4], voxel_sizes(affine)
    if not np.allclose(stored, used, rtol=0.01):
        yield (
            'voxel_size_mismatch',
            float(np.abs(stored / used - 1).max()),
            f'The header gives voxels of {np.round(stored, 3).tolist()} mm, its {source} '
            f'{np.round(used, 3).tolist()} mm, which was used.',
        )


def _conflict_findings(sform: Affine, qform: Affine, shape: Any) -> Iterator[Finding]:
    degrees, shift = compare_affines(sform, qform, shape)
    if degrees > 0.5 or shift > 0.5:
        yield (
            'qform_sform_conflict',
            round(degrees, 2),
            f'qform and sform differ by {degrees:.1f} degrees and {shift:.1f} mm in the centre; '
            'the sform was used.',
        )


def compare_affines(first: Affine, second: Affine, shape: Any) -> tuple[float, float]:
    """Return the angle between two affines (degrees) and the shift of the centre (mm).

    A mirrored pair has no angle between: it counts as 180 degrees.
    """
    a, b = (affine[:3, :3] / voxel_sizes(affine) for affine in (first, second))
    between = a @ np.linalg.inv(b)
    if np.linalg.det(between) < 0:
        degrees = 180.0
    else:
        u, _, vt = np.linalg.svd(between)
        cosine = (np.trace(u @ vt) - 1) / 2
        degrees = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    centre = np.append((np.asarray(shape) - 1) / 2, 1)
    return degrees, float(np.linalg.norm((first - second) @ centre))


def _unit_findings(header: nib.Nifti1Header) -> Iterator[Finding]:
    unit = header.get_xyzt_units()[0]
    if unit not in ('mm', 'unknown'):
        yield 'units', unit, f'The header gives lengths in {unit}, but the sizes are those of mm.'


def _shape_findings(affine: Affine, voxel: Any, oblique: float) -> Iterator[Finding]:
    directions = affine[:3, :3] / voxel
    if np.linalg.det(directions) < 0:
        yield 'left_handed', 'yes', 'Stored left-handed, as many scanners do; nothing is lost.'
    if abs(np.linalg.det(directions)) < 0.98:
        yield (
            'shear',
            'yes',
            'The affine shears: axes are not at right angles. Programs built on ITK (ANTs) leave '
            'the shear out when they read the file, so the transforms fit only roughly there.',
        )
    if oblique > 15:
        yield 'oblique', round(oblique, 1), f'Slices are tilted by {oblique:.0f} degrees.'
    ratio = float(voxel.max() / voxel.min())
    if ratio > 2 or (voxel.max() > 3 and ratio > 1.2):
        yield (
            'anisotropic',
            round(ratio, 2),
            f'Thick slices ({voxel.max():.1f} mm by {voxel.min():.1f} mm in plane): '
            'cortical measures are unreliable.',
        )
    elif voxel.max() > 1.5:
        yield (
            'low_resolution',
            round(float(voxel.max()), 2),
            f'Voxels of {voxel.max():.1f} mm are coarse: small structures are unreliable.',
        )
