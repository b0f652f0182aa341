"""What quantitative maps have in common: their voxels, and how they are saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.fit_outcome import Outcome, Outcomes, count_outcomes
from mriderived.core.rician import noise_from_misfit
from mriderived.interfaces.qmri_acquisition import (
    QmriAcquisition,
    Setting,
    read_qmri_acquisition,
)
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save

#: What every quantitative map is made from.
SIGNALS = ('qmri_series', 'qmri_acquisition', 'qmri_mask')
#: So many voxels tell the noise.
NOISE_VOXELS = 20_000
#: Arrays of double precision are made for so many voxels at a time.
CHUNK = 1 << 18
#: What lists are called of fields that BIDS has for single values only.
LISTS = {
    'InversionTime': 'InversionTimes',
    'MTState': 'MTStates',
    'RepetitionTimeExcitation': 'RepetitionTimesExcitation',
}
#: With more voxels of the mask without a value than this, a note says so.
MANY_MISSING = 0.05
Array = NDArray[Any]


class Voxels(NamedTuple):
    """The voxels of a mask: series (N, images), transmit field over its nominal value (N,)."""

    series: NDArray[np.float32]
    acquisition: QmriAcquisition
    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]
    transmit: NDArray[np.float32] | None

    @property
    def settings(self) -> tuple[Setting, ...]:
        """How each volume of the series was acquired."""
        return self.acquisition.settings

    @property
    def has_phase(self) -> bool:
        """Whether every volume has a phase."""
        return all(setting.has_phase for setting in self.settings)


def load_voxels(
    qmri_series: Path, qmri_acquisition: Path, qmri_mask: Path, qmri_b1: Path | None = None
) -> Voxels:
    """Load the voxels of a mask, and their transmit field where there is one."""
    mask = load(qmri_mask) > 0
    if not mask.any():
        raise ValueError(f'{qmri_mask} holds no voxel')
    series = load_masked(qmri_series, mask)
    acquisition = read_qmri_acquisition(qmri_acquisition)
    if series.shape[1] != len(acquisition.settings):
        raise ValueError(
            f'{qmri_series} has {series.shape[1]} volumes for {len(acquisition.settings)} images'
        )
    transmit = None if qmri_b1 is None else load(qmri_b1)[mask]
    return Voxels(series, acquisition, mask, load_affine(qmri_series), transmit)


def chunks(voxels: int) -> Iterator[slice]:
    """Yield slices that cover so many voxels."""
    for start in range(0, voxels, CHUNK):
        yield slice(start, min(start + CHUNK, voxels))


def estimate_noise(
    fit: Callable[[NDArray[np.float32]], Array], series: NDArray[np.float32], parameters: int
) -> float | None:
    """Return the noise of a series from what a fit leaves of some of its voxels.

    ``fit`` returns the misfit of the signals that it is given. There is no noise to be told of
    as many images as parameters.
    """
    if series.shape[1] <= parameters:
        return None
    some = np.ascontiguousarray(series[:: max(1, len(series) // NOISE_VOXELS)])
    noise = noise_from_misfit(fit(some), some, parameters)
    return noise if np.isfinite(noise) and noise > 0 else None


def save_values(values: Array, voxels: Voxels, name: str, missing: float = 0.0) -> Path:
    """Save one value for each voxel of the mask; ``missing`` where there is none."""
    volume = np.full(voxels.mask.shape, missing, np.float32)
    volume[voxels.mask] = np.where(np.isfinite(values), values, np.float32(missing))
    return save(volume, voxels.affine, f'{name}.nii.gz')


def save_outcome(outcome: Outcomes, voxels: Voxels, name: str) -> Path:
    """Save why each voxel of the mask has, or has not, a value; see ``qmri_outputs.LEVELS``."""
    volume = np.zeros(voxels.mask.shape, np.uint8)
    volume[voxels.mask] = outcome + 1
    return save(volume, voxels.affine, f'{name}.nii.gz')


def save_quality(
    values: Array, misfit: Array | None, outcome: Outcomes, name: str, why_no_misfit: str = ''
) -> Path:
    """Save the table of a fit: median, misfit, and the voxels that have no value."""
    fitted = outcome == Outcome.FITTED
    row = {
        'median': _median(values[fitted]),
        **({} if misfit is None else {'misfit': _median(misfit[fitted])}),
        'no_value': 1 - fitted.mean(),
        'implausible': (outcome == Outcome.IMPLAUSIBLE).mean(),
    }
    path = Path.cwd() / f'{name}.tsv'
    table = pd.DataFrame([row])
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    reasons = dict.fromkeys(
        (key for key in ('median', 'misfit') if key in row and not np.isfinite(row[key])),
        'no voxel has a value',
    )
    if 'misfit' in reasons and fitted.any():
        reasons['misfit'] = why_no_misfit
    write_remarks(path, MissingReasons=reasons)
    return path


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan


def describe_outcome(outcome: Outcomes, bounds: tuple[float, float]) -> dict[str, Any]:
    """Return what the sidecar says of the voxels without a value."""
    counts = count_outcomes(outcome)
    return {
        'VoxelsFitted': counts['fitted'],
        'VoxelsNoSignal': counts['no_signal'],
        'VoxelsNoSolution': counts['no_solution'],
        'VoxelsImplausible': counts['implausible'],
        'PlausibleRange': list(bounds),
    }


def inverse_range(bounds: tuple[float, float]) -> dict[str, Any]:
    """Return what the sidecar of a rate says, for plausible times."""
    return {'PlausibleRange': [1 / bounds[1], 1 / bounds[0]]}


def without_range(common: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sidecar says of a map that is judged by another one of the same fit."""
    return {key: value for key, value in common.items() if key != 'PlausibleRange'}


def notes_on(outcome: Outcomes, what: str) -> list[str]:
    """Return a sentence where many voxels have no value."""
    counts = count_outcomes(outcome)
    missing = outcome.size - counts['fitted']
    if missing <= MANY_MISSING * outcome.size:
        return []
    parts = (
        ('no_signal', 'no signal'),
        ('no_solution', 'no solution'),
        ('implausible', 'implausible'),
    )
    why = ', '.join(f'{counts[key]} {words}' for key, words in parts if counts[key])
    return [f'{100 * missing / outcome.size:.0f} % of the voxels have no {what}: {why}.']


def describe_transmit(voxels: Voxels, without: str) -> tuple[dict[str, Any], list[str]]:
    """Return what the sidecar says of the transmit field; ``without`` is the note for none."""
    if voxels.transmit is None:
        why = voxels.acquisition.field_reason
        return {'TransmitFieldCorrection': False, 'TransmitFieldReason': why or None}, [without]
    field = voxels.transmit
    known = np.isfinite(field) & (field > 0)
    said = {
        'TransmitFieldCorrection': True,
        'TransmitFieldMethod': (voxels.acquisition.transmit_field or {}).get('kind'),
        'VoxelsWithoutTransmitField': int((~known).sum()),
    }
    return said, []


def settings_of(images: Sequence[Setting]) -> dict[str, Any]:
    """Return how the images were acquired, in the words of BIDS; what is unknown is left out."""
    columns: Mapping[str, list[Any]] = {
        'EchoTime': [image.echo_time for image in images],
        'RepetitionTimeExcitation': [image.repetition_time for image in images],
        'FlipAngle': [image.flip_angle for image in images],
        'InversionTime': [image.inversion_time for image in images],
        'MTState': [image.mt for image in images],
    }
    known = {key: values for key, values in columns.items() if None not in values}
    return {
        (LISTS.get(key, key) if len(set(values)) > 1 else key): (
            values if len(set(values)) > 1 else values[0]
        )
        for key, values in known.items()
    }
