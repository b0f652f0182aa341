"""Effects are painted on the right side and region, and faded where they do not hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mriderived.figures.inflated import Painted, paint_inflated
from mriderived.group.painted import SIDES, _load, paint_effects
from mriderived.spaces.fsaverage import load_fsaverage


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('atlases')


def make_family(regions: list[str], variant: str = 'DesikanKilliany') -> pd.DataFrame:
    t = np.linspace(-4, 4, len(regions))
    return pd.DataFrame({'region': regions, 'variant': variant, 't': t,
                         'p_fdr': np.where(np.abs(t) > 3, 0.01, 0.5)})  # fmt: skip


def test_vertices_lie_in_the_regions_that_anatomy_says(folder: Path) -> None:
    atlas = _load('DesikanKilliany', folder)
    assert atlas is not None
    index = dict(zip(atlas.table['name'], atlas.table['index'], strict=True))
    for side, hemisphere in zip(SIDES, ('lh', 'rh'), strict=True):
        mesh, labels = load_fsaverage(side), atlas.vertices[side]
        assert (labels[mesh.is_cortex] > 0).mean() > 0.97 and not labels[~mesh.is_cortex].any()
        assert len(np.unique(labels[labels > 0])) == 34
        assert (labels[labels > 0] // 1000 == {'L': 1, 'R': 2}[side]).all()
        y = {
            name: mesh.midthickness[labels == index[f'ctx-{hemisphere}-{name}'], 1].mean()
            for name in ('frontalpole', 'precentral', 'postcentral', 'lateraloccipital')
        }
        assert y['frontalpole'] > 50 > 0 > y['precentral'] > y['postcentral'] > -40
        assert y['lateraloccipital'] < -75


def test_cortex_is_inflated_and_the_rest_is_on_slices(folder: Path) -> None:
    family = make_family(['ctx-lh-precuneus', 'Left-Hippocampus', 'Right-Hippocampus'])
    drawn = paint_effects(family, 'p_fdr', 0.05, 'age', folder)
    assert [one.kind for one in drawn] == ['cortex', 'slices']
    others = make_family(['ctx_lh_precuneus', 'ctx_rh_cuneus'])  # spelt otherwise
    assert [one.kind for one in paint_effects(others, 'p_fdr', 0.05, 'age', folder)] == ['cortex']
    assert paint_effects(make_family(['nowhere']), 'p_fdr', 0.05, 'age', folder) == []
    unknown = make_family(['x', 'y'], variant='NoSuchAtlas')
    assert paint_effects(unknown, 'p_fdr', 0.05, 'age', folder) == []


def test_what_does_not_hold_is_faded() -> None:
    mesh = load_fsaverage('L')
    colours = []
    for weight in (1.0, 0.3, 0.0):
        count = len(mesh.inflated)
        painted = Painted(mesh.inflated, mesh.triangles, mesh.sulcal_depth, np.full(count, 4.0),
                          np.full(count, weight))  # fmt: skip
        figure = paint_inflated({'L': painted, 'R': painted}, label='t', limits=(-4, 4),
                                colours='RdBu_r')  # fmt: skip
        found = figure.axes[0].collections[0].get_facecolor()
        colours.append(float((found[:, 0] - found[:, 2]).mean()))
    # red less blue: full, a third, none
    assert colours[0] > 0.2 and colours[1] == pytest.approx(0.3 * colours[0], rel=0.02)
    assert colours[2] == pytest.approx(0, abs=1e-6)
