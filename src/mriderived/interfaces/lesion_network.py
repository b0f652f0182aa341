"""Probabilities of hyperintensities by a network that somebody trained (``--wmh-model``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Device
from mriderived.core.grid_average import average_on_grid, count_parts
from mriderived.core.network_grid import Blend, patch_boxes
from mriderived.core.network_volume import NetworkGrid, place_patches, plan_grid, scale_to_brain
from mriderived.interfaces.brain_extraction import find_device
from mriderived.interfaces.contrast_grid import bring_to_contrast
from mriderived.interfaces.lesion_model import LesionModel
from mriderived.interfaces.network_weights import WeightsError
from mriderived.interfaces.networks import Network, inference
from mriderived.interfaces.volumes import load, load_affine, voxel_size

if TYPE_CHECKING:
    import torch

Volume = NDArray[np.float32]
REMEDY = 'give another one to --wmh-model (docs/measures/wmh.md says what it has to be like)'


def run_lesion_network(
    model: LesionModel,
    flair: Path,
    flair_mask: Path,
    device: Device,
    threads: int,
    t1w: Path | None = None,
    xfm_flair_to_t1w: Path | None = None,
) -> Volume:
    """Return the probability of a hyperintensity at every voxel of a FLAIR.

    Raises
    ------
    WeightsError
        If the network cannot be loaded or gives something else; the message names its file.
    ValueError
        If it needs a T1w and there is none.
    """
    affine, brain = load_affine(flair), load(flair_mask) > 0
    spacing = voxel_size(affine).tolist()
    grid = plan_grid(brain, spacing, model.voxel_mm, model.multiple, model.patch or (1, 1, 1))
    parts = count_parts(model.voxel_mm, spacing)
    inside = average_on_grid(brain.astype(np.float32), grid.to_image, grid.shape, parts, threads)
    channels = [average_on_grid(load(flair), grid.to_image, grid.shape, parts, threads)]
    if model.inputs == 'FLAIR+T1w':
        if t1w is None or xfm_flair_to_t1w is None:
            raise ValueError(
                f'the network {model.path.name} needs a T1w image of the session beside the '
                'FLAIR, and there is none'
            )
        there = np.asarray(affine @ grid.to_image, np.float64)
        channels.append(
            bring_to_contrast(load(t1w), t1w, xfm_flair_to_t1w, there, grid.shape, threads)
        )
    scaled = np.stack([scale_to_brain(each, inside > 0.5, model.intensity) for each in channels])
    found = np.where(inside > 0.5, _run(model, scaled, device, threads), 0).astype(np.float32)
    return _bring_back(found, grid, brain.shape, spacing, model, threads)


def _run(model: LesionModel, volumes: Volume, device: Device, threads: int) -> Volume:
    """Run the network on volumes of shape (channel, x, y, z), whole or in patches."""
    import torch

    shape = (volumes.shape[1], volumes.shape[2], volumes.shape[3])
    whole = torch.from_numpy(volumes)
    with inference(threads):
        network = Network(model.path, find_device(device), REMEDY)
        if model.patch is None:
            return _read(model, network, whole)
        blend = Blend(shape, model.patch)
        for box in patch_boxes(place_patches(shape, model.patch), model.patch):
            blend.add(box, _read(model, network, whole[(slice(None), *box)]))
    return blend.mean()


def _read(model: LesionModel, network: Network, volumes: torch.Tensor) -> Volume:
    """Return what the network gives as probabilities."""
    import torch

    if model.result == 'two classes':
        (evidence,) = network(volumes, 2)
        return np.asarray(torch.softmax(evidence, dim=0)[1].numpy(), np.float32)
    (found,) = network(volumes, 1)
    if model.result == 'evidence':
        return np.asarray(torch.sigmoid(found[0]).numpy(), np.float32)
    probability = np.asarray(found[0].numpy(), np.float32)
    if probability.min() < -1e-4 or probability.max() > 1 + 1e-4:
        raise WeightsError(
            f'{model.path} gave values from {probability.min():.3g} to {probability.max():.3g}, '
            'no probabilities; say in its description whether Result is evidence or two classes'
        )
    return np.clip(probability, 0, 1)


def _bring_back(
    found: Volume,
    grid: NetworkGrid,
    shape: tuple[int, ...],
    spacing: list[float],
    model: LesionModel,
    threads: int,
) -> Volume:
    """Average probabilities over the voxels of the FLAIR."""
    parts = count_parts(spacing, model.voxel_mm)
    back = np.asarray(np.linalg.inv(grid.to_image), np.float64)
    return np.clip(average_on_grid(found, back, shape, parts, threads), 0, 1).astype(np.float32)
