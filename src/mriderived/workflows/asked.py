"""Which measures the settings of a run, or those that made an output folder, know."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from mriderived.bids.description import read_settings
from mriderived.bids.stats_model import StatsModel, read_stats_model, recorded_model
from mriderived.config import (
    AlffDefinition,
    Config,
    RatioCalibration,
    RehoNeighbours,
    TrackingAlgorithm,
)
from mriderived.measures.base import Measure
from mriderived.measures.registry import find_measures


def asked_measures(config: Config) -> tuple[Measure, ...]:
    """Return every measure that a run can be asked for; a model of tasks adds some."""
    model = _read_model(config.task_model) if config.task_model else None
    return find_measures(
        config.alff_definition,
        model,
        config.reho_neighbours,
        config.tracking_algorithm,
        config.tracking_seeds,
        has_wmh_model=config.wmh_model is not None,
        t1t2_calibration=config.t1t2_calibration,
    )


def measures_of_folder(out_dir: Path) -> tuple[Measure, ...]:
    """Return every measure of which an output folder may hold results."""
    settings = read_settings(out_dir)

    def chosen(name: str, choices: tuple[Any, ...]) -> Any:
        value = settings.get(name)
        return value if value in choices else getattr(Config, name)

    seeds = settings.get('tracking_seeds')
    path = recorded_model(out_dir)
    model = read_stats_model(path) if path.exists() else None
    return find_measures(
        chosen('alff_definition', get_args(AlffDefinition)),
        model,
        chosen('reho_neighbours', get_args(RehoNeighbours)),
        chosen('tracking_algorithm', get_args(TrackingAlgorithm)),
        seeds if isinstance(seeds, int) else Config.tracking_seeds,
        has_wmh_model=bool(settings.get('wmh_model')),
        t1t2_calibration=chosen('t1t2_calibration', get_args(RatioCalibration)),
    )


@lru_cache
def _read_model(path: Path) -> StatsModel:
    return read_stats_model(path)
