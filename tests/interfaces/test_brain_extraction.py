import numpy as np
import pytest
import torch

from mriderived.interfaces import brain_extraction
from mriderived.interfaces.bias import correct_bias
from mriderived.interfaces.brain_extraction import (
    _scale_box,
    extract_brain,
    find_device,
    find_weights,
)


def _threshold(scaled):
    """Stand for a network: everything bright is brain."""
    bright = (scaled > 0.5).float()
    return torch.cat([1 - bright, bright], dim=1)


@pytest.fixture
def networks(monkeypatch):
    monkeypatch.setattr(brain_extraction, '_network', lambda name, device: _threshold)


def test_mask_has_the_place_and_the_size_of_the_brain(networks):
    x, y, z = np.indices((90, 70, 60), dtype=np.float32)
    ball = ((x - 50) ** 2 + (y - 30) ** 2 + ((z - 33) * 1.5) ** 2) < 20**2
    image = np.where(ball, 100, 5).astype(np.float32)
    image[2:6, 2:6, 2:6] = 100
    mask = extract_brain(image, 'cpu', 1)
    assert 2 * (mask & ball).sum() / (mask.sum() + ball.sum()) > 0.97
    assert not mask[:10].any()


def test_threads_of_torch_are_given_back(networks):
    before = torch.get_num_threads()
    image = np.zeros((20, 20, 20), np.float32)
    image[5:15, 5:15, 5:15] = 1
    extract_brain(image, 'cpu', before + 1)
    assert torch.get_num_threads() == before


def test_an_image_without_contrast_or_brain_is_refused(networks, monkeypatch):
    flat = np.ones((20, 20, 20), np.float32)
    with pytest.raises(ValueError, match='no contrast'):
        extract_brain(flat, 'cpu', 1)
    monkeypatch.setattr(
        brain_extraction,
        '_network',
        lambda name, device: lambda x: torch.zeros(1, 2, *x.shape[2:]),
    )
    with pytest.raises(ValueError, match='no brain was found'):
        extract_brain(np.random.default_rng(0).random((20, 20, 20)).astype('f4'), 'cpu', 1)


def test_box_is_scaled_to_the_image_with_a_margin():
    rough = np.zeros((128, 128, 128), bool)
    rough[32:96, 32:96, 32:96] = True
    box = _scale_box(rough, (256, 128, 64))
    assert [(part.start, part.stop) for part in box] == [(51, 205), (26, 102), (13, 51)]


def test_a_missing_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert find_device('auto') == torch.device('cpu')
    with pytest.raises(RuntimeError, match='--device cuda'):
        find_device('cuda')


def test_weights_are_found_and_missing_ones_named():
    assert find_weights('model.pt').stat().st_size > 1e6
    with pytest.raises(FileNotFoundError, match='reinstall deepbet'):
        find_weights('nothing.pt')


def test_bias_is_removed_from_the_brain():
    rng = np.random.default_rng(0)
    x, y, z = np.indices((64, 64, 64)) - 31.5
    brain = x**2 + y**2 + z**2 < 28**2
    tissue = np.where(np.sin(x / 2.5) * np.sin(y / 2.5) * np.sin(z / 2.5) > 0, 100.0, 60.0)
    field = np.exp(0.25 * x / 28)
    image = (tissue * field + rng.normal(0, 2, field.shape)).astype(np.float32)
    corrected = correct_bias(image, brain, np.full(3, 2.5), rounds=20)
    left = np.log(corrected / tissue)[brain]
    assert left.std() < 0.35 * np.log(field)[brain].std()


def test_a_brain_without_positive_values_is_refused():
    brain = np.ones((8, 8, 8), bool)
    with pytest.raises(ValueError, match='no positive values'):
        correct_bias(np.zeros((8, 8, 8), np.float32), brain, np.ones(3))
