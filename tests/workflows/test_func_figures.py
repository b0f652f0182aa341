"""Pictures of BOLD: which rows a carpet has, and ticks that are volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_bold import AFFINE, SHAPE, TR, write_t1w

from mriderived.figures.time_courses import draw_traces
from mriderived.interfaces.draw import Draw
from mriderived.interfaces.series import save_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import save
from mriderived.measures.base import Figure
from mriderived.workflows.func_confounds import BOLD_CONFOUNDS
from mriderived.workflows.func_figures import _find_outline, draw_carpet, sort_by_tissue
from mriderived.workflows.runner import _required

FRAMES = 7


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    mask = np.zeros(SHAPE, bool)
    mask[3:-3, 3:-3, 3:-3] = True
    noise = np.random.default_rng(0).normal(1000, 10, (mask.sum(), FRAMES)).astype(np.float32)
    names = ('framewise_displacement', 'std_dvars', 'global_signal')
    table = pd.DataFrame(np.ones((FRAMES, 3)), columns=list(names))
    table.to_csv('confounds.tsv', sep='\t', index=False)
    write_remarks(tmp_path / 'confounds.tsv')
    return {
        'bold_preproc': save_masked(noise, mask, AFFINE, TR, 'bold.nii.gz'),
        'bold_mask': save(mask.astype(np.uint8), AFFINE, 'mask.nii.gz'),
        'bold_confounds': tmp_path / 'confounds.tsv',
    }


def labels(figure: Any) -> list[str]:
    return [tick.get_text() for tick in figure.axes[-1].get_yticklabels()]


def test_the_rows_of_a_carpet_are_tissues_where_there_are_any(files: dict[str, Path]) -> None:
    t1w = write_t1w(Path.cwd())._asdict()
    t1w.pop('brain_mask')
    (figure,) = draw_carpet(**files, **t1w)
    assert labels(figure) == ['grey matter', 'white matter', 'CSF']
    (plain,) = draw_carpet(**files)
    assert labels(plain) == ['inside', 'edge']
    figure.draw_without_rendering()
    ticks = figure.axes[-1].get_xticks()
    assert len(ticks) > 3
    np.testing.assert_array_equal(ticks, np.rint(ticks))


def test_a_voxel_is_of_the_tissue_that_fills_most_of_it() -> None:
    shares = np.array([[0.6, 0.1, 0.4, 0.0], [0.4, 0.9, 0.3, 0.2], [0, 0, 0.3, 0.1]])
    rows = sort_by_tissue(np.array([3, 2, 1, 0]), shares.astype(np.float32))
    assert {name: place.tolist() for name, place in rows.items()} == {
        'grey matter': [0], 'white matter': [1],
    }  # fmt: skip


def test_a_figure_knows_what_it_can_do_without() -> None:
    (carpet,) = (figure for figure in BOLD_CONFOUNDS.figures if figure.name == 'carpet')
    tissues = ('xfm_bold_to_t1w', 'gm_probseg', 'wm_probseg', 'csf_probseg')
    assert carpet.optional == tissues

    class Node:
        interface = Draw(carpet.draw, carpet.needs, (), carpet.optional)

    assert _required(Node) == set(carpet.needs)
    plain = Figure('x', lambda bold: [], ('bold',), 'X', 'X')
    assert plain.optional == ()


def test_ticks_of_motion_are_volumes() -> None:
    figure = draw_traces({'FD (mm)': {'FD': np.arange(4.0)}}, {})
    figure.draw_without_rendering()
    ticks = figure.axes[-1].get_xticks()
    np.testing.assert_array_equal(ticks, np.rint(ticks))


def test_the_outline_of_distortion_is_that_of_the_largest_body() -> None:
    image = np.zeros((40, 40, 30), np.float32)
    image[8:32, 6:34, 0:24] = 100
    # a ventricle that the lower edge of the image opens, and noise beside the head
    image[16:22, 16:22, 0:12] = 5
    image[2:5, 2:5, 26:29] = 100
    image[1, 38, 20] = 100
    outline = _find_outline(image)
    assert outline[18, 18, 5], 'what is dark inside is not filled'
    assert not outline[:6, :5, 25:].any()
    assert outline[11:29, 9:31, 2:21].all()
    assert outline.sum() <= 24 * 28 * 24
    assert _find_outline(np.zeros((5, 5, 5), np.float32)).all()
