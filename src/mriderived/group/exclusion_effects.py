"""What leaving somebody out changes in maps, predictions and norms: each is fitted twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived import __version__
from mriderived.bids.sidecar import write_sidecar
from mriderived.config import Config
from mriderived.core.agreement import correlate_known
from mriderived.group.blocks import MISSING
from mriderived.group.chapters import Chapter
from mriderived.group.columns import snake
from mriderived.group.map_models import MapModel
from mriderived.group.map_outputs import judge_voxels, make_volumes, save_maps
from mriderived.group.model_files import Model
from mriderived.group.norms import NormResult
from mriderived.group.prediction import Prediction
from mriderived.group.records import Row
from mriderived.group.variables import Variables
from mriderived.group.writing import write_lines

Matrix = NDArray[np.float64]
#: Beyond this is 5 % of the people.
FAR = 1.96
_OF_MAPS = {
    'contrast': 'Contrast.',
    'space': 'Space of the maps.',
    'n_with': 'Maps of everybody.',
    'n_without': 'Maps without those who are left out.',
    'voxels': 'Voxels of both.',
    'r_effect': 'Correlation of both effects over these voxels.',
    'r_t': 'The same of t.',
    'hold_with': 'Voxels that count by the rule of the model, with everybody.',
    'hold_without': 'Voxels that count without them.',
    'hold_in_both': 'Voxels that count in both.',
}
_OF_PREDICTIONS = {
    'score': 'What is scored; n: participants; r_of_both: correlation of both predictions of '
    'those who are in both.',
    'with': 'With everybody.',
    'without': 'Without those who are left out.',
}
_OF_NORMS = {
    'quantity': 'n: rows that are judged; reference: those who draw curves; beyond: share of |z| '
    'above 1.96; r_z, mean_change and largest_change: of z of those who are in both.',
    'with': 'With everybody.',
    'without': 'Without those who are left out.',
}
_HEADERS: Mapping[str, Sequence[str]] = {
    'maps': ('Contrast', 'Space', 'n with', 'n without', 'Voxels', 'r of effects', 'r of t',
             'hold with', 'hold without', 'hold in both'),
    'predictions': ('Score', 'With everybody', 'Without those left out'),
    'norms': ('Quantity', 'With everybody', 'Without those left out'),
}  # fmt: skip


def compare_maps(config: Config, part: Sequence[MapModel], whole: Sequence[MapModel]) -> Chapter:
    """Compare voxel-wise models without some people with those of everybody.

    Effects and t of everybody are written as maps, too.
    """
    model = part[0].model
    chapter = Chapter(
        f'maps-{snake(model.name)}-compared',
        f'Maps with and without those left out: {model.formula}',
        'The same model of everybody, with the same permutations. Effects and t are compared over '
        'the voxels of both; their maps of everybody are among the files.',
        _HEADERS['maps'],
    )
    others = {fitted.maps.space: fitted for fitted in whole}
    for fitted in part:
        other = others[fitted.maps.space]
        named = other._replace(model=replace(model, name=f'{model.name}Everybody'))
        for number, title in enumerate(fitted.tests, start=1):
            if title not in other.tests:
                chapter.notes.append(f'{title} cannot be compared: everybody has other levels')
                continue
            chapter.rows.append(_compare_contrast(fitted, other, title))
            volumes = make_volumes(other, title)
            few = {stat: volumes[stat] for stat in ('effect', 't')}
            chapter.files += save_maps(config.out_dir, named, title, number, few, config.smoothing)
    _write(config.out_dir, f'maps-{model.name}', model, chapter, _OF_MAPS)
    return chapter


def _compare_contrast(part: MapModel, whole: MapModel, title: str) -> tuple[str, ...]:
    one, other = (make_volumes(fitted, title) for fitted in (part, whole))
    holds, held = judge_voxels(part, one)[1], judge_voxels(whole, other)[1]
    both = part.mask & whole.mask
    r_effect, r_t = (
        correlate_known(one[stat][both].astype(float), other[stat][both].astype(float))
        for stat in ('effect', 't')
    )
    return (
        title, part.maps.space, str(len(whole.rows)), str(len(part.rows)), str(int(both.sum())),
        _number(r_effect), _number(r_t), str(int(held.sum())), str(int(holds.sum())),
        str(int((held & holds).sum())),
    )  # fmt: skip


def compare_predictions(
    out_dir: Path,
    model: Model,
    found: tuple[Prediction, Prediction],
    rows: tuple[Sequence[Row], Sequence[Row]],
) -> Chapter:
    """Compare the scores of a prediction without some people with those of everybody.

    ``found`` and ``rows`` are without them first; ``rows`` are those that tasks count by.
    """
    part, whole = found
    chapter = Chapter(
        f'predict-{snake(model.name)}-compared',
        f'Prediction of {model.outcome} with and without those left out',
        'The same nested cross-validation of everybody, without permutations.',
        _HEADERS['predictions'],
    )
    of_part, of_whole = (
        dict(zip([names[row] for row in one.task.rows], one.predicted, strict=True))
        for one, names in zip(found, rows, strict=True)
    )
    shared = [row for row in of_part if row in of_whole]
    r = correlate_known(
        np.array([of_part[row] for row in shared]), np.array([of_whole[row] for row in shared])
    )
    chapter.rows = [
        ('n', str(len(of_whole)), str(len(of_part))),
        *((name, _number(whole.scores.get(name, np.nan)), _number(value))
          for name, value in part.scores.items()),
        ('r_of_both', _number(r), _number(r)),
    ]  # fmt: skip
    _write(out_dir, f'predicted-{model.name}', model, chapter, _OF_PREDICTIONS)
    return chapter


def compare_norms(
    out_dir: Path, found: tuple[NormResult, NormResult], variables: tuple[Variables, Variables]
) -> Chapter:
    """Compare norms without some people with those of everybody; without them first."""
    part, whole = found
    model = part.task.model
    chapter = Chapter(
        f'norms-{snake(model.name)}-compared',
        f'Norms of {model.outcome} with and without those left out',
        'The same norms of everybody; z is compared for those who are in both.',
        _HEADERS['norms'],
    )
    first, second = _shared_z(found, variables)
    change = np.abs(first - second)
    change = change[np.isfinite(change)]
    judged, drawn = (
        [int(rows.sum()) for rows in kind]
        for kind in (
            [np.isfinite(one.z).any(axis=1) for one in (whole, part)],
            [one.task.draws for one in (whole, part)],
        )
    )
    rows: list[tuple[str, float, float]] = [
        ('n', judged[0], judged[1]),
        ('reference', drawn[0], drawn[1]),
        ('beyond', _share(whole.z), _share(part.z)),
        *((name, value, value) for name, value in (
            ('r_z', correlate_known(first.ravel(), second.ravel())),
            ('mean_change', float(change.mean()) if change.size else np.nan),
            ('largest_change', float(change.max()) if change.size else np.nan),
        )),
    ]  # fmt: skip
    chapter.rows = [(name, *(_number(value) for value in values)) for name, *values in rows]
    _write(out_dir, f'norms-{model.name}', model, chapter, _OF_NORMS)
    return chapter


def _share(z: Matrix) -> float:
    known = z[np.isfinite(z)]
    return float((np.abs(known) > FAR).mean()) if known.size else np.nan


def _shared_z(
    found: tuple[NormResult, NormResult], variables: tuple[Variables, Variables]
) -> tuple[Matrix, Matrix]:
    """Return z (k, m) of the rows and variables that both have."""
    rows, names = [], []
    for one, known in zip(found, variables, strict=True):
        rows.append({known.rows[row]: place for place, row in enumerate(one.task.design.rows)})
        names.append({known.variables[number].name: place
                      for place, number in enumerate(one.task.variables)})  # fmt: skip
    who = [row for row in rows[0] if row in rows[1]]
    what = [name for name in names[0] if name in names[1]]
    first, second = (
        one.z[np.ix_([mine[row] for row in who], [own[name] for name in what])]
        for one, mine, own in zip(found, rows, names, strict=True)
    )
    return first, second


def _number(value: float) -> str:
    if not np.isfinite(value):
        return MISSING
    return str(value) if isinstance(value, int) else f'{value:.3f}'


def _write(
    out_dir: Path, stem: str, model: Model, chapter: Chapter, columns: Mapping[str, str]
) -> None:
    """Write the table of a chapter beside that of its model."""
    path = PurePosixPath('models', f'{stem}_desc-everybody_compared.tsv')
    write_lines(out_dir / path, ['\t'.join(columns), *map('\t'.join, chapter.rows)])
    content: dict[str, Any] = {
        'Description': f'MRIderived {__version__}: {model.formula}, with and without those who '
        'are left out.',
        **{name: {'Description': text} for name, text in columns.items()},
    }
    write_sidecar(out_dir / path, content)
    chapter.files.append(path)
