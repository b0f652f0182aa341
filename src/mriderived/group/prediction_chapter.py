"""The part of ``group.html`` on prediction: scores, pictures, and a number for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mriderived import __version__
from mriderived.bids.sidecar import write_sidecar
from mriderived.config import Config
from mriderived.figures.predictions import draw_classes, draw_numbers
from mriderived.figures.style import save_svg
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Chapter, Picture, Spot, figure_file
from mriderived.group.columns import snake
from mriderived.group.exclusion_effects import compare_predictions
from mriderived.group.guard import guard
from mriderived.group.model_files import Model, ModelError
from mriderived.group.prediction import Prediction, count_folds, predict
from mriderived.group.prediction_task import Task, pose_task
from mriderived.group.sample import Sample
from mriderived.group.spots import ON_CLICK, find_spots
from mriderived.group.tangent_features import gather_covariances, split_terms
from mriderived.group.variables import Variables
from mriderived.group.writing import write_lines

_HEADER = ('Score', 'Value', 'What it is')
_SCORES = {
    'r2': 'coefficient of determination (Q²): 1 is perfect, 0 no better than the mean',
    'mae': 'mean absolute error, in the unit of the column',
    'mae_of_mean': 'the same of the mean of everybody, which anybody can say',
    'r': 'correlation of true and predicted',
    'r_error_target': 'correlation of the error with the true value: the bias towards the mean',
    'r_corrected_error_target': 'the same after correction',
    'auc': 'area under the curve: 1 is perfect, 0.5 chance',
    'balanced_accuracy': 'mean of the shares of both classes that are told right',
    'brier': 'mean squared error of the probability',
    'calibration_slope': 'how far the truth goes with a step of the prediction: below 1 it dares '
    'too much, above 1 too little (of classes: in log odds)',
    'calibration_level': 'log odds of the truth where even odds were said: 0 is right',
    'p': 'share of permutations of the column that score as well',
}
_TEXT = (
    'Everybody was predicted by a model that had not seen them: {folds} folds, within each of '
    'them more that choose its strength, and {whole} in two folds. Filling of missing values, '
    'scaling{sites} and the choice were learned from training participants alone. {count} '
    'participants, {features} features, {learner}.'
)
_LEARNERS = {
    'linear': 'ridge or logistic regression',
    'svm': 'support vector machine with radial basis functions',
    'boosting': 'gradient boosting of trees',
}
_OF_NUMBERS = {
    'target': 'The true value.',
    'predicted': 'What a model said that had not seen the participant.',
    'gap': 'Predicted less true.',
    'corrected_gap': 'The same less the dependence on the true value that was estimated among '
    'training participants (brain-predicted difference, where the column is age). Scores has what '
    'is left of it as r_corrected_error_target: with few participants it may be much.',
}
_OF_CLASSES = {
    'target': 'The true class.',
    'predicted': 'Probability of the second class, by a model that had not seen the participant.',
}


class Predicted(NamedTuple):
    """Parts of the page, why columns were not predicted, and what was, by the name of its model.

    ``with_everybody`` is the same with those whom statistics leave out.
    """

    chapters: list[Chapter]
    refused: list[str]
    found: Mapping[str, Prediction]
    with_everybody: Mapping[str, Prediction]


def find_prediction_chapters(
    config: Config, models: Sequence[Model], sample: Sample, everybody: Sample | None = None
) -> Predicted:
    """Predict all columns that were asked for, and say what was refused and why.

    With ``everybody``, those who are left out are predicted, too, and the scores compared.
    """
    variables = sample.variables
    chapters: list[Chapter] = []
    refused: list[str] = []
    found: dict[str, Prediction] = {}
    with_everybody: dict[str, Prediction] = {}
    for model in models:
        title = f'Prediction of {model.outcome}'
        chapter = Chapter(f'predict-{snake(model.name)}', title, '', _HEADER)
        chapters.append(chapter)
        with guard(chapter, refused, 'Nothing was predicted.'):
            task, sites, notes = _pose(config, model, sample)
            one = predict(task, config.learner, config.permutations, config.random_seed,
                          config.nprocs)  # fmt: skip
            _fill(config, chapter, model, one, variables, sites)
            chapter.notes += notes
            found[model.name] = one
            if everybody is None:
                continue
            try:
                whole = _predict_everybody(config, model, everybody)
            except ModelError as error:
                chapter.notes.append(f'everybody could not be predicted: {error}')
                continue
            with_everybody[model.name] = whole
            rows = (variables.rows, everybody.variables.rows)
            chapters.append(compare_predictions(config.out_dir, model, (one, whole), rows))
    return Predicted(chapters, refused, found, with_everybody)


def _pose(config: Config, model: Model, sample: Sample) -> tuple[Task, str, list[str]]:
    """Return the task, the column of sites, and notes.

    ``harmonised`` takes the sites from ``--harmonise``, and these alone: harmonised values
    know those who are to be predicted.
    """
    harmonised = sample.find_harmonised(model)
    sites = config.sites or (harmonised.model.outcome if harmonised else '')
    _, atlas = split_terms(model)
    covariances = (
        None if atlas is None else gather_covariances(config, sample.cohort, model, atlas)
    )
    task = pose_task(
        model, sample.variables, sample.covariates, sites,
        is_by_site=config.folds_by_site, covariances=covariances,
    )  # fmt: skip
    return task, sites, covariances.notes if covariances else []


def _predict_everybody(config: Config, model: Model, everybody: Sample) -> Prediction:
    """Predict those who are left out, too, without permutations."""
    task, _, _ = _pose(config, model, everybody)
    return predict(task, config.learner, 0, config.random_seed, config.nprocs)


def _fill(
    config: Config,
    chapter: Chapter,
    model: Model,
    found: Prediction,
    variables: Variables,
    sites: str,
) -> None:
    task, out_dir = found.task, config.out_dir
    chapter.text = _TEXT.format(
        sites=_tell_learned(task, sites), folds=count_folds(task),
        whole=f'no site ({sites}) is' if task.is_by_site else 'nobody is',
        count=len(task.rows), features=len(task.names), learner=_LEARNERS[config.learner],
    )  # fmt: skip
    scores = {**found.scores, **({'p': found.p} if np.isfinite(found.p) else {})}
    chapter.rows = [(name, f'{value:.3f}', _SCORES[name]) for name, value in scores.items()]
    lost = len(variables.rows) - len(task.rows)
    if lost:
        chapter.notes.append(f'{lost} rows lack {model.outcome}, the site or all features')
    path = PurePosixPath('models', f'predicted-{model.name}.tsv')
    _write(out_dir / path, model, found, variables)
    importance = PurePosixPath('models', f'predicted-{model.name}_features.tsv')
    _write_features(out_dir / importance, model, found)
    chapter.files += [path, importance]
    chapter.pictures.append(_draw(out_dir, model, found, variables))


def _tell_learned(task: Task, sites: str) -> str:
    told = ', the mean in which the tangent space touches' if task.regions else ''
    return told + (f', harmonisation over {sites}' if task.sites is not None else '')


def _write(path: Path, model: Model, found: Prediction, variables: Variables) -> None:
    task = found.task
    columns = _OF_CLASSES if task.classes else _OF_NUMBERS
    lines = ['\t'.join(('participant_id', 'session_id', *columns))]
    for place, row in enumerate(task.rows):
        who = variables.rows[row]
        cells = [f'sub-{who.participant}', f'ses-{who.session}' if who.session else MISSING]
        if task.classes:
            cells += [task.classes[int(task.target[place])], f'{found.predicted[place]:.6g}']
        else:
            true, said = float(task.target[place]), float(found.predicted[place])
            numbers = (true, said, said - true, float(found.corrected[place]) - true)
            cells += [f'{value:.8g}' for value in numbers]
        lines.append('\t'.join(cells))
    write_lines(path, lines)
    write_sidecar(path, {
        'Description': f'MRIderived {__version__}: {model.formula}, out of sample.',
        'Classes': list(task.classes),
        'Scores': {name: round(value, 6) for name, value in found.scores.items()},
        'p': found.p if np.isfinite(found.p) else None,
        'Permutations': len(found.by_chance) + 1 if len(found.by_chance) else 0,
        **{name: {'Description': text} for name, text in columns.items()},
    })  # fmt: skip


def _write_features(path: Path, model: Model, found: Prediction) -> None:
    pairs = zip(found.task.names, found.importance, strict=True)
    write_lines(path, ['variable\timportance', *(f'{name}\t{value:.6g}' for name, value in pairs)])
    write_sidecar(path, {
        'Description': f'MRIderived {__version__}: features of {model.formula}.',
        'variable': {'Description': 'Column of phenotype/mriderived.tsv.'},
        'importance': {
            'Description': 'Correlation of the feature with the prediction among test people, '
            'mean over folds (the pattern of Haufe et al. 2014, '
            'doi:10.1016/j.neuroimage.2013.10.067, standardised).'
        },
    })  # fmt: skip


def _draw(out_dir: Path, model: Model, found: Prediction, variables: Variables) -> Picture:
    spots: Sequence[Spot] = ()
    task, title = found.task, f'Prediction of {model.outcome}'
    target = np.asarray(task.target, float)
    if task.classes:
        classes = (task.classes[0], task.classes[1])
        figure = draw_classes(
            target, found.predicted, classes, task.names, found.importance, title
        )
        left = 'How often the class was true where it had a probability; on the line, both agree.'
    else:
        figure = draw_numbers(target, found.predicted, task.names, found.importance, title)
        people = [variables.rows[row] for row in task.rows]
        spots = find_spots(figure.axes[0], target, found.predicted, people)
        left = f'Predicted against true; on the line, both are the same. {ON_CLICK}'
    path = figure_file(f'predicted_{snake(model.name)}')
    save_svg(figure, out_dir / path)
    caption = (
        f'{left} Right: the features that go most with the prediction (red: more, blue: less).'
    )
    return Picture(path, title, caption, spots)
