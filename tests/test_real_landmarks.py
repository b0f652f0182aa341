"""Landmarks of a real head move with it, the registration in the loop: turned, and mirrored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from landmark_equivariance import Head, compare, draw_move, measure, move_head

from mriderived.core.masks import find_box
from mriderived.interfaces.volumes import load, load_affine, load_ras, save
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.workflows.anat_tissue import segment_t1w

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long]
MARGIN = 12


def read_head(path: Path, threads: int) -> Head:
    """Read a scan of which others have removed all but the brain, and segment it."""
    data, affine = load_ras(path)
    brain = data > 0
    box = find_box(brain, (MARGIN,) * 3)
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    t1w = save(data[box], affine, 't1w.nii.gz')
    mask = save(brain[box].astype(np.uint8), affine, 'mask.nii.gz')
    space = get_space(DEFAULT_SPACE)
    assert space.tissues is not None
    tissues = segment_t1w(t1w, mask, space.brain, space.tissues, threads, sloppy=True)
    arrays = {
        't1w': load(t1w),
        'brain_mask': load(mask),
        'gm_probseg': load(tissues.gm_probseg),
        'wm_probseg': load(tissues.wm_probseg),
    }
    return Head(arrays, load_affine(t1w))


def test_landmarks_move_with_a_head_that_is_registered_again(
    test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.3 mm at most for both commissures and the midsagittal plane."""
    monkeypatch.chdir(tmp_path)
    path = test_data / 'ds002748' / 'sub-52' / 'anat' / 'sub-52_T1w.nii.gz'
    head = read_head(path, threads=2)
    still = measure(move_head(head, np.eye(4)), tmp_path / 'still', 2)
    rng = np.random.default_rng(7)
    for flip in (False, True):
        matrix = draw_move(rng, flip=flip)
        moved = measure(move_head(head, matrix), tmp_path / f'flip{flip}', 2)
        away = compare(still, moved, matrix)
        assert max(away['AC'], away['PC'], away['plane']) <= 0.3, away
        assert away['degrees'] <= 0.5, away
