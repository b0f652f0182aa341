"""Checks of the settings that need heavy imports: names of measures, spaces, filters, the GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mriderived.app.checks import check_filter_file, check_measures, suggest
from mriderived.app.exit_codes import ExitCode, Problem
from mriderived.app.model_checks import check_models, check_task_model
from mriderived.bids.filters import FilterFileError, read_filters
from mriderived.config import Config, replace
from mriderived.spaces import UnavailableError, bundled_atlases, get_atlas, get_space
from mriderived.workflows.asked import asked_measures
from mriderived.workflows.steps import preprocessing_steps


def check_names(config: Config) -> list[Problem]:
    """Return what is wrong with the names, the filters and the device that were chosen."""
    problems = list(check_task_model(config))
    if problems:  # without the model, its measures have no names
        config = replace(config, task_model=None)
    measures = asked_measures(config)
    families = {measure.scope.family for measure in measures} - {''}
    # Of a model that cannot be used, the problem is told once.
    lost = [name for name in config.measures if name.startswith('task_')] if problems else []
    problems += check_measures(
        config,
        selectable=[*dict.fromkeys((*(m.name for m in measures), *sorted(families))), *lost],
        steps=[step.name for step in preprocessing_steps()],
        opt_in=[measure.name for measure in measures if measure.is_opt_in],
    )
    problems += _check_spaces(config)
    problems += _check_filters(config.bids_filter_file)
    problems += check_models(config)
    if config.device == 'cuda':
        problems += _check_cuda()
    return problems


def _check_spaces(config: Config) -> Iterator[Problem]:
    for name in config.atlases:
        try:
            get_atlas(name)
        except UnavailableError as error:
            yield _unavailable('--atlases', name, error, _shipped(name))
    for name in config.output_spaces:
        try:
            get_space(name)
        except UnavailableError as error:
            yield _unavailable('--output-spaces', name, error)


def _shipped(name: str) -> str:
    known = bundled_atlases()
    text = f'Shipped are: {", ".join(known)}.'
    close = suggest(name, known)
    return f'{close} {text}' if close else text


def _unavailable(flag: str, name: str, error: Exception, more: str = '') -> Problem:
    text = ' '.join(str(error).split()).rstrip('.')  # names the remedy itself
    return Problem(f'{flag} {name}: {text}.', more, ExitCode.NO_INPUT)


def _check_filters(path: Path | None) -> Iterator[Problem]:
    if path is None or any(check_filter_file(path)):  # which has been said
        return
    try:
        read_filters(path)
    except FilterFileError as error:
        yield Problem(f'--bids-filter-file {error}.', 'Correct the file.', ExitCode.BAD_DATA)


def _check_cuda() -> Iterator[Problem]:
    import torch  # takes seconds, and only this setting needs it here

    if not torch.cuda.is_available():
        yield Problem(
            '--device cuda: no usable GPU is visible.',
            'Use --device cpu or auto; in a container add --gpus all or, for Apptainer, --nv.',
        )
