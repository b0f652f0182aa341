"""Multi-parameter mapping: which contrast is which, their signals, and the rates that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.fit_outcome import Outcome
from mriderived.core.magnetisation_transfer import Transfer, map_saturation
from mriderived.core.multi_parameter import Rates, map_rates
from mriderived.core.spoiling import Spoiling
from mriderived.interfaces.qmri_acquisition import Setting
from mriderived.measures.qmri_contrasts import (
    Contrast,
    Extrapolated,
    extrapolate,
    find_contrasts,
    has_decay,
    obstacle_of,
)
from mriderived.measures.qmri_maps import Voxels, chunks, load_voxels
from mriderived.measures.vfa import find_pair

COLLECTIONS = ('MPM', 'MTS')
NO_FIELD = (
    'There is no map of the transmit field (B1+): the error of R1 is about twice that of the '
    'field, and that of MTsat is uncorrected.'
)
NO_PUBLISHED = (
    'No correction for imperfect spoiling is published for this protocol: R1 may be some percent '
    'too low.'
)


class Trio(NamedTuple):
    """The contrasts: PD-weighted, T1-weighted and, if there is one, MT-weighted."""

    pdw: Contrast
    t1w: Contrast
    mtw: Contrast | None

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """Those that there are."""
        return (self.pdw, self.t1w, *((self.mtw,) if self.mtw else ()))


def find_trio(images: Sequence[Setting]) -> Trio:
    """Tell contrasts by flip angle and state of transfer: the larger angle is T1-weighted.

    Raises
    ------
    ValueError
        If there are not two flip angles without transfer, or more than one with it.
    """
    contrasts = find_contrasts(images)
    plain = [contrast for contrast in contrasts if not contrast.mt]
    transfer = [contrast for contrast in contrasts if contrast.mt]
    if len(plain) != 2:
        raise ValueError(
            'it needs images of two flip angles without magnetisation transfer (PD-weighted and '
            f'T1-weighted), these have {len(plain)}'
        )
    if len(transfer) > 1:
        raise ValueError(
            f'it needs one flip angle with magnetisation transfer, here are {len(transfer)}'
        )
    return Trio(plain[0], plain[1], transfer[0] if transfer else None)


def need_transfer(images: Sequence[Setting]) -> Trio:
    """Return the contrasts, one of which has magnetisation transfer."""
    trio = find_trio(images)
    if trio.mtw is None:
        raise ValueError('it needs images with magnetisation transfer (MTState true)')
    return trio


def need_echoes(images: Sequence[Setting]) -> Trio:
    """Return the contrasts, one of which has two echo times."""
    trio = find_trio(images)
    if not has_decay(images, trio.contrasts):
        raise ValueError('it needs two echo times or more of a contrast, and EchoTime of all')
    return trio


def rates_obstacle(acquisition: Mapping[str, Any]) -> str:
    """Say why a collection tells neither R1 nor proton density, or nothing."""
    return obstacle_of(find_trio, acquisition)


def transfer_obstacle(acquisition: Mapping[str, Any]) -> str:
    """Say why a collection tells no saturation, or nothing."""
    return obstacle_of(need_transfer, acquisition)


def decay_obstacle(acquisition: Mapping[str, Any]) -> str:
    """Say why a collection tells no R2*, or nothing."""
    return obstacle_of(need_echoes, acquisition)


class Signals(NamedTuple):
    """The voxels, their contrasts, and the signals at no echo time (N, contrasts)."""

    voxels: Voxels
    trio: Trio
    extrapolated: Extrapolated
    spoiling: Spoiling | None

    def describe(self) -> dict[str, Any]:
        """Return what sidecars say of the signals."""
        return {
            'EchoTimeCorrection': self.extrapolated.decay is not None,
            'SpoilingCorrection': self.spoiling is not None,
            'NoiseStandardDeviation': self.extrapolated.noise,
        }


def load_signals(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_b1: Path | None,
    threads: int,
) -> Signals:
    """Load the images, and follow all contrasts back to no echo time."""
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask, qmri_b1)
    trio = find_trio(voxels.settings)
    found = extrapolate(voxels, trio.contrasts, threads)
    return Signals(voxels, trio, found, find_pair(trio.pdw, trio.t1w))


def map_all(signals: Signals) -> tuple[Rates, Transfer | None]:
    """Return rates and, of three contrasts, the saturation of every voxel."""
    rates: list[Rates] = []
    transfers: list[Transfer] = []
    trio, seen = signals.trio, signals.extrapolated.signals
    for part in chunks(len(seen)):
        field = None if signals.voxels.transmit is None else signals.voxels.transmit[part]
        found = map_rates(
            seen[part, :2], trio.pdw.weighting, trio.t1w.weighting, transmit=field,
            spoiling=signals.spoiling,
        )  # fmt: skip
        # a decay without a solution leaves no signal, but there was one
        lost = signals.extrapolated.outcome[part] == Outcome.NO_SOLUTION
        found.outcome[lost] = Outcome.NO_SOLUTION
        rates.append(found)
        if trio.mtw is not None:
            transfers.append(
                map_saturation(seen[part, 2], trio.mtw.weighting, found, transmit=field)
            )
    return (
        Rates(*_join(rates)),
        Transfer(*_join(transfers)) if transfers else None,
    )


def _join(parts: Sequence[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]
