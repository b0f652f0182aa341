"""The table of all outputs, made from the declarations; ``docs/outputs.md`` is its copy."""

from __future__ import annotations

from collections.abc import Iterator

from mriderived.bids.names import build_path
from mriderived.bids.stats_model import Condition, Contrast, StatsModel
from mriderived.config import DEFAULT_MEASURES
from mriderived.measures.base import COLLECTION, Measure, Output
from mriderived.measures.registry import find_measures
from mriderived.workflows.output_names import fill_collection
from mriderived.workflows.steps import preprocessing_steps

HEADER = """# Outputs

This page is generated from the declarations of the measures
(`python -m mriderived.workflows.catalogue > docs/outputs.md`); a test compares the two.

Every file is named after its source image (`sub-01[_ses-1][_acq-x][_run-1]`), has a JSON file
beside it, and is described by `bids_validator_config/schema.yaml` where no BIDS release names it
yet (column *Standard*). `<space>` and `<atlas>` stand for each of `--output-spaces` and
`--atlases`. With `--anat-backend deepmriprep`, other means make the files of the steps `tissue`
and `registration` ([networks](networks.md)). `<contrast>` and CONTRAST stand for each contrast of
`--task-model` ([task](measures/task_glm.md)). What the group level writes beside its tables is on
[a page of its own](group.md).
"""
#: Stands for the collections of quantitative MRI that there can be.
STAND_IN = 'MP2RAGE'
#: Stands for the models that there can be.
EXAMPLE = StatsModel(
    name='example',
    tasks=('task',),
    factors=('trial_type',),
    conditions=(Condition('trial_type.a', 'spm'),),
    confounds=(),
    contrasts=(Contrast('CONTRAST', 'CONTRAST', ('trial_type.a',), (1.0,)),),
)


def example_name(measure: Measure, output: Output) -> str:
    """Return the name of an output for a participant ``01``."""
    tasks = measure.scope.tasks or ('rest',)
    task = {'task': tasks[0]} if measure.source == 'bold' else {}
    entities = fill_collection({'sub': '01', **task, **output.entities}, STAND_IN)
    if measure.over == 'space':
        if '*' in entities.values():
            entities = {k: 'SPACE' if v == '*' else v for k, v in entities.items()}
        else:
            entities['space'] = 'SPACE'
    elif measure.over == 'atlas':
        entities['atlas'] = 'ATLAS'
    path = build_path(
        entities,
        datatype=output.datatype,
        suffix=output.suffix.replace(COLLECTION, STAND_IN),
        extension=output.extension,
    )
    return (
        path.name.replace('SPACE', '<space>')
        .replace('ATLAS', '<atlas>')
        .replace('CONTRAST', '<contrast>')
        .replace(STAND_IN, '<collection>')
    )


def _fill(text: str) -> str:
    """Write what stands for a contrast."""
    return text.replace('CONTRAST', '<contrast>').replace('_contrast', '_<contrast>')


def _names(resources: tuple[str, ...]) -> str:
    return ', '.join(f'`{name}`' for name in resources)


def _kind(measure: Measure) -> str:
    if measure.is_preprocessing:
        return 'Preprocessing step'
    if measure.is_opt_in:
        name = measure.scope.family or measure.name
        return f'Measure, only where named: `--measures {DEFAULT_MEASURES} {name}`'
    if measure.scope.family:
        return f'Measure of the family `{measure.scope.family}`, with `--task-model`'
    return 'Measure'


def lines() -> Iterator[str]:
    """Yield the page line by line."""
    yield from HEADER.splitlines()
    for measure in (*preprocessing_steps(), *find_measures(model=EXAMPLE)):
        yield f'\n## {measure.title} (`{_fill(measure.name)}`)\n'
        yield f'{_kind(measure)}. Needs {_fill(_names(measure.needs))}. '
        if measure.optional:
            yield f'Uses {_names(measure.optional)} where there. '
        yield f'Reference: <{measure.reference}>.\n'
        yield '| File | Unit | Standard | Description |'
        yield '|---|---|---|---|'
        for output in measure.outputs:
            yield (
                f'| `{example_name(measure, output)}` | {output.unit or ""} '
                f'| {output.draft or "BIDS"} | {output.description} |'
            )
        for output in measure.outputs:
            if output.columns:
                yield f'\nColumns of `{example_name(measure, output)}`:\n'
                yield '| Column | Unit | Description |'
                yield '|---|---|---|'
                for column in output.columns:
                    yield f'| `{column.name}` | {column.unit} | {column.description} |'


def render() -> str:
    """Return the page."""
    return '\n'.join(lines()) + '\n'


if __name__ == '__main__':
    import sys

    sys.stdout.write(render())
