"""A FLAIR without a T1w image, aligned with a brain template that was given its contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.core.affine import Brain
from mriderived.core.masks import find_box
from mriderived.core.registration import COARSE, SLOPPY, Template, align
from mriderived.interfaces.space_files import load_template, load_tissues
from mriderived.interfaces.transforms import affine_transform, field_transform, write_composite
from mriderived.interfaces.warps import crop_grid

#: Brightness in a FLAIR of grey matter, white matter and fluid.
CONTRAST = {'gm': 1.15, 'wm': 1.0, 'csf': 0.2}
#: A voxel of the template is brain if so much of it is tissue or fluid.
BRAIN = 0.5


def align_flair(
    flair: NDArray[np.float32],
    affine: NDArray[np.float64],
    brain: NDArray[np.bool_],
    space_brain: Path,
    space_tissues: Path,
    threads: int,
    sloppy: bool = False,
) -> Path:
    """Write the transform that brings maps of the space to the FLAIR, in this folder.

    Affine and coarse nonlinear (3 mm): lesions and thick slices say nothing of finer detail.
    """
    box = find_box(brain, (3, 3, 3))
    inside = np.where(brain[box], flair[box], 0).astype(np.float32)
    moving = Brain(np.ascontiguousarray(inside), crop_grid(affine, box).affine)
    grid = load_template(space_brain, space_tissues, threads).affine
    maps = load_tissues(space_tissues, tuple(CONTRAST))
    levels = np.array([*CONTRAST.values()], np.float32)
    drawn = np.einsum('t,txyz->xyz', levels, maps)
    drawn[maps.sum(axis=0) < BRAIN] = 0
    found = align(
        Template(np.ascontiguousarray(drawn), grid),
        moving,
        schedule=SLOPPY if sloppy else COARSE,
        threads=threads,
    )
    inverse = np.asarray(np.linalg.inv(found.affine), dtype=np.float64)
    backward = field_transform(found.warp.moving_to_fixed, found.grid)
    return write_composite([affine_transform(inverse), backward], 'from_space.h5')
