"""Lobes of white matter, ventricles that follow fluid, and means over thick slices."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.grid_average import average_on_grid, count_parts
from mriderived.core.hyperintensity_lobes import GYRI, divide_lobes, follow_fluid
from mriderived.spaces.labels import read_table
from mriderived.spaces.registry import get_atlas
from mriderived.spaces.structures import ATLAS


def test_every_gyrus_of_the_atlas_has_one_lobe() -> None:
    table = read_table(get_atlas(ATLAS).table)
    gyri = table['index'][table['tissue'] == 'cortex'].to_numpy()
    grouped = [gyrus for lobe in GYRI.values() for gyrus in lobe]
    assert len(set(grouped)) == len(grouped)
    assert {int(gyrus) % 1000 for gyrus in gyri} == {*grouped}
    names = {int(row.index_) % 1000: row.name_ for row in
             table.rename(columns={'index': 'index_', 'name': 'name_'}).itertuples()
             if row.index_ > 1000}  # fmt: skip
    for lobe, words in ((1, 'front'), (2, 'pariet'), (3, 'tempor'), (4, 'occip')):
        mine = [gyrus for gyrus, name in names.items() if words in name]
        assert mine and set(mine) <= set(GYRI[lobe]), words


def test_white_matter_belongs_to_the_nearest_gyrus_in_mm() -> None:
    labels = np.zeros((1, 3, 9), np.int32)
    labels[0, 0, 4], labels[0, 2, 0] = 1028, 2011
    labels[0, 2, 1:] = 41
    brain = labels >= 0
    # along slices of 4 mm the frontal gyrus is nearer, in voxels the occipital one
    lobes = divide_lobes(labels, brain, (1, 1, 4))
    assert lobes[0, 2].tolist() == [4, 4, 4, 1, 1, 1, 1, 1, 1]
    assert divide_lobes(labels, brain, (1, 9, 1))[0, 2, 4] == 4


def test_cerebral_white_matter_near_the_cerebellum_is_not_below_the_tentorium() -> None:
    labels = np.int32([1011, 2, 2, 8, 0, 16, 0])[:, None, None]
    found = divide_lobes(labels, labels >= 0, (1, 1, 1)).ravel().tolist()
    assert found == [4, 4, 4, 6, 6, 6, 6]
    assert divide_lobes(labels, labels == 2, (1, 1, 1)).ravel().tolist() == [0, 4, 4, 0, 0, 0, 0]


def test_without_a_gyrus_there_are_no_lobes() -> None:
    with pytest.raises(ValueError, match='no gyrus lies in the image'):
        divide_lobes(np.full((3, 3, 3), 2, np.int32), np.ones((3, 3, 3), bool), (1, 1, 1))


def test_ventricles_grow_with_the_fluid_but_not_to_sulci() -> None:
    grid = np.indices((40, 40, 40)) - 19.5
    away = np.sqrt((grid**2).sum(axis=0))
    template, true = away < 5, away < 9
    sulci = away > 17
    found = follow_fluid(template, true | sulci, (1, 1, 1), 8)
    assert (found == true).all()
    assert (follow_fluid(template, sulci, (1, 1, 1), 8) == template).all()
    assert not follow_fluid(template & False, true, (1, 1, 1), 8).any()


def test_thick_slices_hold_the_mean_of_what_they_cover() -> None:
    rng = np.random.default_rng(0)
    fine = rng.uniform(size=(6, 5, 20)).astype(np.float32)
    matrix = np.diag([1.0, 1, 5, 1])
    matrix[2, 3] = 2  # the middle of the first five
    parts = count_parts((1, 1, 5), (1, 1, 1))
    found = average_on_grid(fine, matrix, (6, 5, 4), parts)
    # the last plane along each axis needs a neighbour beyond the edge
    wanted = fine.reshape(6, 5, 4, 5).mean(axis=3)
    np.testing.assert_allclose(found[:-1, :-1, :-1], wanted[:-1, :-1, :-1], atol=1e-5)
    assert count_parts((0.4, 0.4, 3.0), (1.5, 1.5, 1.5)) == (1, 1, 2)
