"""Bring a T1w and a T2w to one scale by tissues that are found in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import RatioCalibration
from mriderived.core.ratio import (
    BRAIN_T1W,
    BRAIN_T2W,
    REFERENCE_T1W,
    REFERENCE_T2W,
    Anchors,
    calibrate,
    find_mode,
)
from mriderived.core.reference_tissue import Pair, find_eyes, find_muscle
from mriderived.interfaces.transforms import read_affine
from mriderived.interfaces.volumes import voxel_size

Volume = NDArray[np.float32]


class Scaled(NamedTuple):
    """Calibrated images, and what the sidecar says of how."""

    t1w: Volume
    t2w: Volume
    said: dict[str, Any]


def scale_pair(
    pair: Pair,
    affine: NDArray[np.float64],
    method: RatioCalibration,
    xfm_from_space: Path | None = None,
) -> Scaled:
    """Calibrate both images.

    Raises
    ------
    MissingTissueError
        If a tissue is outside of the field of view, or not seen.
    """
    wanted = (BRAIN_T1W, BRAIN_T2W)
    fluid, solid = pair.fluid, pair.white
    if method == 'eyes-muscle':
        if xfm_from_space is None:
            raise ValueError('without a registration to the template nothing says where eyes are')
        wanted = (REFERENCE_T1W, REFERENCE_T2W)
        to_template = np.asarray(read_affine(xfm_from_space) @ affine, np.float64)
        size = voxel_size(affine).tolist()
        fluid = find_eyes(pair, to_template, size)
        solid = find_muscle(pair, to_template, size)
    images = (pair.t1w, pair.t2w)
    found = [Anchors(find_mode(image, fluid), find_mode(image, solid)) for image in images]
    t1w, t2w = (
        calibrate(image, there, here)
        for image, there, here in zip(images, found, wanted, strict=True)
    )
    said: dict[str, Any] = {'Method': method} | {
        name: {'Found': [round(value, 3) for value in there], 'Wanted': [*here]}
        for name, there, here in zip(('T1w', 'T2w'), found, wanted, strict=True)
    }
    said |= {'Voxels': [int(np.count_nonzero(fluid)), int(np.count_nonzero(solid))]}
    return Scaled(t1w, t2w, said)
