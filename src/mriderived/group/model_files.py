"""What to fit: a formula on the command line, or a file of models."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

Errors = Literal['classical', 'robust', 'mixed']
Missing = Literal['drop', 'mean']
Correction = Literal['fdr', 'holm', 'bonferroni']
Family = Literal['table', 'model']


class ModelError(ValueError):
    """A model that cannot be understood or fitted; the message says what to change."""


@dataclass(frozen=True)
class Model:
    """One model: what is explained by what, and how it is tested.

    ``outcome`` names variables of the cohort table; ``terms`` is the right side of the formula.
    ``contrasts`` weigh coefficients by their names, ``joint`` ones in several rows that are
    tested at once; without any, each coefficient is tested, and each term of several.
    ``family``: p-values are corrected over the regions of a table, or over all of the model.
    ``harmonised``: of values that ``--harmonise`` made; a name says by which of its formulas, and
    None leaves it to ``--use-harmonised``.
    """

    name: str
    outcome: str
    terms: str
    contrasts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    joint: Mapping[str, tuple[Mapping[str, float], ...]] = field(default_factory=dict)
    errors: Errors = 'classical'
    missing: Missing = 'drop'
    correction: Correction = 'fdr'
    family: Family = 'table'
    alpha: float = 0.05
    harmonised: bool | str | None = None

    @property
    def formula(self) -> str:
        """Both sides."""
        return f'{self.outcome} ~ {self.terms}'


_CHOICES: Mapping[str, tuple[str, ...]] = {
    'errors': get_args(Errors),
    'missing': get_args(Missing),
    'correction': get_args(Correction),
    'family': get_args(Family),
}
_KEYS = ('name', 'formula', 'contrasts', *_CHOICES, 'alpha', 'harmonised')


def read_models(texts: Sequence[str]) -> tuple[Model, ...]:
    """Return the models that ``--model`` names: formulas, or YAML files of models.

    Raises
    ------
    ModelError
        Where one cannot be understood, or two have one name.

    Examples
    --------
    >>> model, = read_models(['thickness ~ age + C(sex)'])
    >>> model.name, model.outcome, model.terms
    ('thicknessAgeCSex', 'thickness', 'age + C(sex)')
    """
    models: list[Model] = []
    for text in texts:
        models += _read_file(Path(text)) if _is_file(text) else [_parse_formula(text)]
    for place, model in enumerate(models):
        if model.name in [other.name for other in models[:place]]:
            raise ModelError(f'two models are called {model.name}: give each a name of its own')
    return tuple(models)


def _is_file(text: str) -> bool:
    return '~' not in text


def _parse_formula(text: str, name: str = '') -> Model:
    outcome, _, terms = (part.strip() for part in text.partition('~'))
    if not outcome or not terms:
        raise ModelError(
            f'{text!r} is no formula: write what is explained, ~ and what explains it, as in '
            'thickness ~ age + C(sex)'
        )
    return Model(name or name_model(text), outcome, terms)


def name_model(formula: str) -> str:
    """Return a label of letters and digits for a formula."""
    words = re.findall('[A-Za-z0-9]+', formula)
    return ''.join([words[0], *(word[:1].upper() + word[1:] for word in words[1:])])[:60]


def _read_file(path: Path) -> list[Model]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise ModelError(
            f'{path} does not exist, and it is no formula, for it has no tilde (~)'
        ) from error
    except IsADirectoryError as error:
        raise ModelError(f'{path} is a folder: name a file of models in it') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = ' '.join(str(error).split())
        raise ModelError(f'{path} is no valid YAML ({told}): correct it') from error
    entries = content.get('models') if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries:
        raise ModelError(f'{path} has no list of models: write models: and below it - formula: …')
    return [_read_entry(entry, f'{path}, model {n}') for n, entry in enumerate(entries, start=1)]


def _read_entry(entry: Any, where: str) -> Model:
    if not isinstance(entry, dict) or not isinstance(entry.get('formula'), str):
        raise ModelError(f'{where} has no formula')
    unknown = [str(key) for key in entry if key not in _KEYS]
    if unknown:
        raise ModelError(
            f'{where}: {", ".join(unknown)} is not known; known are {", ".join(_KEYS)}'
        )
    given = entry.get('name', '')
    if given and not re.fullmatch('[A-Za-z0-9]+', str(given)):
        raise ModelError(f'{where}: its name {given!r} may have letters and digits only')
    model = _parse_formula(entry['formula'], str(given))
    for key, known in _CHOICES.items():
        if key in entry and entry[key] not in known:
            raise ModelError(f'{where}: {key} {entry[key]!r} is none of {", ".join(known)}')
    alpha = entry.get('alpha', model.alpha)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:
        raise ModelError(f'{where}: alpha {alpha!r} is not between 0 and 1')
    harmonised = entry.get('harmonised')
    if not isinstance(harmonised, bool | str | None):
        raise ModelError(
            f'{where}: harmonised {harmonised!r} must be true, false, or the name of a '
            'harmonisation'
        )
    chosen = {key: entry[key] for key in _CHOICES if key in entry}
    contrasts, joint = _read_contrasts(entry.get('contrasts', {}), where)
    return replace(
        model,
        contrasts=contrasts,
        joint=joint,
        alpha=float(alpha),
        harmonised=harmonised,
        **chosen,
    )


def _read_contrasts(
    content: Any, where: str
) -> tuple[dict[str, dict[str, float]], dict[str, tuple[dict[str, float], ...]]]:
    """Return contrasts of one row, and those of several."""
    if not isinstance(content, dict):
        raise ModelError(f'{where}: contrasts must be names, each with weights of coefficients')
    single: dict[str, dict[str, float]] = {}
    joint: dict[str, tuple[dict[str, float], ...]] = {}
    for name, weights in content.items():
        if isinstance(weights, list) and weights:
            joint[str(name)] = tuple(_read_weights(row, str(name), where) for row in weights)
        else:
            single[str(name)] = _read_weights(weights, str(name), where)
    return single, joint


def _read_weights(weights: Any, name: str, where: str) -> dict[str, float]:
    if isinstance(weights, str):
        weights = {weights: 1}
    numbers = list(weights.values()) if isinstance(weights, dict) else []
    if not numbers or not all(
        isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n)
        for n in numbers
    ):
        raise ModelError(
            f'{where}: contrast {name} must be a coefficient or weights of coefficients, as '
            'in {age: 1}, or a list of these'
        )
    return {str(key): float(value) for key, value in weights.items()}
