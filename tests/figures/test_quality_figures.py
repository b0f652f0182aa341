"""Pictures of background and noise."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb

from mriderived.core.quality_noise import fit_noise
from mriderived.figures.quality import COLOURS, COLUMNS, draw_background, draw_noise
from mriderived.figures.style import save_svg

NAMES = {1: 'air', 2: 'artefact', 3: 'head', 4: 'padding', 5: 'air below'}


def head() -> tuple[np.ndarray, np.ndarray]:
    labels = np.ones((40, 50, 44), np.uint8)
    labels[8:32, 8:42, 0:30] = 3
    labels[2:5, 4:8, 38:42] = 2
    volume = np.where(labels == 3, 100.0, 2.0).astype(np.float32)
    return volume, labels


def test_background_shows_the_slices_with_most_artefacts(tmp_path: Path) -> None:
    figure = draw_background(*head(), np.array([1.0, 1.0, 1.5]), NAMES)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 3 * COLUMNS
    red = to_rgb(COLOURS[2])
    shown = [(axes.images[1].get_array()[..., :3] == red).all(axis=-1).any() for axes in panels]
    assert [any(shown[row * COLUMNS : (row + 1) * COLUMNS]) for row in range(3)] == [True] * 3
    # ghosts are visible: a tenth of the brightest is white
    assert panels[0].images[0].get_clim() == (0, 10)
    assert panels[0].get_aspect() == 1.5
    file = save_svg(figure, tmp_path / 'air.svg')
    assert 1_000 < file.stat().st_size < 1_000_000


def test_background_of_an_image_without_head_or_intensity() -> None:
    figure = draw_background(
        np.zeros((8, 8, 8), np.float32), np.zeros((8, 8, 8), np.uint8), np.ones(3), NAMES
    )
    assert len([axes for axes in figure.axes if axes.images]) == 3 * COLUMNS


def test_noise_draws_every_bin_but_the_open_one() -> None:
    fit = fit_noise(np.random.default_rng(0).rayleigh(4, 20_000))
    assert fit is not None
    axes = draw_noise(fit.edges, fit.observed, fit.expected, fit.cutoff).axes[0]
    assert len(axes.patches) == len(fit.observed) - 1
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(lines['coil noise, fitted'].get_ydata(), fit.expected[:-1])
