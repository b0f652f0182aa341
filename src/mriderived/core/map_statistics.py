"""Linear model of maps that come one after the other: memory does not grow with their number."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass
class Sums:
    """Sums over maps of V voxels from which a model of p columns follows.

    ``products`` (p, V) with the rows of the basis of the design, ``squares`` (V,).
    """

    products: Matrix
    squares: Matrix
    count: int = 0

    @classmethod
    def of_none(cls, terms: int, voxels: int) -> Sums:
        """Return the sums of no map."""
        return cls(np.zeros((terms, voxels)), np.zeros(voxels))

    def add(self, basis: Matrix, step: Matrix) -> None:
        """Add a map (V,), less the level of all, with its row (p,) of the basis."""
        self.products += np.outer(basis, step)
        self.squares += step**2
        self.count += 1

    def take(self, other: Sums) -> None:
        """Add the sums of other maps."""
        self.products += other.products
        self.squares += other.squares
        self.count += other.count


class StreamedModel:
    """A linear model of maps that are read one after the other, or in blocks elsewhere.

    Parameters
    ----------
    design : array (n, p)
        One row per map.
    first : array (V,)
        The first map, or another one of their level.

    Attributes
    ----------
    basis : array (n, p)
        Orthonormal columns that span the design.
    level : array (V,)
        What is taken off every map before it is summed. Where the design holds a constant this is
        the first map, so that the sum of squares does not lose the digits of small differences
        between large values.

    Examples
    --------
    >>> model = StreamedModel([[1, 0], [1, 1], [1, 2], [1, 3]], [1.0])
    >>> for value in (1.0, 3.0, 5.0, 7.5):
    ...     model.add(np.array([value]))
    >>> test = model.test([0, 1])
    >>> round(float(test.effect[0]), 3), test.dof
    (2.15, 2)
    """

    def __init__(self, design: ArrayLike, first: ArrayLike) -> None:
        matrix, level = np.asarray(design, float), np.asarray(first, float)
        # Orthonormal columns, so that one of large numbers costs no digits.
        self._scale = np.linalg.norm(matrix, axis=0)
        self.basis, self._upper = linalg.qr(matrix / self._scale, mode='economic')
        ones = np.ones(len(matrix))
        left = ones - self.basis @ (self.basis.T @ ones)
        has_constant = bool(np.linalg.norm(left) < 1e-8 * np.linalg.norm(ones))
        self.level: Matrix = level if has_constant else np.zeros_like(level)
        self.sums = Sums.of_none(matrix.shape[1], len(level))

    def add(self, values: ArrayLike) -> None:
        """Add the map (V,) of the next row of the design."""
        self.sums.add(self.basis[self.sums.count], np.asarray(values, float) - self.level)

    def test(self, contrast: ArrayLike) -> MapTest:
        """Test a weighted sum of coefficients against 0, two-sided.

        Raises
        ------
        DesignError
            Before all maps were added.
        """
        count, terms = self.basis.shape
        if self.sums.count != count:
            raise DesignError(f'{self.sums.count} maps were added, and the design is of {count}')
        weights = np.asarray(contrast, float)
        root = linalg.solve_triangular(self._upper, np.eye(terms)) / self._scale[:, None]
        coefficients = root @ self.sums.products
        dof = count - terms
        left = self.sums.squares - (self.sums.products**2).sum(axis=0)
        # What rounding leaves of a voxel that does not vary is no variance.
        varies = left > 1e-10 * self.sums.squares
        variance = np.where(varies, left / dof, np.nan)
        # The level, which was taken off, is a constant: its own coefficients come back.
        whole = root @ self.basis.sum(axis=0)
        effect = weights @ coefficients + float(weights @ whole) * self.level
        with np.errstate(invalid='ignore', divide='ignore'):
            t = effect / np.sqrt(variance * float(((weights @ root) ** 2).sum()))
        tail = stats.t.sf(np.abs(t), dof)
        z = np.sign(t) * stats.norm.isf(np.clip(tail, 1e-300, None))
        return MapTest(_short(effect), _short(t), _short(z), _short(2 * tail), dof)


def _short(values: Matrix) -> Values:
    return values.astype(np.float32)
