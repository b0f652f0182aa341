"""Linear model of maps that come one after the other: memory does not grow with their number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, stats

from mriderived.core.linear_model import DesignError

Matrix = NDArray[np.float64]
Values = NDArray[np.float32]


class MapTest(NamedTuple):
    """The test of one contrast in V voxels; NaN where nothing varies. ``z`` has the tail of t."""

    effect: Values
    t: Values
    z: Values
    p: Values
    dof: int


class StreamedModel:
    """Sums over maps from which coefficients and their errors follow.

    Parameters
    ----------
    design : array (n, p)
        One row per map, in the order in which they will be added.

    Notes
    -----
    Where the design holds a constant, every map is taken relative to the first one, so that the
    sum of squares does not lose the digits of small differences between large values.

    Examples
    --------
    >>> model = StreamedModel([[1, 0], [1, 1], [1, 2], [1, 3]])
    >>> for value in (1.0, 3.0, 5.0, 7.5):
    ...     model.add(np.array([value]))
    >>> test = model.test([0, 1])
    >>> round(float(test.effect[0]), 3), test.dof
    (2.15, 2)
    """

    def __init__(self, design: ArrayLike) -> None:
        self._design = np.asarray(design, float)
        # Orthonormal rows, so that a column of large numbers costs no digits.
        self._scale = np.linalg.norm(self._design, axis=0)
        self._basis, self._upper = linalg.qr(self._design / self._scale, mode='economic')
        ones = np.ones(len(self._design))
        left = ones - self._basis @ (self._basis.T @ ones)
        self._has_constant = bool(np.linalg.norm(left) < 1e-8 * np.linalg.norm(ones))
        self._first: Matrix | None = None
        self._added = 0
        self._products: Matrix | None = None
        self._squares: Matrix | None = None

    def add(self, values: ArrayLike) -> None:
        """Add the map (V,) of the next row of the design."""
        data = np.asarray(values, float)
        if self._first is None or self._products is None or self._squares is None:
            self._first = data.copy() if self._has_constant else np.zeros(len(data))
            self._products = np.zeros((self._design.shape[1], len(data)))
            self._squares = np.zeros(len(data))
        step = data - self._first
        self._products += np.outer(self._basis[self._added], step)
        self._squares += step**2
        self._added += 1

    def test(self, contrast: ArrayLike) -> MapTest:
        """Test a weighted sum of coefficients against 0, two-sided.

        Raises
        ------
        DesignError
            Before all maps were added.
        """
        if self._first is None or self._products is None or self._squares is None:
            raise DesignError('no map was added')
        count, terms = self._design.shape
        if self._added != count:
            raise DesignError(f'{self._added} maps were added, and the design is of {count}')
        weights = np.asarray(contrast, float)
        root = linalg.solve_triangular(self._upper, np.eye(terms)) / self._scale[:, None]
        coefficients = root @ self._products
        dof = count - terms
        left = self._squares - (self._products**2).sum(axis=0)
        # What rounding leaves of a voxel that does not vary is no variance.
        varies = left > 1e-10 * self._squares
        variance = np.where(varies, left / dof, np.nan)
        # The first map, which was taken off, is a constant: its own coefficients come back.
        whole = root @ self._basis.sum(axis=0)
        effect = weights @ coefficients + float(weights @ whole) * self._first
        with np.errstate(invalid='ignore', divide='ignore'):
            t = effect / np.sqrt(variance * float(((weights @ root) ** 2).sum()))
        tail = stats.t.sf(np.abs(t), dof)
        z = np.sign(t) * stats.norm.isf(np.clip(tail, 1e-300, None))
        return MapTest(_short(effect), _short(t), _short(z), _short(2 * tail), dof)


def _short(values: Matrix) -> Values:
    return values.astype(np.float32)
