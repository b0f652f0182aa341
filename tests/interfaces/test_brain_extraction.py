"""Brain extraction around the networks; with them it is tested in ``test_truth.py``."""

import numpy as np
import pytest
import torch

from mriderived.interfaces import brain_extraction
from mriderived.interfaces.brain_extraction import (
    _network,
    _scale_box,
    extract_brain,
    find_device,
    find_weights,
)

CPU = torch.device('cpu')


def _threshold(scaled: torch.Tensor) -> torch.Tensor:
    """Stand for a network: everything bright is brain."""
    bright = (scaled > 0.5).float()
    return torch.cat([1 - bright, bright], dim=1)


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brain_extraction, '_network', lambda name, device: _threshold)


def test_mask_has_the_place_and_the_size_of_the_brain(networks) -> None:
    x, y, z = np.indices((90, 70, 60), dtype=np.float32)
    ball = ((x - 50) ** 2 + (y - 30) ** 2 + ((z - 33) * 1.5) ** 2) < 20**2
    image = np.where(ball, 100, 5).astype(np.float32)
    image[2:6, 2:6, 2:6] = 100
    mask = extract_brain(image, 'cpu', 1)
    assert mask.shape == image.shape
    assert mask.dtype == bool
    assert 2 * (mask & ball).sum() / (mask.sum() + ball.sum()) > 0.97
    assert not mask[:10].any()


def test_threads_of_torch_are_given_back(networks) -> None:
    before = torch.get_num_threads()
    image = np.zeros((20, 20, 20), np.float32)
    image[5:15, 5:15, 5:15] = 1
    extract_brain(image, 'cpu', before + 1)
    assert torch.get_num_threads() == before


def test_an_image_without_contrast_or_brain_is_refused(networks, monkeypatch) -> None:
    with pytest.raises(ValueError, match='no contrast'):
        extract_brain(np.ones((20, 20, 20), np.float32), 'cpu', 1)
    empty = lambda x: torch.zeros(1, 2, *x.shape[2:])  # noqa: E731
    monkeypatch.setattr(brain_extraction, '_network', lambda name, device: empty)
    with pytest.raises(ValueError, match='no brain was found'):
        extract_brain(np.random.default_rng(0).random((20, 20, 20), np.float32), 'cpu', 1)


def test_box_is_scaled_to_the_image_with_a_margin() -> None:
    rough = np.zeros((128, 128, 128), bool)
    rough[32:96, 32:96, 32:96] = True
    box = _scale_box(rough, (256, 128, 64))
    assert [(part.start, part.stop) for part in box] == [(51, 205), (26, 102), (13, 51)]


def test_a_missing_gpu_is_named(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert find_device('auto') == CPU
    with pytest.raises(RuntimeError, match='--device cuda'):
        find_device('cuda')


@pytest.mark.parametrize('name', ['bbox_model.pt', 'model.pt'])
def test_weights_load_and_give_the_probability_of_brain(name: str) -> None:
    with torch.inference_mode():
        result = _network(name, CPU)(torch.full((1, 1, 32, 32, 32), 0.4))
    assert result.shape == (1, 2, 32, 32, 32)
    torch.testing.assert_close(result.sum(dim=1), torch.ones(1, 32, 32, 32))


def test_missing_weights_are_named() -> None:
    with pytest.raises(FileNotFoundError, match='reinstall deepbet'):
        find_weights('nothing.pt')
