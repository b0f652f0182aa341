"""The right side of a formula: what it is read as, and which columns it speaks of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from formulaic import Formula
from formulaic.errors import FormulaicError
from formulaic.formula import SimpleFormula
from formulaic.parser.types import Factor
from formulaic.transforms import TRANSFORMS

from mriderived.group.model_files import Model, ModelError

#: What reading or evaluating a formula raises where the formula is to blame.
FORMULA_ERRORS = (FormulaicError, SyntaxError, ValueError, TypeError, LookupError, AttributeError)
_COLOURS = re.compile(r'\x1b\[[0-9;]*m|[⧛⧚]')


def parse_terms(model: Model) -> SimpleFormula:
    """Read the right side of the formula of a model.

    Raises
    ------
    ModelError
        It cannot be read, or has more parts than a sum of terms.
    """
    try:
        found = Formula(model.terms)
    except FORMULA_ERRORS as error:
        raise ModelError(f'{model.formula} cannot be read: {plain_text(error)}') from error
    if not isinstance(found, SimpleFormula):
        raise ModelError(
            f'{model.formula} cannot be read: what explains is a sum of terms, without | and '
            'with no further ~'
        )
    return found


def plain_text(error: Exception) -> str:
    """Return the message of an error in one line, without the colours of a terminal."""
    return ' '.join(_COLOURS.sub('', str(error)).split())


def required_columns(formula: SimpleFormula) -> list[str]:
    """Return the columns that the terms are made of, in order.

    >>> required_columns(Formula('age + C(sex) + poly(tiv, 2) + np.log(bmi)'))
    ['age', 'bmi', 'sex', 'tiv']
    """
    # The library does not look into the calls of transforms that learn from the data.
    inside = {name for expression in _expressions(formula) for name in _names(expression)}
    return sorted({*map(str, formula.required_variables), *inside})


def categorical_columns(formula: SimpleFormula) -> set[str]:
    """Return the columns that the formula declares to be categories.

    >>> categorical_columns(Formula('age + C(site, contr.sum):sex'))
    {'site'}
    """
    found = set()
    for expression in _expressions(formula):
        if not (isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name)):
            continue
        if expression.func.id == 'C' and expression.args:
            found.update(_names(expression.args[0]))
    return found


def _expressions(formula: SimpleFormula) -> Iterator[ast.expr]:
    for term in formula:
        for factor in term.factors:
            if factor.eval_method is Factor.EvalMethod.PYTHON and '`' not in str(factor.expr):
                yield ast.parse(str(factor.expr), mode='eval').body


def _names(expression: ast.expr) -> set[str]:
    """Return the names in an expression that are neither called nor the owner of something."""
    nodes = list(ast.walk(expression))
    owners = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return {
        node.id
        for node in nodes
        if isinstance(node, ast.Name)
        and id(node) not in owners | called
        and node.id not in TRANSFORMS
    }
