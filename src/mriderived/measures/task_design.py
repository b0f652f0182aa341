"""The design of a task run: what the events and the confounds should look like in BOLD."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.bids.events import EventsError, as_numbers, list_rows, read_events
from mriderived.bids.stats_model import Condition, StatsModel
from mriderived.core.denoising import MIN_DEGREES, follows_gap
from mriderived.core.drift import PERIOD, cosine_drift
from mriderived.core.first_level import BEFORE, Events, convolve_events, mark_frames
from mriderived.core.strategies import find_kept
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.bold_sampling import moment
from mriderived.interfaces.denoising import count_unsteady, read_confounds
from mriderived.interfaces.sink import write_remarks

#: Confounds that mark a volume: such volumes are left out, and need no column of the model.
_MARKS = ('motion_outlier', 'non_steady_state_outlier')
_CONSTANT = 'constant'


class DesignFile(NamedTuple):
    """The file that :func:`write_design` writes."""

    task_design: Path


def write_design(
    bold_confounds: Path,
    bold_acquisition: Path,
    model: str,
    censor: bool = False,
    bold_events: Path | None = None,
) -> DesignFile:
    """Write the design matrix of a run: conditions, confounds, drifts, left-out volumes, 1."""
    wanted = StatsModel.from_json(model)
    if bold_events is None:
        raise EventsError(
            f'there is no events.tsv for this run of {" or ".join(wanted.tasks)}; add it, or '
            'leave the run out with .bidsignore'
        )
    acquisition = read_acquisition(bold_acquisition)
    table, _ = read_confounds(bold_confounds)
    period, frames = acquisition.repetition_time, len(table)
    start = moment(acquisition, frames - count_unsteady(table))
    start = period / 2 if start is None else start
    times = np.asarray(start + period * np.arange(frames), np.float64)
    events = read_events(bold_events, period * frames)
    notes: list[str] = []
    conditions, empty = _convolve(wanted, events, bold_events, times)
    if empty:
        notes.append(f'No events of {", ".join(empty)} in this run.')
    if (events['onset'] < times[0] - BEFORE).any():
        notes.append(f'Events more than {BEFORE:g} s before the run were left aside.')
    keep = _find_kept(wanted, table, censor)
    confounds = _take_confounds(wanted, table, keep)
    marks, names = mark_frames(keep)
    left_out = pd.DataFrame(marks, columns=names)
    parts = [conditions, confounds, _drifts(wanted, table, period), left_out]
    design = pd.concat(parts, axis=1).assign(**{_CONSTANT: 1.0})
    left = frames - int(np.linalg.matrix_rank(_scaled(design)))
    if left < MIN_DEGREES:
        raise ValueError(
            f'{left} of {frames} degrees of freedom are left ({int((~keep).sum())} volumes left '
            f'out, {design.shape[1] - len(names)} columns of the model); {MIN_DEGREES} are '
            'needed: take fewer confounds in Model.X'
        )
    path = Path.cwd() / 'design.tsv'
    design.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.12g')
    write_remarks(
        path,
        notes=notes,
        Model=wanted.name,
        RepetitionTime=period,
        StartTime=round(start, 4),
        HighPassHz=wanted.high_pass_hz or 1 / PERIOD,
        ConditionsWithoutEvents=empty,
        CensoredVolumes=np.flatnonzero(~keep).tolist(),
        DegreesOfFreedomLeft=left,
    )
    return DesignFile(path)


def _convolve(
    model: StatsModel, events: pd.DataFrame, path: Path, times: NDArray[np.float64]
) -> tuple[pd.DataFrame, list[str]]:
    """Return the regressors of the conditions, and the conditions that have no events."""
    found: dict[str, NDArray[np.float64]] = {}
    empty = []
    for condition in model.conditions:
        named = [(n, rows) for n, rows in _expand(model, condition, events, path) if len(rows)]
        if not named:
            empty.append(condition.name)
        for name, rows in named:
            _check_durations(rows, name, path)
            what = Events(*(rows[key].to_numpy(float) for key in ('onset', 'duration', 'height')))
            columns, names = convolve_events(what, times, condition.response, name)
            found |= dict(zip(names, columns.T, strict=True))
    if not found:
        raise EventsError(f'{path.name} holds no events of {", ".join(empty)}')
    return pd.DataFrame(found), empty


def _expand(
    model: StatsModel, condition: Condition, events: pd.DataFrame, path: Path
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what a condition stands for, and its events with their heights."""
    for factor in model.factors:
        if condition.name.startswith(f'{factor}.'):
            if factor not in events:
                raise EventsError(f'{path.name} has no column {factor}')
            levels = sorted({level for level in events[factor] if level not in ('', 'n/a')})
            for level in levels:
                if fnmatchcase(f'{factor}.{level}', condition.name):
                    yield f'{factor}.{level}', events[events[factor] == level].assign(height=1.0)
            return
    if condition.name not in events:
        raise EventsError(f'{path.name} has no column {condition.name}')
    heights = as_numbers(events[condition.name])
    text = heights.isna() & ~events[condition.name].isin(['', 'n/a'])
    if text.any():
        raise EventsError(
            f'{path.name}: {condition.name} is not a number in {list_rows(text)}; for its levels, '
            'name it in Factor'
        )
    yield condition.name, events.assign(height=heights)[heights.notna() & (heights != 0)]


def _check_durations(rows: pd.DataFrame, name: str, path: Path) -> None:
    wrong = ~(rows['duration'] >= 0)
    if wrong.any():
        raise EventsError(
            f'{path.name}: {int(wrong.sum())} of {len(rows)} events of {name} have no duration of '
            '0 s or more'
        )


def _find_kept(model: StatsModel, table: pd.DataFrame, censor: bool) -> NDArray[np.bool_]:
    """Return the volumes that count: censored like elsewhere, and as the model asks for."""
    keep = find_kept(table, outliers=censor)
    for pattern in model.confounds:
        if pattern.startswith('motion_outlier'):
            names = [name for name in map(str, table) if fnmatchcase(name, pattern)]
            keep &= ~(table[names] > 0).any(axis=1).to_numpy(bool)
    return keep


def _take_confounds(
    model: StatsModel, table: pd.DataFrame, keep: NDArray[np.bool_]
) -> pd.DataFrame:
    """Return confounds by name, each with mean 0 and variance 1 over the volumes that count."""
    chosen: list[str] = []
    for pattern in model.confounds:
        names = [name for name in map(str, table) if fnmatchcase(name, pattern)]
        if not names and not pattern.startswith(_MARKS):
            raise ValueError(
                f'Model.X names {pattern!r}, which is neither a condition that is convolved nor a '
                'confound of this run'
            )
        chosen += [name for name in names if not name.startswith(_MARKS)]
    confounds = table[list(dict.fromkeys(chosen))].astype(float)
    differences = [name for name in confounds if '_derivative1' in str(name)]
    confounds.loc[follows_gap(keep), differences] = np.nan
    kept = confounds[keep]
    spread = kept.std(ddof=0)
    varying = spread.index[spread > 1e-10 * kept.abs().max().clip(lower=1e-300)]
    scaled = (confounds - kept.mean()) / spread
    # A volume that follows none that counts has no difference from it: it has their mean.
    return scaled[varying].fillna(0.0)


def _drifts(model: StatsModel, table: pd.DataFrame, period: float) -> pd.DataFrame:
    if any(pattern.startswith('cosine') for pattern in model.confounds):
        return pd.DataFrame(index=table.index)
    longest = 1 / model.high_pass_hz if model.high_pass_hz else PERIOD
    drifts = cosine_drift(len(table), period, count_unsteady(table), longest)
    return pd.DataFrame(drifts, columns=[f'drift_{n:02d}' for n in range(drifts.shape[1])])


def _scaled(design: pd.DataFrame) -> NDArray[np.float64]:
    values = design.to_numpy(float)
    length = np.linalg.norm(values, axis=0)
    return np.asarray(values / np.where(length > 0, length, 1))
