"""The brain mask from a head: the two networks of deepbet (doi:10.1016/j.compbiomed.2024.108845).

Only the network weights of that package are used (MIT). The first network finds the brain in the
whole image at 128³, the second one its outline in the box around it at 256³.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Device
from mriderived.core.masks import clean_mask, find_box, keep_largest

if TYPE_CHECKING:
    import torch

Image = NDArray[np.float32]

#: Margin around the box of the first network, as a fraction of its edges.
BOX_MARGIN = 0.1
#: A plane belongs to the box if more than this fraction of it is brain.
PLANE_FRACTION = 0.02


def extract_brain(data: Image, device: Device, threads: int) -> NDArray[np.bool_]:
    """Return the brain mask of a volume in RAS orientation."""
    import torch

    where = find_device(device)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            return clean_mask(_brain_probability(data, where) > 0.5)
    finally:
        torch.set_num_threads(threads_before)


def find_device(device: Device) -> torch.device:
    """Return the torch device that a run uses."""
    import torch

    if device == 'cuda' and not torch.cuda.is_available():
        raise RuntimeError('--device cuda was asked for, but torch finds no CUDA device here')
    use_cuda = device == 'cuda' or (device == 'auto' and torch.cuda.is_available())
    return torch.device('cuda' if use_cuda else 'cpu')


def _brain_probability(data: Image, device: torch.device) -> Image:
    import torch

    volume = torch.from_numpy(data).to(device)
    coarse = _resize(volume, (128, 128, 128))
    limits = np.percentile(coarse.cpu().numpy(), (0.5, 99.5))
    if limits[0] >= limits[1]:
        raise ValueError('the image has no contrast, so no brain can be found in it')
    rough = _run(_network('bbox_model.pt', device), coarse, limits)
    box = _scale_box(keep_largest(rough.cpu().numpy() > 0.5), data.shape)
    fine = _run(_network('model.pt', device), _resize(volume[box], (256, 256, 256)), limits)
    inside = torch.nn.functional.interpolate(
        fine[None, None], tuple(volume[box].shape), mode='trilinear', align_corners=False
    )
    probability = np.zeros(data.shape, np.float32)
    probability[box] = inside[0, 0].cpu().numpy()
    return probability


def _resize(volume: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    import torch

    # nearest, because the networks have learnt from images resized this way
    return torch.nn.functional.interpolate(volume[None, None], shape, mode='nearest-exact')[0, 0]


def _run(
    network: torch.jit.ScriptModule, volume: torch.Tensor, limits: NDArray[np.float64]
) -> torch.Tensor:
    low, high = (float(limit) for limit in limits)
    scaled = ((volume - low) / (high - low)).clamp(0, 1)
    scaled = 0.226 * (scaled - scaled.mean()) / scaled.std() + 0.449
    result: torch.Tensor = network(scaled[None, None])[0, 1]
    return result


def _scale_box(rough: NDArray[np.bool_], shape: Sequence[int]) -> tuple[slice, ...]:
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        planes = rough.mean(axis=others) > PLANE_FRACTION
        rough = rough & np.expand_dims(planes, others)
    if not rough.any():
        raise ValueError('no brain was found in the image')
    box = find_box(rough, (0, 0, 0))
    return tuple(
        _widen(part, size / cells, size)
        for part, size, cells in zip(box, shape, rough.shape, strict=True)
    )


def _widen(part: slice, scale: float, size: int) -> slice:
    margin = BOX_MARGIN * (part.stop - part.start) * scale
    start, stop = part.start * scale - margin, part.stop * scale + margin
    return slice(max(0, round(start)), min(size, round(stop)))


@lru_cache
def _network(name: str, device: torch.device) -> torch.jit.ScriptModule:
    import torch

    path = find_weights(name)
    network: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
        str(path), map_location=device
    ).eval()
    return network


def find_weights(name: str) -> Path:
    """Return the file of weights that the package deepbet carries."""
    files = importlib.metadata.distribution('deepbet').files or []
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise FileNotFoundError(f'the package deepbet carries no {name}: reinstall deepbet>=1.0.2')
