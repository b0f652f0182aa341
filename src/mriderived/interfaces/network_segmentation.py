"""The tissues of a brain by deepmriprep's networks (doi:10.48550/arXiv.2408.10656).

Only the weights of that package are used (MIT).
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Device
from mriderived.core.affine import Brain, register_affine
from mriderived.core.network_grid import (
    AFFINE,
    COARSE_SHAPE,
    HALF_SHAPE,
    HALVES,
    PATCH_SHAPE,
    SHAPE,
    Blend,
    close_fractions,
    fill_holes,
    patch_boxes,
    scale_intensity,
    split_label,
)
from mriderived.core.partial_volume import Fractions
from mriderived.core.sampling import resample
from mriderived.core.splines import resample_spline
from mriderived.interfaces.brain_extraction import find_device
from mriderived.interfaces.network_weights import NO_GREY, PATCHES, WHOLE
from mriderived.interfaces.networks import Network, inference
from mriderived.interfaces.volumes import load_ras
from mriderived.spaces.packages import find_package_file

if TYPE_CHECKING:
    import torch

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: A segmentation in which more of the brain mask is background has failed.
MOST_BACKGROUND = 0.2
#: So has one in which a tissue fills less of the brain mask.
LEAST_TISSUE = 0.05


class Segmentation(NamedTuple):
    """Fractions on the brain's grid, and the share of its mask that was background."""

    fractions: Fractions
    background: float


def load_network_brain() -> Brain:
    """Return the brain template of the networks' grid."""
    path = find_package_file(
        'deepmriprep',
        'data/templates/Template_05mm_bet.nii.gz',
        '7d96889867d29803021a276ba54c0225534266730c5f5348a1ea78ee2d6e62c1',
    )
    return Brain(*load_ras(path))


def load_corners() -> NDArray[np.int64]:
    """Return the first voxel of each patch: 18 of the left and the middle, then 9 mirrored."""
    path = find_package_file(
        'deepmriprep',
        'data/patches.csv',
        '37608721c19a18373c5ae2020bc31b00cbccebd7e4d1430a8e78197e72b9d8fd',
    )
    return np.loadtxt(path, dtype=np.int64, delimiter=',', skiprows=1)


def align_with_network_brain(brain: Brain, threads: int) -> Matrix:
    """Return the matrix from mm of the networks' brain template to mm of ``brain``."""
    return register_affine(load_network_brain(), brain, threads)


def segment_brain(
    brain: Brain, mask: NDArray[np.bool_], device: Device, threads: int
) -> Segmentation:
    """Estimate the tissue fractions of a brain (0 outside ``mask``).

    Raises
    ------
    WeightsError
        If a network cannot be loaded or is another one.
    ValueError
        If the brain cannot be aligned, or what comes out is no segmentation of a brain.
    """
    matrix = np.linalg.inv(brain.affine) @ align_with_network_brain(brain, threads) @ AFFINE
    inside = resample(mask.astype(np.float32), matrix, SHAPE, threads) > 0
    image = scale_intensity(resample_spline(brain.data, matrix, SHAPE))
    where = find_device(device)
    with inference(threads):
        label = np.where(inside, _find_label(image, where), np.float32(0))
        no_grey = _find_no_grey(label, where)
    back = np.linalg.inv(matrix)
    sampled = Fractions(
        *(resample_spline(part, back, brain.data.shape) for part in split_label(label, no_grey))
    )
    found = Segmentation(*close_fractions(sampled, mask))
    _check(found, mask)
    return found


def _find_label(image: Volume, device: torch.device) -> Volume:
    """Return the label image, 0 background to 3 white matter."""
    import torch

    to_fine = np.diag([*((np.array(SHAPE) - 1) / (np.array(COARSE_SHAPE) - 1)), 1.0])
    coarse = resample_spline(image, to_fine, COARSE_SHAPE)
    (rough,) = Network(WHOLE, device)(torch.from_numpy(coarse)[None], 1)
    guess = resample_spline(rough[0].numpy(), np.linalg.inv(to_fine), SHAPE)
    pair = torch.from_numpy(np.stack([image, guess]))
    blend = Blend(SHAPE, PATCH_SHAPE)
    boxes = patch_boxes(load_corners().tolist(), PATCH_SHAPE)
    count = len(PATCHES)
    for name, box, mirrored_box in zip_longest(PATCHES, boxes[:count], boxes[count:]):
        network = Network(name, device)
        (patch,) = network(pair[(slice(None), *box)], 1)
        blend.add(box, patch[0].numpy())
        if mirrored_box is not None:
            (patch,) = network(pair[(slice(None), *mirrored_box)].flip(1), 1)
            blend.add(mirrored_box, patch[0].flip(0).numpy())
    return fill_holes(blend.mean())


def _find_no_grey(label: Volume, device: torch.device) -> Volume:
    """Return the probability that what looks like grey matter is none."""
    import torch

    network = Network(NO_GREY, device)
    blend = Blend(SHAPE, HALF_SHAPE)
    volume = torch.from_numpy(label)[None]
    for number, box in enumerate(patch_boxes(HALVES, HALF_SHAPE)):
        half = volume[(slice(None), *box)]
        (evidence,) = network(half.flip(1) if number else half, 2)
        probability = torch.softmax(evidence, dim=0)[1]
        blend.add(box, (probability.flip(0) if number else probability).numpy())
    return blend.mean()


def _check(found: Segmentation, mask: NDArray[np.bool_]) -> None:
    if found.background > MOST_BACKGROUND:
        raise ValueError(
            f'the networks take {found.background:.0%} of the brain mask for background; check '
            'the brain mask and the files of weights'
        )
    for name, part in zip(('grey', 'white'), found.fractions, strict=False):
        share = float(part.sum() / np.count_nonzero(mask))
        if share < LEAST_TISSUE:
            raise ValueError(
                f'the networks find {name} matter in only {share:.1%} of the brain mask; check '
                'the image and the files of weights'
            )
