"""The shipped fiducials: whole, in their place, with their licence."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.core.landmarks import TEMPLATE
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.spaces.fiducials import FILE, LICENCE, REFERENCE, load_afids

ROOT = Path(__file__).parents[2]


def test_the_table_is_whole() -> None:
    afids = load_afids()
    assert [afid.number for afid in afids] == list(range(1, 33))
    assert len({afid.name for afid in afids}) == 32
    places = {afid.name: afid.position for afid in afids}
    assert places['AC'] == TEMPLATE['AC'] and places['PC'] == TEMPLATE['PC']
    distance = np.linalg.norm(np.subtract(places['AC'], places['PC']))
    assert distance == pytest.approx(27.9, abs=0.05)


def test_sides() -> None:
    places = {afid.name: np.array(afid.position) for afid in load_afids()}
    for name, place in places.items():
        if f'L{name[1:]}' in places and name.startswith('R'):
            other = places[f'L{name[1:]}']
            assert place[0] > 1 > -1 > other[0], name
            assert np.linalg.norm(place * (-1, 1, 1) - other) < 4.5, name


def test_they_lie_in_the_brain_of_the_space() -> None:
    image = nb.load(get_space(DEFAULT_SPACE).brain)
    inverse = np.linalg.inv(image.affine)
    points = np.array([afid.position for afid in load_afids()])
    voxels = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    assert (np.asarray(image.dataobj)[tuple(voxels.T)] > 0).all()


def test_their_licence_is_told() -> None:
    page = (ROOT / 'docs' / 'spaces.md').read_text()
    assert FILE.name in page and LICENCE in page and REFERENCE in page
