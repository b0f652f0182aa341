"""Pictures of fibre distributions: colours, sizes and sides are those of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.core.fibre_peaks import half_sphere
from mriderived.figures.fods import Fods, fod_mosaic
from mriderived.figures.glyphs import direction_colours, paint_glyphs, paint_sticks

Array = NDArray[Any]
SHAPE = (44, 46, 36)
#: Radiological storage, as most scanners have it: the first axis runs to the left.
AFFINE = np.diag([-2.0, 2, 2, 1])


def test_colours_are_those_of_the_axes_and_bright_enough_to_be_seen() -> None:
    vectors = np.vstack([5 * np.eye(3), -np.eye(3), [[1, 1, 1]]])
    found = direction_colours(vectors)
    np.testing.assert_allclose(found[:3], found[3:6])
    assert (found[:3].argmax(axis=1) == [0, 1, 2]).all()
    np.testing.assert_allclose(found[:3].max(axis=1), 1)
    # oblique is neither white nor dark
    assert 0.6 < found[6].min() == found[6].max() < 0.9


def test_a_stick_is_painted_from_end_to_end_in_its_colour() -> None:
    ends = np.array([[[5.5, 10.5], [15.5, 10.5]]])
    picture = paint_sticks(np.zeros((20, 24, 3)), ends, np.array([[1.0, 0, 0]]), 2.0)
    red = picture[..., 0] > 0.9
    columns = np.flatnonzero(red.any(axis=0))
    assert abs(columns[0] - 5) <= 1
    assert abs(columns[-1] - 15) <= 1
    assert len(columns) == np.ptp(columns) + 1
    assert 1 <= red.any(axis=1).sum() <= 3
    assert not picture[..., 1:].any()


def test_a_glyph_has_its_size_and_hides_what_is_behind() -> None:
    axes = half_sphere(2500)
    picture = np.zeros((60, 60, 3))
    flat = np.full((1, 2500), 20.0)
    # a ball whose half towards the reader is green and whose other half is red
    colours = np.tile([0.0, 1, 0], (2500, 1))
    paint_glyphs(picture, flat, axes, colours, np.array([[30.0, 30.0]]))
    seen = picture[..., 1] > 0
    assert seen.sum() == pytest.approx(np.pi * 20**2, rel=0.12)
    assert seen[30, 12:48].all(), 'the surface has holes'
    # it is brightest where it is nearest
    assert picture[30, 30, 1] > 0.95 > picture[30, 13, 1]
    wide = np.where(np.abs(axes[:, :1].T) > 0.9, 20.0, 0.0)
    picture[:] = 0
    paint_glyphs(picture, wide, axes, colours, np.array([[30.0, 30.0]]))
    rows, columns = np.nonzero(picture[..., 1])
    assert np.ptp(columns) > 36
    assert np.ptp(rows) < 24


def test_a_glyph_at_the_edge_is_cut() -> None:
    picture = np.zeros((10, 10, 3))
    axes = half_sphere(500)
    paint_glyphs(picture, np.full((1, 500), 8.0), axes, np.ones((500, 3)), np.array([[0.0, 0.0]]))
    assert picture[:6, :6].all()


def _fods(crossing: Array, oblique: Array) -> Fods:
    """Return fibres along x in all voxels, crossed by those along ``oblique`` in some."""
    axes = half_sphere(400)
    peaks = np.zeros((*SHAPE, 3, 3))
    peaks[..., 0, :] = [0.8, 0, 0]
    peaks[crossing, 1] = 0.5 * oblique
    lobes = [np.exp(30 * ((axes @ direction) ** 2 - 1)) for direction in (np.eye(3)[0], oblique)]
    harmonics = np.stack([np.ones(SHAPE), crossing * 0.8], axis=-1)
    return Fods(peaks, harmonics, lambda shares: shares @ np.array(lobes), axes)


@pytest.mark.parametrize('side', ['left', 'right'])
def test_windows_show_the_crossing_on_its_side(side: str) -> None:
    crossing = np.zeros(SHAPE, bool)
    # along the first axis, larger is further left
    place = slice(26, 36) if side == 'left' else slice(8, 18)
    crossing[place, 16:30, 19:30] = True
    up = np.array([0.0, 0, 1])
    figure = fod_mosaic(np.full(SHAPE, 0.4), AFFINE, _fods(crossing, up), np.ones(SHAPE, bool),
                        limits=(0.0, 1.0))  # fmt: skip
    frames = [patch.get_bbox() for patch in figure.axes[0].patches]
    assert len(frames) == 3
    # on the axial and the coronal cut the frame lies on the side of the crossing
    for frame, (left, right) in zip(frames[:2], _cut_edges(figure)[:2], strict=True):
        is_left = (frame.x0 + frame.x1) / 2 < (left + right) / 2
        assert is_left == (side == 'left'), (frame, left, right)
    picture = np.asarray(figure.axes[0].images[0].get_array(), float) / 255
    assert abs(picture.shape[1] - 1700) <= 2
    # fibres along x are drawn red, bright enough to be read, over a dim background
    red = (picture[..., 0] > 0.95) & (picture[..., 1:].max(axis=-1) < 0.3)
    blue = (picture[..., 2] > 0.95) & (picture[..., :2].max(axis=-1) < 0.3)
    tall = int(figure.axes[0].get_ylim()[0])
    assert red[: tall // 3].mean() > 0.02
    assert blue.any()
    coloured = np.ptp(picture, axis=-1) > 0.3
    assert picture[~coloured].max() < 0.5, 'the background is as bright as the fibres'


def _cut_edges(figure: Any) -> list[tuple[float, float]]:
    """Return left and right of the upper cuts from where their positions are written."""
    starts = [text.get_position()[0] - 7 for text in figure.axes[0].texts
              if text.get_text()[0] in 'xyz']  # fmt: skip
    return list(zip(starts, [*starts[1:], 1700], strict=True))
