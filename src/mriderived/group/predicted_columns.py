"""Predictions as columns of the cohort table: the corrected gap, or the probability of a class.

Neither the true value nor the predicted number is among them, from which the true one would
follow: they stand in ``models/`` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mriderived.group.columns import snake
from mriderived.group.derivatives import Sheet
from mriderived.group.model_files import Model
from mriderived.group.prediction import Prediction
from mriderived.group.records import Row
from mriderived.measures.base import Column

#: de Lange and Cole 2020, on gaps and the bias that is taken off them.
OF_GAPS = 'https://doi.org/10.1016/j.nicl.2020.102229'
OF_CLASSES = 'https://scikit-learn.org/stable/modules/cross_validation.html'
_GAP = (
    'Predicted less true {0}, without its dependence on the true one, by a model of {1} that had '
    'not seen the participant, in the unit of that column'
)
_PROBABILITY = (
    'Probability of {0} {1} by a model of {2} that had not seen the participant, among {3}'
)


def make_sheets(
    models: Sequence[Model],
    found: Mapping[str, Prediction],
    rows: Sequence[Row],
    excluded: Mapping[Row, Sequence[str]],
) -> list[Sheet]:
    """Return one table for each prediction; ``rows`` are those that its task counts by.

    ``excluded`` says why somebody has no part in statistics.
    """
    twice = Counter(model.outcome for model in models)
    sheets = []
    for model in models:
        if model.name not in found:
            continue
        name = model.outcome if twice[model.outcome] == 1 else model.name
        sheets.append(_make(model, snake(name), found[model.name], rows, excluded))
    return sheets


def _make(
    model: Model,
    name: str,
    found: Prediction,
    rows: Sequence[Row],
    excluded: Mapping[Row, Sequence[str]],
) -> Sheet:
    task = found.task
    if task.classes:
        column = Column(
            f'probability_{snake(task.classes[1])}',
            _PROBABILITY.format(
                model.outcome, task.classes[1], model.terms, ' and '.join(task.classes)
            ),
            '1',
            f'Probability of {model.outcome} {task.classes[1]}',
        )  # fmt: skip
        values = found.predicted
    else:
        column = Column('corrected_gap', _GAP.format(model.outcome, model.terms),
                        '', f'Corrected gap of {model.outcome}')  # fmt: skip
        values = found.corrected - task.target
    sheet = Sheet(
        f'predicted_{name}',
        f'Prediction of {model.outcome}',
        OF_CLASSES if task.classes else OF_GAPS,
        (column,),
    )
    for place, row in enumerate(task.rows):
        sheet.add(rows[row], '', column.name, float(values[place]))
    lacking = f'{model.outcome}, a site or all features are missing'
    sheet.reasons = {row: lacking for row in rows if row not in sheet.values}
    sheet.reasons |= {
        row: f'left out of statistics: {"; ".join(why)}' for row, why in excluded.items()
    }
    return sheet
