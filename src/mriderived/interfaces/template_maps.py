"""Bring a template's maps and coordinates to a scan, through the transform between the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.core.masks import find_box
from mriderived.core.quality_air import fit_affine
from mriderived.interfaces.itk import to_ants

Affine = NDArray[np.float64]
Mask = NDArray[np.bool_]
Volume = NDArray[np.float32]

#: About how many points of the brain determine the affine.
POINTS = 10_000


class TemplateInScan(NamedTuple):
    """A template's maps in the box around the brain of a scan, in their order in the file.

    ``voxel_to_space`` is the affine that comes closest to the transform, in the brain: from
    voxel indices of the scan to mm in the space.
    """

    maps: tuple[Volume, ...]
    voxel_to_space: Affine


def warp_template(
    brain: Mask, affine: Affine, template: Path, xfm_from_space: Path
) -> TemplateInScan:
    """Warp a 4D image of the space, and with it the coordinates of the space, to a scan.

    Coordinates travel as three more channels, because to read a transform takes longer than
    to apply it.
    """
    import ants

    image: Any = nb.loadsave.load(template)
    maps = np.asarray(image.dataobj, dtype=np.float32)
    moving = np.concatenate([maps, _coordinates(maps.shape[:3], image.affine)], axis=3)
    box = find_box(brain, (0, 0, 0))
    start = np.array([part.start for part in box])
    cropped = affine.copy()
    cropped[:3, 3] += affine[:3, :3] @ start
    shape = tuple(part.stop - part.start for part in box)
    warped = ants.apply_transforms(
        to_ants(np.zeros(shape, np.float32), cropped),
        to_ants(moving, image.affine),
        transformlist=[str(xfm_from_space)],
        interpolator='linear',
        imagetype=3,
    ).numpy()
    return TemplateInScan(
        maps=tuple(np.ascontiguousarray(warped[..., i]) for i in range(maps.shape[3])),
        voxel_to_space=_fit(warped[..., maps.shape[3] :], brain[box], start),
    )


def _coordinates(shape: tuple[int, ...], affine: Affine) -> Volume:
    """Return x, y, z in mm (RAS) and a channel of ones that tells inside from outside."""
    indices = np.indices(shape).reshape(3, -1)
    world = affine[:3, :3] @ indices + affine[:3, 3:]
    return np.vstack([world, np.ones(indices.shape[1])]).T.reshape(*shape, 4).astype(np.float32)


def _fit(coordinates: Volume, brain: Mask, start: NDArray[np.int_]) -> Affine:
    usable = np.argwhere(brain & (coordinates[..., 3] > 0.999))
    usable = usable[:: max(1, len(usable) // POINTS)]
    targets = coordinates[tuple(usable.T)][:, :3].astype(np.float64)
    return fit_affine((usable + start).astype(np.float64), targets)
