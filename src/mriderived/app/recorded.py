"""What earlier runs on an output folder asked for, from the settings that they left in logs/."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from mriderived.config import Config, read_config, replace
from mriderived.group.columns import is_cohort_output
from mriderived.workflows.plan import selected_measures, variants

LOGGER = logging.getLogger(__name__)


def planned_units(out_dir: Path) -> tuple[tuple[str, str | None], ...]:
    """Return measure and atlas or space of everything that a participant run should tabulate.

    The group level gives each of them its columns, also when the process of every participant
    died before it could record a unit. What is made from other images than the T1w has columns
    where anyone has such an image.
    """
    found = (
        (measure.name, variant)
        for config in _participant_runs(out_dir)
        for measure in selected_measures(config)
        if measure.source == 'T1w' and any(map(is_cohort_output, measure.outputs))
        for variant in variants(measure, config)
    )
    return tuple(dict.fromkeys(found))


def _participant_runs(out_dir: Path) -> Iterator[Config]:
    for path in sorted((out_dir / 'logs').glob('*.toml')):
        try:
            # What a model of tasks adds is of BOLD, and the file may be gone by now.
            config = replace(Config(**read_config(path)), task_model=None)
        except (OSError, ValueError, TypeError) as error:
            LOGGER.warning('The settings of an earlier run are left aside: %s', error)
            continue
        if config.level == 'participant':
            yield config
