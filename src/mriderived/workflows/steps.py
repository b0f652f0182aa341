"""The preprocessing steps of every kind of image, in the order in which they run."""

from __future__ import annotations

from mriderived.config import AnatBackend
from mriderived.measures.base import Measure
from mriderived.workflows.anat import BACKENDS
from mriderived.workflows.func import FUNC_STEPS


def preprocessing_steps(backend: AnatBackend = 'builtin') -> tuple[Measure, ...]:
    """Return the steps with a way of structural preprocessing; those of others lean on it."""
    return (*BACKENDS[backend], *FUNC_STEPS)
