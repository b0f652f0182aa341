"""All metrics of a synthetic head: degradations move them, and what is missing has a reason."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core import quality_reasons
from mriderived.core.masks import find_box
from mriderived.core.quality_reasons import AIR_COLUMNS, NO_AIR, NOISE_COLUMNS
from mriderived.core.quality_t1w import T1wQuality, T1wScan, measure_t1w_quality

SHAPE, SPACING = (120, 140, 120), (1.5, 1.5, 1.5)
TO_SPACE = np.array([[1.5, 0, 0, -90], [0, 1.5, 0, -123], [0, 0, 1.5, -80], [0, 0, 0, 1]])
#: Radius as a fraction of the head, intensity.
SHELLS = {'head': (1.0, 500.0), 'csf': (0.85, 250.0), 'gm': (0.8, 700.0), 'wm': (0.62, 1000.0)}
SIGMA = 15.0


def radius() -> np.ndarray:
    grid = np.ogrid[tuple(slice(-n / 2 + 0.5, n / 2) for n in SHAPE)]
    return np.sqrt(sum((g / a) ** 2 for g, a in zip(grid, (42, 54, 42), strict=True)))


def add_noise(signal: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, (2, *SHAPE))
    return np.hypot(signal + noise[0], noise[1]).astype(np.float32)


@pytest.fixture(scope='module')
def signal() -> np.ndarray:
    r, image = radius(), np.zeros(SHAPE)
    for limit, level in SHELLS.values():
        image[r < limit] = level
    return ndimage.gaussian_filter(image, 0.5)


@pytest.fixture(scope='module')
def scan(signal: np.ndarray) -> T1wScan:
    r = radius()
    wm, gm, csf = r < 0.62, (r >= 0.62) & (r < 0.8), (r >= 0.8) & (r < 0.85)
    raw = add_noise(signal, SIGMA)
    return T1wScan(
        raw=raw,
        image=raw,
        brain=r < 0.85,
        segmentation=(gm + 2 * wm + 3 * csf).astype(np.uint8),
        tissues=(csf.astype(np.float32), gm.astype(np.float32), wm.astype(np.float32)),
        spacing=SPACING,
        voxel_to_space=TO_SPACE,
    )


@pytest.fixture(scope='module')
def good(scan: T1wScan) -> T1wQuality:
    return measure_t1w_quality(scan)


def degraded(scan: T1wScan, raw: np.ndarray, image: np.ndarray | None = None) -> dict[str, float]:
    return measure_t1w_quality(
        replace(scan, raw=raw, image=raw if image is None else image)
    ).values


def test_a_known_head_has_its_known_values(good: T1wQuality, scan: T1wScan) -> None:
    values = good.values
    assert values['summary_wm_median'] == pytest.approx(1000, abs=1e-3)
    assert values['summary_gm_median'] == pytest.approx(700, rel=0.01)
    # erosion leaves no voxel that the blur of the edges reaches
    assert values['snr_wm'] == pytest.approx(1000 / SIGMA, rel=0.03)
    assert values['cjv'] == pytest.approx(2 * SIGMA / 300, rel=0.05)
    air = SIGMA * np.sqrt((4 - np.pi) / 2)
    assert values['cnr'] == pytest.approx(300 / np.sqrt(2 * SIGMA**2 + air**2), rel=0.05)
    assert values['snrd_wm'] == pytest.approx(1000 / SIGMA, rel=0.03)
    assert values['qi_1'] == 0
    assert values['qi_2'] < 0.015
    assert values['inu_med'] == 1 and values['inu_range'] == 0
    assert [values[f'rpve_{name}'] for name in quality_reasons.TISSUES] == [0, 0, 0]
    assert sum(values[f'icvs_{name}'] for name in quality_reasons.TISSUES) == pytest.approx(1)
    assert values['icvs_wm'] == pytest.approx((0.62 / 0.85) ** 3, rel=0.01)
    assert [values[f'size_{axis}'] for axis in 'xyz'] == list(SHAPE)
    assert (values['spacing_x'], values['anisotropy'], values['brain_at_border_n']) == (1.5, 1, 0)
    assert values['fwhm_x_mm'] == pytest.approx(1.5 * values['fwhm_x'])


def test_only_missing_values_have_reasons(good: T1wQuality) -> None:
    missing = {name for name, value in good.values.items() if not np.isfinite(value)}
    assert missing == set(good.reasons) == {f'tpm_overlap_{t}' for t in quality_reasons.TISSUES}


def test_template_maps_are_compared_inside_the_brain(scan: T1wScan) -> None:
    box = find_box(scan.brain, (0, 0, 0))
    gm, wm = (fraction[box] for fraction in scan.tissues[1:])
    everywhere = np.where(gm + wm > 0, 0, 1).astype(np.float32)
    quality = measure_t1w_quality(replace(scan, templates=(everywhere, gm, 0.5 * wm)))
    values = [quality.values[f'tpm_overlap_{name}'] for name in quality_reasons.TISSUES]
    assert values == pytest.approx([1, 1, 0.5])
    assert quality.reasons == {}


def test_noise_lowers_signal_to_noise(scan: T1wScan, signal: np.ndarray, good: T1wQuality) -> None:
    values = degraded(scan, add_noise(signal, 2 * SIGMA))
    for name in ('snr_wm', 'snr_gm', 'snrd_wm', 'cnr'):
        assert values[name] == pytest.approx(good.values[name] / 2, rel=0.06), name
    assert values['cjv'] == pytest.approx(2 * good.values['cjv'], rel=0.06)
    assert values['fber'] < good.values['fber'] / 3
    assert values['efc'] > good.values['efc']


def test_blur_raises_smoothness(scan: T1wScan, good: T1wQuality) -> None:
    blurred = ndimage.gaussian_filter(scan.raw, (0, 1.5, 0))
    values = degraded(scan, blurred)
    assert values['fwhm_y'] > 1.2 * good.values['fwhm_y']
    assert values['fwhm_avg'] > good.values['fwhm_avg']


def test_a_ghost_raises_the_artefact_index_and_entropy(
    scan: T1wScan, signal: np.ndarray, good: T1wQuality
) -> None:
    ghost = 0.18 * np.roll(signal, SHAPE[1] // 2, axis=1)
    values = degraded(scan, add_noise(signal + ghost, SIGMA))
    assert values['qi_1'] > 0.05
    assert values['efc'] > good.values['efc'] + 0.02
    assert values['fber'] < good.values['fber'] / 2


def test_a_bias_field_raises_its_range_only(scan: T1wScan, good: T1wQuality) -> None:
    field = np.linspace(0.6, 1.4, SHAPE[2])[None, None, :].astype(np.float32)
    values = degraded(scan, scan.raw * field, scan.image)
    inside = np.broadcast_to(field, SHAPE)[scan.brain]
    p05, p95 = np.percentile(inside, (5, 95)) / inside.mean()
    assert values['inu_range'] == pytest.approx(p95 - p05, rel=0.01)
    assert values['inu_med'] == pytest.approx(1, abs=0.01)
    assert values['cjv'] == pytest.approx(good.values['cjv'])


def test_intensity_has_no_unit(scan: T1wScan, good: T1wQuality) -> None:
    values = degraded(scan, 37 * scan.raw)
    for name, value in values.items():
        assert value == pytest.approx(good.values[name], rel=2e-4, abs=1e-4, nan_ok=True), name


def test_a_brain_without_head_has_no_air(scan: T1wScan) -> None:
    quality = measure_t1w_quality(
        replace(scan, raw=scan.raw * scan.brain, image=scan.image * scan.brain)
    )
    for name in (*AIR_COLUMNS, 'efc', 'wm2max'):
        assert np.isnan(quality.values[name])
        assert quality.reasons[name] == NO_AIR
    assert quality.values['snr_wm'] == pytest.approx(1000 / SIGMA, rel=0.03)
    assert quality.noise is None


def fill(raw: np.ndarray) -> np.ndarray:
    return np.where(ndimage.binary_dilation(radius() < 1, iterations=1), raw, 0)


def round_coarsely(raw: np.ndarray) -> np.ndarray:
    return 30 * np.round(raw / 30)


def test_masked_air_has_a_reason(scan: T1wScan) -> None:
    quality = measure_t1w_quality(replace(scan, raw=fill(scan.raw)))
    assert set(AIR_COLUMNS) <= set(quality.reasons)
    assert 'filled with one value' in quality.reasons['qi_1']
    assert np.isfinite(quality.values['efc'])


def test_coarse_rounding_has_a_reason(scan: T1wScan) -> None:
    raw = 12 * np.round(scan.raw / 12)
    quality = measure_t1w_quality(replace(scan, raw=raw))
    assert {name for name, why in quality.reasons.items() if 'rounded' in why} == set(
        NOISE_COLUMNS
    )
    assert np.isfinite(quality.values['fber'])


@pytest.mark.parametrize(('tissue', 'label'), [('gm', 1), ('wm', 2), ('csf', 3)])
def test_a_missing_tissue_has_a_reason(scan: T1wScan, tissue: str, label: int) -> None:
    segmentation = scan.segmentation.copy()
    segmentation[segmentation == label] = 0
    segmentation[60, 70, 60:63] = label
    quality = measure_t1w_quality(replace(scan, segmentation=segmentation))
    assert 'voxels are pure' in quality.reasons[f'snr_{tissue}']
    assert quality.values[f'summary_{tissue}_n'] < 100
    assert np.isnan(quality.values[f'summary_{tissue}_mean'])
    assert np.isfinite(quality.values['cjv']) == (tissue == 'csf')
    assert np.isfinite(quality.values['efc'])
    assert all(np.isnan(quality.values[name]) for name in quality.reasons)


@pytest.mark.parametrize(
    'change',
    [
        lambda raw: np.full_like(raw, 9),
        lambda raw: np.zeros_like(raw),
        fill,
        round_coarsely,
        lambda raw: raw - 2000,
        lambda raw: np.where(radius() < 2, raw, -1),
    ],
    ids=['constant', 'zero', 'masked', 'rounded', 'negative', 'odd fill'],
)
def test_nothing_crashes(scan: T1wScan, change: Callable[[np.ndarray], np.ndarray]) -> None:
    raw = change(scan.raw).astype(np.float32)
    quality = measure_t1w_quality(replace(scan, raw=raw, image=raw))
    for name, value in quality.values.items():
        assert np.isfinite(value) != (name in quality.reasons), name


def test_faults_of_the_inputs_are_named(scan: T1wScan) -> None:
    with pytest.raises(ValueError, match='brain mask is empty'):
        measure_t1w_quality(replace(scan, brain=np.zeros(SHAPE, bool)))
    with pytest.raises(ValueError, match='not on one grid'):
        measure_t1w_quality(replace(scan, raw=scan.raw[:-1]))


def test_a_cut_brain_is_counted(scan: T1wScan) -> None:
    brain = scan.brain.copy()
    brain[:, :, :60] = False
    cut = {name: getattr(scan, name)[:, :, 60:] for name in ('raw', 'image', 'segmentation')}
    quality = measure_t1w_quality(
        replace(
            scan,
            **cut,
            brain=brain[:, :, 60:],
            tissues=tuple(fraction[:, :, 60:] for fraction in scan.tissues),
        )
    )
    assert quality.values['brain_at_border_n'] == brain[:, :, 60].sum()
