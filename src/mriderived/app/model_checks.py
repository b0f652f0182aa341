"""Whether the model of tasks can be used, and is there where its measures are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from mriderived.app.exit_codes import ExitCode, Problem
from mriderived.bids.stats_model import StatsModelError, read_stats_model
from mriderived.config import Config

#: How the names of all measures begin that a model adds.
FAMILY = 'task_glm'


def check_task_model(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with the model, or that there is none."""
    path = config.task_model
    if path is None:
        named = [name for name in config.measures if name.startswith(FAMILY)]
        for name in named:
            yield Problem(f'--measures {name} needs a model.', 'Give one with --task-model.')
        return
    if not path.is_file():
        yield Problem(
            f'--task-model {path} does not exist.',
            'Give the path of a BIDS Stats Model.',
            ExitCode.NO_INPUT,
        )
        return
    try:
        read_stats_model(path)
    except StatsModelError as error:
        yield Problem(
            f'--task-model {error}.',
            'docs/measures/task_glm.md says what is supported.',
            ExitCode.BAD_DATA,
        )
