"""Where perivascular spaces are looked for, and which region they belong to."""

from __future__ import annotations

import numpy as np
import pytest

from mriderived.core.perivascular_regions import (
    BASAL_GANGLIA,
    LOBAR,
    SIDES,
    divide_region,
    find_perivascular_region,
)


def draw() -> tuple[np.ndarray, np.ndarray]:
    """White matter with a hole, a nucleus, a ventricle on one side and a sulcus on the other."""
    structures = np.zeros((40, 40, 40), np.int32)
    structures[4:36, 4:36, 4:36] = 2
    structures[20:36, 4:36, 4:36] = 41
    structures[8:14, 8:14, 8:14] = 12
    structures[26:32, 26:32, 26:32] = 43
    structures[12, 25, 6:34] = 3
    fluid = np.isin(structures, (0, 43)).astype(np.float32)
    fluid[12, 25, 6:34] = 1
    return structures, fluid


def test_the_region_holds_holes_and_nuclei_but_no_fluid() -> None:
    structures, fluid = draw()
    brain = np.ones(structures.shape, bool)
    found = find_perivascular_region(structures, fluid, brain, (1, 1, 1))
    assert found[10, 10, 10]
    assert found[12, 25, 20], 'a thin hole is part of it, although it was taken for cortex'
    assert found[16, 25, 20]
    structures[15:18, 10:35, 6:34] = 3
    found = find_perivascular_region(structures, fluid, brain, (1, 1, 1))
    assert not found[16, 25, 20], 'a sheet of cortex is not'
    assert not found[24, 28, 28] and not found[25, 28, 28] and found[22, 28, 28]
    assert not found[5, 20, 20] and found[7, 20, 20]


def test_lesions_are_left_out() -> None:
    structures, fluid = draw()
    lesions = np.zeros(structures.shape, bool)
    lesions[10:12, 30, 30] = True
    brain = np.ones(structures.shape, bool)
    found = find_perivascular_region(structures, fluid, brain, (1, 1, 1), lesions)
    assert not found[13, 30, 30] and found[15, 30, 30]


def test_sides_and_lobes() -> None:
    structures, fluid = draw()
    region = find_perivascular_region(structures, fluid, np.ones(fluid.shape, bool), (1, 1, 1))
    sides = divide_region(structures, region, (1, 1, 1))
    assert set(np.unique(sides)) == {0, 1, *SIDES}
    assert sides[10, 10, 10] == 1 and sides[15, 20, 20] == 3 and sides[30, 20, 20] == 4
    gyri = structures.copy()
    gyri[:, :2], gyri[:, 38:] = 1028, 1011
    regions = divide_region(structures, region, (1, 1, 1), gyri)
    names = {**BASAL_GANGLIA, **LOBAR}
    assert names[int(regions[10, 10, 10])] == 'basal_ganglia_L'
    assert names[int(regions[15, 8, 20])] == 'frontal_L'
    assert names[int(regions[24, 33, 20])] == 'occipital_R'
    assert ((regions > 0) == region).all()


def test_without_gyri_in_the_image() -> None:
    structures, _ = draw()
    with pytest.raises(ValueError, match='no gyrus lies in the image'):
        divide_region(structures, structures > 0, (1, 1, 1), structures)
