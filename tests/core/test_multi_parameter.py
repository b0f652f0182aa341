from __future__ import annotations

from typing import NamedTuple

import nibabel as nib
import numpy as np
import pytest
from relaxation_phantoms import cramer_rao, magnitude

from mriderived.core.exponential_decay import fit_decay
from mriderived.core.fit_outcome import Outcome, count_outcomes
from mriderived.core.magnetisation_transfer import map_saturation, map_transfer_ratio
from mriderived.core.multi_parameter import Rates, Weighting, map_rates
from mriderived.core.rician import noise_from_misfit
from mriderived.core.spoiling import Pair, Spoiling, find_spoiling
from mriderived.core.variable_flip_angle import spoiled_signal

PDW, T1W, MTW = Weighting(6, 0.025), Weighting(21, 0.025), Weighting(6, 0.025)


def saturated(t1, saturation, weighting, field=1.0, is_before=True):
    """Return the steady state of a pulse that saturates right before, or after, excitation."""
    angle = np.radians(weighting.flip_angle) * field
    left = np.exp(-weighting.repetition_time / t1)
    share = 1 - saturation
    steady = np.sin(angle) * (1 - left) / (1 - share * left * np.cos(angle))
    return steady * share if is_before else steady


@pytest.mark.parametrize('t1', [0.6, 0.9, 1.4, 4.0])
@pytest.mark.parametrize('field', [0.8, 1.0, 1.2])
@pytest.mark.parametrize('second', [0.025, 0.0187])
def test_noiseless_rates_are_exact(t1, field, second):
    t1w = Weighting(21, second)
    seen = np.array([6, 21]) * field
    signals = 800 * spoiled_signal(t1, seen, np.array([0.025, second]))[None]
    found = map_rates(signals, PDW, t1w, transmit=field)
    assert found.rate[0] == pytest.approx(1 / t1, rel=1e-4)
    assert found.time[0] == pytest.approx(t1, rel=1e-4)
    assert found.density[0] == pytest.approx(800, rel=1e-4)


def test_bias_and_spread_at_snr_50():
    def model(p):
        return p[1] * spoiled_signal(1 / p[0], [6, 21], 0.025)

    truth = [1.1, 1000.0]
    noise = model(truth).max() / 50
    found = map_rates(magnitude(model(truth)[None], noise, 40_000), PDW, T1W)
    assert (found.outcome == Outcome.FITTED).all()
    least = cramer_rao(model, truth, noise)
    assert found.rate.mean() == pytest.approx(1.1, rel=0.01)
    assert found.rate.std() / least[0] == pytest.approx(1, abs=0.05)
    assert found.density.mean() == pytest.approx(1000, rel=0.01)


def test_saturation_goes_round():
    angle, relaxed = np.radians(6), 0.025 / 0.9
    signal = 1000 * angle * relaxed / (relaxed + angle**2 / 2 + 0.017)
    rates = Rates(
        *(np.array([v], np.float32) for v in (1 / 0.9, 0.9, 1000)), np.zeros(1, np.uint8)
    )
    found = map_saturation([signal], MTW, rates)
    assert round(float(found.percent[0]), 4) == 1.7000


@pytest.mark.parametrize(('is_before', 'expected'), [(False, 1.671), (True, 1.753)])
def test_small_angles_cost_saturation_three_percent(is_before, expected):
    rates = map_rates(1000 * spoiled_signal(1.0, [[6, 21]], 0.025), PDW, T1W)
    signal = 1000 * saturated(1.0, 0.017, MTW, is_before=is_before)
    found = map_saturation([signal], MTW, rates)
    assert found.percent[0] == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize('field', [0.8, 1.2])
def test_saturation_of_the_nominal_field(field):
    signals = 1000 * spoiled_signal(1.0, np.array([[6, 21]]) * field, 0.025)
    rates = map_rates(signals, PDW, T1W, transmit=field)
    # a pulse that saturates by the square of the field, and beyond it
    share = 0.017 * field**2 * (1 - 0.4 * field) / (1 - 0.4)
    mtw = [1000 * saturated(1.0, share, MTW, field)]
    nominal = map_saturation(
        [1000 * saturated(1.0, 0.017, MTW)],
        MTW,
        map_rates(1000 * spoiled_signal(1.0, [[6, 21]], 0.025), PDW, T1W),
    )
    found = map_saturation(mtw, MTW, rates, transmit=field)
    assert found.percent[0] == pytest.approx(float(nominal.percent[0]), rel=0.015)
    square = map_saturation(mtw, MTW, rates, transmit=field, field_dependence=None)
    assert abs(square.percent[0] / nominal.percent[0] - 1) > 0.1


def test_spoiling_changes_t1_and_density():
    signals = 1000 * spoiled_signal(1.0, [[6, 21]], 0.025)
    found = map_rates(signals, PDW, T1W, spoiling=Spoiling((0, 0, 0.02), (0, 0, 0.95)))
    assert found.time[0] == pytest.approx(0.97, rel=1e-4)
    expected = signals[0, 1] / spoiled_signal(0.97, 21, 0.025)
    assert found.density[0] == pytest.approx(expected, rel=1e-4)
    assert find_spoiling(Pair(0.025, 0.025, 6, 20)) is None


def test_voxels_without_rates_are_counted():
    rows = np.array([[0, 0], [np.nan, 1], [10, 100], [100, 10], [85, 30.0], [102.5, 350]])
    found = map_rates(rows, PDW, T1W)
    counts = count_outcomes(found.outcome)
    assert counts['no_signal'] == 2
    assert sum(counts.values()) == 6
    assert np.isnan(found.rate[found.outcome != Outcome.FITTED]).all()
    assert found.outcome[2] == Outcome.NO_SOLUTION
    later = map_saturation(np.ones(6), MTW, found)
    assert (later.outcome[found.outcome > 0] == found.outcome[found.outcome > 0]).all()
    ratio = map_transfer_ratio([[200, 110], [0, 0], [0, 5], [1, 9.0]])
    assert ratio.percent[0] == 45
    assert ratio.outcome.tolist() == [Outcome.FITTED, Outcome.NO_SIGNAL, Outcome.NO_SOLUTION,
                                      Outcome.IMPLAUSIBLE]  # fmt: skip


def test_what_cannot_be_mapped_is_refused():
    with pytest.raises(ValueError, match='must be positive, and differ'):
        map_rates([[1, 1]], PDW, PDW)
    with pytest.raises(ValueError, match='must be positive'):
        map_saturation([1.0], Weighting(0, 0.025), map_rates([[85, 60]], PDW, T1W))
    with pytest.raises(ValueError, match='for 2 images'):
        map_transfer_ratio([[1, 1, 1]])


class Block(NamedTuple):
    signals: np.ndarray
    times: np.ndarray
    contrasts: np.ndarray
    truth: dict[str, np.ndarray]
    field: np.ndarray


@pytest.fixture(scope='module')
def block(test_data):
    folder = test_data / 'wias-mpm' / 'inst' / 'extdata'
    if not folder.is_dir():
        pytest.skip('no multi-parameter maps with answers')

    def load(name):
        return nib.load(folder / f'{name}.nii.gz').get_fdata(dtype=np.float32)

    mask = load('mask') > 0
    names = [f'{kind}_{echo}' for kind, count in (('pdw', 8), ('t1w', 8), ('mtw', 6))
             for echo in range(1, count + 1)]  # fmt: skip
    echoes = np.r_[1:9, 1:9, 1:7] * 0.0023
    maps = {name: load(f'{name}map')[mask] for name in ('R1', 'R2star', 'PD', 'MT')}
    return Block(
        np.stack([load(name)[mask] for name in names], axis=1),
        echoes,
        np.repeat([0, 1, 2], [8, 8, 6]),
        maps,
        load('B1map')[mask] / 100,
    )


def errors(found, truth):
    """Return the median relative error of voxels, and that of the medians of 50 groups of them."""
    good = np.isfinite(found) & (truth > 0.2 * np.median(truth))
    ratio = found[good] / truth[good] - 1
    groups = np.array_split(np.argsort(truth[good]), 50)
    medians = [np.median(found[good][g]) / np.median(truth[good][g]) - 1 for g in groups]
    return float(np.median(ratio)), float(np.median(np.abs(medians)))


def least_spread(block, amplitude, noise):
    """Return the smallest standard deviation of R2* in each voxel, amplitudes fitted as well."""
    known = 0
    for contrast in range(3):
        pick = block.contrasts == contrast
        times = block.times[pick]
        decay = np.exp(-block.truth['R2star'][:, None] * times)
        slope = amplitude[:, contrast, None] * decay * times
        shared = (slope * decay).sum(axis=1) ** 2 / (decay**2).sum(axis=1)
        known = known + (slope**2).sum(axis=1) - shared
    return noise / np.sqrt(known)


@pytest.mark.real
def test_simulated_brain_with_answers(block):
    first = fit_decay(block.signals, block.times, contrasts=block.contrasts)
    noise = noise_from_misfit(first.misfit, block.signals, 4)
    decay = fit_decay(block.signals, block.times, contrasts=block.contrasts, noise=noise)
    spoiling = find_spoiling(Pair(0.025, 0.025, 6, 21))
    rates = map_rates(decay.amplitude[:, :2], PDW, T1W, transmit=block.field, spoiling=spoiling)
    transfer = map_saturation(decay.amplitude[:, 2], MTW, rates, transmit=block.field)
    found = {'R1': rates.rate, 'R2star': decay.rate, 'PD': rates.density, 'MT': transfer.percent}
    for name, values in found.items():
        middle, grouped = errors(values, block.truth[name])
        assert abs(middle) < 0.02, (name, middle)
        assert grouped < 0.03, (name, grouped)
    assert (rates.outcome != Outcome.FITTED).mean() < 0.001
    # The error of single voxels is larger (of R1 8 %): it is what noise allows at a ratio of 10 of
    # the first echo to it, 0.6745 standard deviations in the middle.
    off = np.abs(decay.rate - block.truth['R2star'])
    off /= least_spread(block, decay.amplitude, noise)
    assert np.nanmedian(off) == pytest.approx(0.6745, abs=0.03)
    without = map_rates(decay.amplitude[:, :2], PDW, T1W, transmit=block.field)
    assert errors(without.rate, block.truth['R1'])[0] < -0.03  # what spoiling is needed for
