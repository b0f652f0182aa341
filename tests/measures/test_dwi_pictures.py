"""The pictures of diffusion, from files as the steps and measures write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mriderived.figures.directions import direction_mosaic
from mriderived.interfaces.volumes import save
from mriderived.measures.dwi_maps import dwi_figure
from mriderived.measures.tensor import draw_colour_fa
from mriderived.workflows.dwi_figures import draw_dwi_distortion, draw_dwi_mask, draw_dwi_motion

SHAPE = (20, 24, 16)
AFFINE = np.diag([-3.0, 3, 3, 1])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ball() -> np.ndarray:
    away = [(np.indices(SHAPE)[k] - SHAPE[k] / 2) / SHAPE[k] for k in range(3)]
    return np.asarray(np.sqrt(sum(a**2 for a in away)) < 0.35)


def test_the_main_direction_is_drawn_in_its_colour() -> None:
    mask = save(ball().astype(np.uint8), AFFINE, 'mask.nii.gz')
    colours = np.zeros((*SHAPE, 3), np.float32)
    colours[..., 2] = 0.7 * ball()
    path = save(colours, AFFINE, 'colours.nii.gz')
    (figure,) = draw_colour_fa(path, mask)
    picture = figure.axes[0].images[0].get_array()
    assert picture[..., 2].max() == 255
    # no red or green where the direction is drawn
    assert picture[picture[..., 2] > 200][:, :2].max() < 60


def test_colours_outside_of_the_mask_are_not_cut() -> None:
    figure = direction_mosaic(np.ones((*SHAPE, 3)), AFFINE, crop_to=ball())
    assert (np.asarray(figure.axes[0].images[0].get_array()) == 255).any()


def test_a_map_is_drawn_over_the_reference() -> None:
    reference = save((ball() * 500).astype(np.float32), AFFINE, 'reference.nii.gz')
    fa = save((ball() * 0.5).astype(np.float32), AFFINE, 'fa.nii.gz')
    draw = dwi_figure('tensor_fa', 'FA', limits=(0.0, 1.0))
    (figure,) = draw(tensor_fa=fa, dwi_reference=reference)
    assert any('FA' in text.get_text() for text in figure.texts)


def test_the_steps_have_pictures() -> None:
    reference = save((ball() * 500).astype(np.float32), AFFINE, 'reference.nii.gz')
    mask = save(ball().astype(np.uint8), AFFINE, 'mask.nii.gz')
    assert len(draw_dwi_distortion(reference, reference)) == 2
    assert len(draw_dwi_mask(reference, mask)) == 1
    table = pd.DataFrame(
        np.zeros((5, 7)),
        columns=[*(f'{kind}_{axis}' for kind in ('trans', 'rot') for axis in 'xyz'),
                 'framewise_displacement'],
    )  # fmt: skip
    table.to_csv('motion.tsv', sep='\t', index=False)
    outliers = pd.DataFrame(np.eye(5, 16), columns=[f'slice_{n}' for n in range(16)])
    outliers.to_csv('outliers.tsv', sep='\t', index=False)
    (figure,) = draw_dwi_motion(Path('motion.tsv'), Path('outliers.tsv'))
    lost = figure.axes[3].lines[0].get_ydata()
    np.testing.assert_array_equal(lost, np.ones(5))
