"""Registration to the default space by deepmriprep's network (doi:10.48550/arXiv.2408.10656).

The network predicts the velocities between the grey and white matter of a brain and of the one
template that it has learnt. Only the weights of that package are used (MIT).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Device
from mriderived.core.affine import Brain
from mriderived.core.filters import smooth
from mriderived.core.registration import Alignment, Template
from mriderived.core.sampling import resample
from mriderived.core.velocity import join_flows
from mriderived.interfaces.brain_extraction import find_device
from mriderived.interfaces.network_segmentation import align_with_network_brain
from mriderived.interfaces.network_weights import WARP
from mriderived.interfaces.networks import Network, inference
from mriderived.interfaces.volumes import voxel_size
from mriderived.spaces import DEFAULT_SPACE, get_space

if TYPE_CHECKING:
    import torch

Volume = NDArray[np.float32]

#: The moving tissues were means of 3³ voxels of 0.5 mm in training. The first mean lies this far
#: (mm, along each axis) from the first voxel of the template; the network has learnt it so.
LAG_MM = 0.5


def knows_space(space_tissues: Path | None) -> bool:
    """Tell whether these are the tissues of the template that the network has learnt."""
    known = get_space(DEFAULT_SPACE).tissues
    return space_tissues is not None and known is not None and space_tissues.samefile(known)


def align_by_network(
    template: Template, brain: Brain, tissues: Volume, device: Device, threads: int
) -> Alignment:
    """Align a brain and its grey and white matter, shape (2, x, y, z), with the template.

    Raises
    ------
    WeightsError
        If the network cannot be loaded or is another one.
    ValueError
        If the brain cannot be aligned, or the template has no tissues.
    """
    import torch

    if template.tissues is None:
        raise ValueError('the network needs a template with tissues')
    lag = np.eye(4)
    lag[:3, 3] = LAG_MM
    affine = align_with_network_brain(brain, threads) @ lag
    matrix = np.linalg.inv(brain.affine) @ affine @ template.affine
    step, size = voxel_size(template.affine), voxel_size(brain.affine)
    sigma = 0.4 * np.sqrt(np.maximum(step**2 - size**2, 0)) / size
    shape = template.tissues.shape[1:]
    moved = [resample(smooth(part, sigma, threads), matrix, shape, threads) for part in tissues]
    pair = torch.from_numpy(np.concatenate([np.stack(moved), template.tissues]))
    with inference(threads):
        moving, fixed = Network(WARP, find_device(device))(pair, 3, 3)
        flows = join_flows(_to_voxels(moving), _to_voxels(fixed), threads)
    return Alignment(affine, flows, template.affine)


def _to_voxels(velocity: torch.Tensor) -> Volume:
    """Turn torch's units (from -1 to 1 over the grid, last axis first) to voxels."""
    x, y, z = velocity.shape[1:]
    half = np.array([x - 1, y - 1, z - 1], np.float32)[:, None, None, None] / 2
    return np.ascontiguousarray(velocity.numpy()[::-1] * half, dtype=np.float32)
