"""Make the shipped files of this package anew: the warp between the spaces, and the mask.

Not run in use, only to document where ``data`` comes from: ``python -m
mriderived.spaces.build_transform`` takes some ten minutes on two cores. Needs ANTs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from scipy import ndimage

from mriderived.spaces.bundled_spaces import get_bundled_space
from mriderived.spaces.model import DEFAULT_SPACE, FSL_SPACE
from mriderived.spaces.transform import GRID_AFFINE, GRID_SHAPE, WARP_FILE

SPACING = 3.0


def main() -> None:
    """Write the warp and the mask into ``data``."""
    brains = []
    for name in (DEFAULT_SPACE, FSL_SPACE):
        space = get_bundled_space(name)
        assert space is not None
        if space.mask is not None:
            write_mask(space.brain, space.mask)
        brains.append(space.brain)
    with tempfile.TemporaryDirectory() as scratch:
        write_warp(register(brains[0], brains[1], Path(scratch)), WARP_FILE)


def register(fixed_file: Path, moving_file: Path, scratch: Path) -> list[str]:
    """Register with SyN on local correlation, down to 2 mm; return the transforms."""
    import ants

    images = (ants.image_read(str(path)) for path in (fixed_file, moving_file))
    fixed, moving = (ants.iMath(image, 'Normalize') for image in images)
    result = ants.registration(
        fixed,
        moving,
        type_of_transform='SyN',
        syn_metric='CC',
        syn_sampling=3,
        reg_iterations=(100, 70, 30, 0),
        random_seed=1,
        outprefix=f'{scratch}/',
    )
    return [str(path) for path in result['fwdtransforms']]


def write_warp(transforms: list[str], target: Path) -> None:
    """Sample the transforms, ANTs' from fixed to moving, on a coarse grid."""
    import ants
    import pandas as pd

    shape = [int(np.ceil(size / SPACING)) + 1 for size in GRID_SHAPE]
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = GRID_AFFINE[:3, 3]
    points = (affine[:3, :3] @ np.indices(shape).reshape(3, -1) + affine[:3, 3:]).T
    lps = pd.DataFrame(points * [-1, -1, 1], columns=['x', 'y', 'z'])
    moved = ants.apply_transforms_to_points(3, lps, transforms).to_numpy()[:, :3] * [-1, -1, 1]
    shifts = (moved - points).T.reshape(3, *shape)
    # A quarter of a tenth of a millimetre is finer than the registration and packs well.
    rounded = (np.round(shifts * 40) / 40).astype(np.float16)
    np.savez_compressed(target, displacement=rounded, affine=affine)


def write_mask(brain: Path, target: Path) -> None:
    """Write where the brain image is above zero, small gaps closed, in RAS."""
    image: Any = nb.as_closest_canonical(nb.loadsave.load(brain))
    filled = ndimage.binary_fill_holes(np.asarray(image.dataobj) > 0)
    mask = filled | ndimage.binary_closing(filled, iterations=2)
    packed: Any = nb.Nifti1Image(mask.astype(np.uint8), image.affine)
    packed.set_sform(image.affine, code=4)
    packed.set_qform(image.affine, code=4)
    packed.to_filename(target)


if __name__ == '__main__':
    main()
