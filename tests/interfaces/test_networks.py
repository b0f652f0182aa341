"""Loading and running networks: what is wrong with a file is said with its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mriderived.core.affine import Brain
from mriderived.core.registration import Template
from mriderived.interfaces import network_registration, network_segmentation
from mriderived.interfaces.network_registration import align_by_network, knows_space
from mriderived.interfaces.network_segmentation import (
    Segmentation,
    _check,
    _find_label,
    _find_no_grey,
    load_corners,
    load_network_brain,
)
from mriderived.interfaces.network_weights import (
    FILES,
    PATCHES,
    VARIABLE,
    WARP,
    WHOLE,
    WeightsError,
    broken_weights,
    digest_weights,
    missing_weights,
    weights_folder,
)
from mriderived.interfaces.networks import Network, inference
from mriderived.spaces import DEFAULT_SPACE, get_space
from network_fakes import Constant, Levels, NoGrey, Shift, save_network, write_fakes

CPU = torch.device('cpu')
SMALL = (24, 24, 24)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of networks of ours that is looked into."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'models'))
    return write_fakes(tmp_path / 'models')


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a small grid: the networks take any."""
    for name, value in {
        'SHAPE': SMALL, 'COARSE_SHAPE': (16, 16, 16), 'PATCH_SHAPE': (12, 12, 12),
        'HALF_SHAPE': (12, 24, 24), 'HALVES': ((0, 0, 0), (12, 0, 0)),
    }.items():  # fmt: skip
        monkeypatch.setattr(network_segmentation, name, value)
    left = [(0, y, z) for y in (0, 6, 12) for z in (0, 6, 12)]
    middle = [(6, y, z) for _, y, z in left]
    right = [(12, y, z) for _, y, z in left]
    corners = np.array([*left, *middle, *right])
    monkeypatch.setattr(network_segmentation, 'load_corners', lambda: corners)


def test_the_folder_is_that_of_the_package_unless_named(monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert weights_folder().parts[-3:] == ('deepmriprep', 'data', 'models')
    monkeypatch.setenv(VARIABLE, '/elsewhere')
    assert weights_folder() == Path('/elsewhere')


def test_missing_and_broken_files_are_found(folder: Path) -> None:
    assert missing_weights(folder) == broken_weights(folder) == ()
    (folder / WARP).unlink()
    whole = (folder / WHOLE).read_bytes()
    (folder / WHOLE).write_bytes(whole[: len(whole) // 2])
    (folder / PATCHES[3]).write_text('version https://git-lfs.github.com/spec/v1\n')
    assert missing_weights(folder) == (WARP,)
    assert broken_weights(folder) == (WHOLE, PATCHES[3])
    assert missing_weights(folder / 'nowhere') == FILES


def test_the_digest_tells_weights_apart(folder: Path) -> None:
    before = digest_weights((WHOLE, WARP))
    assert before == digest_weights((WHOLE, WARP))
    save_network(folder / WARP, Shift(0.5))
    assert digest_weights((WHOLE, WARP)) != before


def test_a_network_runs(folder: Path) -> None:
    volume = torch.full((1, *SMALL), 0.65)
    with inference(1):
        (label,) = Network(WHOLE, CPU)(volume, 1)
        moving, fixed = Network(WARP, CPU)(volume.repeat(4, 1, 1, 1), 3, 3)
    assert label.shape == (1, *SMALL)
    torch.testing.assert_close(label, torch.full((1, *SMALL), 2.0))
    assert moving.shape == fixed.shape == (3, *SMALL)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / WHOLE).unlink()
    with pytest.raises(WeightsError, match=rf'models/{WHOLE} is missing; copy it from https://'):
        Network(WHOLE, CPU)


@pytest.mark.parametrize('content', [b'', b'not a network', None])
def test_a_corrupt_file_is_named(content: bytes | None, folder: Path) -> None:
    whole = (folder / WHOLE).read_bytes()
    (folder / WHOLE).write_bytes(whole[:-200] if content is None else content)
    with pytest.raises(WeightsError, match=rf'{WHOLE} holds no network that torch can load'):
        Network(WHOLE, CPU)


def test_an_archive_without_a_network_is_named(folder: Path) -> None:
    shutil.make_archive(str(folder / 'other'), 'zip', folder.parent, 'models')
    (folder / 'other.zip').replace(folder / WHOLE)
    assert broken_weights(folder) == ()
    with pytest.raises(WeightsError, match=f'{WHOLE} holds no network'):
        Network(WHOLE, CPU)


@pytest.mark.parametrize(('module', 'message'), [
    (Constant(1, channels=2), r'the shape 1 × 2 × 24 × 24 × 24, not 1 × 1 × 24 × 24 × 24'),
    (Constant(1, channels=1, step=2), r'the shape 1 × 1 × 12 × 24 × 24, not'),
    (Constant(float('nan'), channels=1), 'values that are not finite'),
    (torch.nn.Conv3d(4, 1, 1), r'failed on an input of shape \(1, 24, 24, 24\)'),
    (Shift(), 'is another network|failed on an input'),
])  # fmt: skip
def test_another_network_is_named(module: torch.nn.Module, message: str, folder: Path) -> None:
    save_network(folder / WHOLE, module)
    with inference(1), pytest.raises(WeightsError, match=message) as caught:
        Network(WHOLE, CPU)(torch.zeros(1, *SMALL), 1)
    assert WHOLE in str(caught.value)


def test_threads_of_torch_are_given_back() -> None:
    before = torch.get_num_threads()
    with inference(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_the_patches_of_the_package_cover_the_grid_in_mirrored_pairs() -> None:
    corners = load_corners()
    assert corners.shape == (27, 3)
    assert (corners >= 0).all()
    assert (corners + 128 <= [336, 384, 336]).all()
    mirrored = [336 - 128, 0, 0] + corners[:9] * [-1, 1, 1]
    assert np.array_equal(corners[18:], mirrored)


def test_the_brain_template_covers_the_grid() -> None:
    brain = load_network_brain()
    assert brain.data.shape == (339, 411, 339)
    assert np.allclose(brain.affine[:3, 3] + [0.5, 7.5, 0], [-83.5, -112.5, -72])


def test_the_label_comes_from_the_patches_and_their_guess(small, folder: Path) -> None:
    image = np.full(SMALL, 0.15, np.float32)
    image[6:18, 6:18, 6:18] = 0.65
    image[9:15, 9:15, 9:15] = 0.95
    with inference(1):
        label = _find_label(image, CPU)
    expected = np.select([image > 0.9, image > 0.6], [3, 2], 1)
    assert np.abs(label - expected).max() < 1e-4


class Ramp(torch.nn.Module):
    """Gives 1 on the first plane of the patch, more on the next: tells which way it looks."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ramp = torch.arange(1.0, x.shape[2] + 1.0)[None, None, :, None, None]
        return ramp + 0 * x[:, :1]


def test_the_right_half_is_seen_mirrored(small, folder: Path) -> None:
    for number, name in enumerate(PATCHES):
        save_network(folder / name, Ramp() if number < 9 else Constant(1.0, channels=1))
    with inference(1):
        label = _find_label(np.full(SMALL, 0.65, np.float32), CPU)
    assert np.allclose(label[:3], np.broadcast_to([[[1]], [[2]], [[3]]], (3, 24, 24)), atol=1e-4)
    assert np.allclose(label, label[::-1], atol=1e-4)


def test_both_halves_are_searched_for_misplaced_grey_matter(small, folder: Path) -> None:
    with inference(1):
        nowhere = _find_no_grey(np.full(SMALL, 2, np.float32), CPU)
    assert np.allclose(nowhere, 1 / (1 + np.exp(9)), atol=1e-6)
    save_network(folder / 'segmentation_nogm_model.pt', NoGrey(9.0))
    with inference(1):
        everywhere = _find_no_grey(np.full(SMALL, 2, np.float32), CPU)
    assert (everywhere > 0.99).all()


@pytest.mark.parametrize(('shares', 'background', 'message'), [
    ((0.5, 0.3, 0.2), 0.25, 'take 25% of the brain mask for background'),
    ((0.01, 0.6, 0.39), 0, 'grey matter in only 1.0% of the brain mask'),
    ((0.6, 0.0, 0.4), 0, 'white matter in only 0.0% of the brain mask'),
])  # fmt: skip
def test_what_is_no_brain_is_refused(shares, background: float, message: str) -> None:
    mask = np.ones(SMALL, bool)
    parts = tuple(np.full(SMALL, share, np.float32) for share in shares)
    fractions = network_segmentation.Fractions(*parts)
    with pytest.raises(ValueError, match=message):
        _check(Segmentation(fractions, background), mask)


def test_velocities_of_the_network_become_voxels(folder: Path, monkeypatch) -> None:
    save_network(folder / WARP, Shift(0.1))
    monkeypatch.setattr(
        network_registration, 'align_with_network_brain', lambda brain, threads: np.eye(4)
    )
    grid = np.diag([1.5, 1.5, 1.5, 1])
    shape = (21, 25, 31)
    template = Template(np.ones(shape, np.float32), grid, np.ones((2, *shape), np.float32))
    brain = Brain(np.ones(shape, np.float32), grid)
    found = align_by_network(template, brain, np.ones((2, *shape), np.float32), 'cpu', 1)
    # 0.1 of half the grid (10 voxels) by either half
    assert np.allclose(found.warp.fixed_to_moving[0], 2, atol=1e-4)
    assert np.allclose(found.warp.moving_to_fixed[0], -2, atol=1e-4)
    assert np.allclose(found.warp.fixed_to_moving[1:], 0)
    assert np.allclose(found.affine[:3, 3], 0.5)
    assert np.array_equal(found.grid, grid)


def test_only_the_template_that_was_learnt_is_known(tmp_path: Path) -> None:
    tissues = get_space(DEFAULT_SPACE).tissues
    assert tissues is not None
    assert knows_space(tissues)
    assert not knows_space(None)
    copy = tmp_path / 'other.nii.gz'
    copy.write_bytes(b'')
    assert not knows_space(copy)


def test_levels_of_the_fake() -> None:
    found = Levels()(torch.tensor([0.0, 0.15, 0.4, 0.65, 0.95, 1.2]))
    torch.testing.assert_close(found, torch.tensor([1.0, 1.0, 1.5, 2.0, 3.0, 3.0]))
