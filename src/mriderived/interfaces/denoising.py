"""Take confounds off a preprocessed run, as every functional measure does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.bids.sidecar import sidecar_path
from mriderived.core.denoising import Denoised, TooFewDegreesError, denoise, make_design
from mriderived.core.strategies import (
    AUTO,
    FEWEST,
    SCRUB,
    WITHOUT_TISSUES,
    Selection,
    select_confounds,
    settle_strategy,
)
from mriderived.interfaces.series import load_masked, repetition_time
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import load

Band = tuple[float, float]
#: In the sidecar of confounds: signal of a tissue → why it is not there.
LACKING = 'TissueSignalsMissing'
_TITLES = {'csf': 'cerebrospinal fluid', 'white_matter': 'white matter'}


class Run(NamedTuple):
    """A denoised run: the voxels of its mask, and what the denoising took."""

    denoised: Denoised
    mask: NDArray[np.bool_]
    repetition_time: float
    selection: Selection
    #: What was taken off, by its own name.
    strategy: str
    #: Why that is not what ``auto`` usually stands for; empty: it is, or was named.
    reason: str


def denoise_run(
    bold_preproc: Path,
    bold_mask: Path,
    bold_confounds: Path,
    strategy: str,
    band: Band | None,
    threads: int = 1,
) -> Run:
    """Take off the confounds of a strategy, and all frequencies outside of a band, at once.

    Raises
    ------
    ValueError
        If the run lacks confounds of the strategy, or too few degrees of freedom are left.
    """
    mask = load(bold_mask) > 0
    return denoise_masked(bold_preproc, mask, bold_confounds, strategy, band, threads)


def denoise_masked(
    bold_preproc: Path,
    mask: NDArray[np.bool_],
    bold_confounds: Path,
    strategy: str,
    band: Band | None,
    threads: int = 1,
) -> Run:
    """Do as :func:`denoise_run` within a mask that is no file."""
    period = repetition_time(bold_preproc)
    table, metadata = read_confounds(bold_confounds)
    asked, (strategy, lacking) = strategy, settle_strategy(strategy, table)
    why = explain_lacking(bold_confounds, lacking or _TITLES)
    try:
        selection = select_confounds(strategy, table, metadata, high_pass=band is None)
    except ValueError as error:
        raise ValueError(
            f'{error}{f" ({why})" if why else ""}; take --denoising {AUTO}, which is '
            f'{WITHOUT_TISSUES} for such runs, or another, such as 24P'
        ) from error
    try:
        design = make_design(selection.confounds, selection.keep, period, band)
    except TooFewDegreesError as error:
        remedy = _find_remedy(asked, strategy, table, metadata, period, band)
        raise ValueError(
            f'{error}; the run lasts {len(table) * period:.0f} s, --denoising is '
            f'{_name(asked, strategy)}: {remedy}'
        ) from error
    series = load_masked(bold_preproc, mask)
    reason = f'{WITHOUT_TISSUES} was taken, because {why}' if lacking else ''
    return Run(denoise(series, design, threads), mask, period, selection, strategy, reason)


def _find_remedy(
    asked: str,
    strategy: str,
    table: pd.DataFrame,
    metadata: dict[str, Any],
    period: float,
    band: Band | None,
) -> str:
    """Say which setting alone would leave enough degrees of freedom; the mildest first."""
    base, ending = strategy.removesuffix(SCRUB), SCRUB if strategy.endswith(SCRUB) else ''
    trials: dict[str, tuple[str, Band | tuple[None, None] | None]] = {
        f'do not censor (--denoising {asked.removesuffix(SCRUB)})': (base, band),
        f'take fewer confounds (--denoising {FEWEST}{ending})': (FEWEST + ending, band),
        'take more frequencies (--frequency-band)': (strategy, band and (None, None)),
    }
    helpful = []
    for words, (other, limits) in trials.items():
        if (other, limits) == (strategy, band):
            continue
        chosen = select_confounds(other, table, metadata, high_pass=band is None)
        with suppress(TooFewDegreesError):
            make_design(chosen.confounds, chosen.keep, period, limits)
            helpful.append(words)
    if helpful:
        return ' or '.join(helpful)
    return 'no other single setting leaves enough, so this run is too short or moved too much'


def _name(asked: str, strategy: str) -> str:
    return asked if asked == strategy else f'{asked}: {strategy}'


def explain_lacking(bold_confounds: Path, signals: Iterable[str]) -> str:
    """Say why there are no signals of these tissues, as far as the sidecar of the table does."""
    said = read_said(bold_confounds).get(LACKING, {})
    reasons: dict[str, list[str]] = {}
    for name in signals:
        if name in said:
            reasons.setdefault(said[name], []).append(_TITLES[name])
    return '; '.join(
        f'there is no signal of {" and ".join(names)}: {reason}'
        for reason, names in reasons.items()
    )


def read_confounds(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table of confounds and what is known of its components."""
    content = read_said(path)
    table = pd.read_csv(path, sep='\t', na_values='n/a')
    names = [str(name) for name in table]
    return table, {name: content[name] for name in names if isinstance(content.get(name), dict)}


def read_kept(bold_denoised: Path, length: int) -> tuple[NDArray[np.bool_], int]:
    """Return which volumes of the run a denoised one of ``length`` holds, and its degrees."""
    content = read_said(bold_denoised)
    censored = np.asarray(content['CensoredVolumes'], np.intp)
    keep = np.ones(length + len(censored), np.bool_)
    keep[censored] = False
    return keep, int(content['DegreesOfFreedomLeft'])


def read_said(path: Path) -> dict[str, Any]:
    """Return what is said of a file of this run (remarks) or of an earlier one (sidecar)."""
    sidecar = sidecar_path(path)
    if not sidecar.exists():
        sidecar = remarks_file(path)
    content: dict[str, Any] = json.loads(sidecar.read_text())
    return content


def count_unsteady(table: pd.DataFrame) -> int:
    """Return the number of volumes before the steady state in a table of confounds."""
    return sum(str(name).startswith('non_steady_state_outlier') for name in table)


def describe(run: Run, asked: str, band: Band | None) -> dict[str, Any]:
    """Return what a sidecar should say of a denoised run; ``asked`` is the setting."""
    degrees = run.denoised.degrees
    chosen = {'DenoisingStrategyAsked': asked} if asked != run.strategy else {}
    return {
        'DenoisingStrategy': run.strategy,
        **chosen,
        **({'DenoisingStrategyReason': run.reason} if run.reason else {}),
        'Confounds': list(run.selection.columns),
        'FrequencyBandHz': list(band) if band else None,
        'RepetitionTime': run.repetition_time,
        'VolumesCensored': degrees.censored,
        'DegreesOfFreedomLeft': degrees.left,
        'DegreesOfFreedomOfConfounds': degrees.confounds,
        'DegreesOfFreedomOfBand': degrees.band,
    }
