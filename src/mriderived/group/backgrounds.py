"""What maps of a group are drawn over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.sampling import resample
from mriderived.interfaces.volumes import load_ras
from mriderived.spaces import UnavailableError, get_space


def template_on(
    space: str, mask: NDArray[np.bool_], affine: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the template on the grid of the maps; the mask where there is no template."""
    try:
        brain, brain_affine = load_ras(get_space(space).brain)
    except (UnavailableError, OSError):
        return mask.astype(np.float32)
    return resample(brain, np.linalg.inv(brain_affine) @ affine, mask.shape)
