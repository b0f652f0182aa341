"""Whether the models that were given can be read: that of tasks, and those of the group."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

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
        model = read_stats_model(path)
    except StatsModelError as error:
        yield Problem(
            f'--task-model {error}.',
            'docs/measures/task_glm.md says what is supported.',
            ExitCode.BAD_DATA,
        )
        return
    if not config.reads_results and not any(_runs(config.bids_dir, f) for f in model.tasks):
        yield Problem(
            f'--task-model {path}: no participant has a run of {" or ".join(model.tasks)}.',
            f'Correct Input.task. {_list_tasks(config.bids_dir)}',
            ExitCode.NO_MATCH,
        )


def check_models(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with the models of the group level, before any table is written."""
    given = {'--model': config.models, '--map-model': config.map_models,
             '--harmonise': config.harmonise, '--predict': config.predict,
             '--norms': config.norms}  # fmt: skip
    yield from _check_rules(config)
    if not any(given.values()):
        return
    from mriderived.group.formulas import parse_terms  # no cost without a model
    from mriderived.group.model_files import ModelError, read_models

    for option, texts in given.items():
        try:
            for model in read_models(texts):
                if option != '--predict':  # what predicts is a list of columns
                    parse_terms(model)
        except ModelError as error:
            yield Problem(
                f'{option}: {error}.', 'docs/models.md says what is known.', ExitCode.BAD_DATA
            )


def _check_rules(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with rules and the file of ratings."""
    if config.norms_reference and not config.norms:
        yield Problem('--norms-reference needs --norms.', 'Give a formula, or leave it out.')
    if not (config.exclude or config.norms_reference or config.ratings):
        return
    from mriderived.group.model_files import ModelError
    from mriderived.group.ratings import read_ratings
    from mriderived.group.rules import read_rule

    rules = {'--exclude': config.exclude,
             '--norms-reference': tuple(filter(None, [config.norms_reference]))}  # fmt: skip
    for option, texts in rules.items():
        for text in texts:
            try:
                read_rule(text)
            except ModelError as error:
                yield Problem(f'{option}: {error}.', 'See docs/exclusion.md.', ExitCode.BAD_DATA)
    if config.ratings is None:
        return
    if not config.ratings.is_file():
        yield Problem(
            f'--ratings {config.ratings} does not exist.',
            'Give the file that the participant reports save.',
            ExitCode.NO_INPUT,
        )
        return
    try:
        read_ratings(config.ratings)
    except ModelError as error:
        yield Problem(f'--ratings {error}.', 'See docs/exclusion.md.', ExitCode.BAD_DATA)


def _runs(bids_dir: Path, task: str) -> bool:
    """Tell whether anyone has a run of a task."""
    names = (f'func/*_task-{task}_*bold.nii*', f'ses-*/func/*_task-{task}_*bold.nii*')
    found = chain.from_iterable(bids_dir.glob(f'sub-*/{name}') for name in names)
    return next(found, None) is not None


def _list_tasks(bids_dir: Path) -> str:
    found = chain(
        bids_dir.glob('sub-*/func/*_bold.nii*'), bids_dir.glob('sub-*/ses-*/func/*_bold.nii*')
    )
    tasks = {part[5:] for path in found for part in path.name.split('_') if part[:5] == 'task-'}
    return f'Tasks here: {", ".join(sorted(tasks)) or "none"}.'
