"""What is unusual about a gradient table that can be read: shells, directions, their spread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.gradient_files import B0_THRESHOLD, GradientFiles
from mriderived.bids.nifti_reading import BadImageError, Finding
from mriderived.shells import find_shells

#: Directions closer than this are the same.
SAME_DEGREES = 1.0
#: A tensor has six elements.
LEAST_DIRECTIONS = 6
#: Spread evenly, directions determine the best and the worst element of a tensor with a ratio of
#: 1.6; above this one, some element depends on very few volumes.
MAX_CONDITION = 5.0


class Shell(NamedTuple):
    """Volumes of one b-value.

    ``b`` in s/mm² (nominal), ``directions`` how many differ (opposite ones are the same),
    ``condition`` of a tensor in them, infinite where they do not determine one.
    """

    b: float
    volumes: int
    directions: int
    condition: float


class GradientCheck(NamedTuple):
    """What to know of a table: ``unweighted`` volumes, ``shells``, and findings with flags."""

    unweighted: int
    shells: tuple[Shell, ...]
    findings: tuple[Finding, ...]

    def describe(self) -> str:
        """Say how many volumes there are of each b-value, as in '9 × 0, 24 × 700'."""
        groups = [(self.unweighted, 0.0)] if self.unweighted else []
        groups += [(shell.volumes, shell.b) for shell in self.shells]
        return ', '.join(f'{count} × {b:.0f}' for count, b in groups)


def check_gradients(path: Path, table: GradientFiles, is_weighted: bool = True) -> GradientCheck:
    """Check a table; raise :class:`BadImageError` if it should be weighted and is not.

    Flags: ``no_b0``, ``b0_only`` (where that is allowed), ``few_directions`` (the most of a
    shell, less than six), ``repeated_directions`` (number), ``poor_spread`` (condition number).
    """
    b, directions = table.b[table.used], table.directions[table.used]
    weighted = b > B0_THRESHOLD
    if is_weighted and not weighted.any():
        raise BadImageError(
            path,
            f'no volume is weighted by diffusion (the largest b-value is {b.max():g} s/mm²)',
            'If this is a distortion reference, name it as epi in fmap; else convert the series '
            'from DICOM again.',
        )
    number, nominal = find_shells(b, B0_THRESHOLD)
    shells = tuple(
        _measure(value, directions[number == shell])
        for shell, value in enumerate(nominal[1:], start=1)
    )
    unweighted = int((~weighted).sum())
    findings = tuple(_findings(unweighted, shells))
    return GradientCheck(unweighted, shells, (*table.findings, *findings))


def _measure(b: float, directions: NDArray[np.float64]) -> Shell:
    x, y, z = directions.T
    design = np.column_stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z])
    distinct = _count_distinct(directions)
    condition = np.inf
    if distinct >= LEAST_DIRECTIONS:
        condition = float(np.linalg.cond(design))
    return Shell(b, len(directions), distinct, condition)


def _count_distinct(directions: NDArray[np.float64]) -> int:
    """Count directions that are not within a degree of an earlier one or of its opposite."""
    limit = np.cos(np.radians(SAME_DEGREES))
    same = np.abs(directions @ directions.T) > limit
    return int(np.sum(~np.tril(same, -1).any(axis=1)))


def _findings(unweighted: int, shells: tuple[Shell, ...]) -> Iterator[Finding]:
    if not shells:
        yield 'b0_only', 'yes', 'No volume is weighted by diffusion: there is no measure of it.'
        return
    if not unweighted:
        yield 'no_b0', 'yes', 'There is no volume without diffusion weighting.'
    most = max(shell.directions for shell in shells)
    if most < LEAST_DIRECTIONS:
        are = 'There is 1 direction' if most == 1 else f'There are {most} directions'
        yield (
            'few_directions',
            float(most),
            f'{are}: a tensor needs {LEAST_DIRECTIONS}.',
        )
    repeated = sum(shell.volumes - shell.directions for shell in shells)
    if repeated:
        volumes = 'volume has' if repeated == 1 else 'volumes have'
        yield (
            'repeated_directions',
            float(repeated),
            f'{repeated} {volumes} the direction of an earlier one of the same b-value, or its '
            'opposite.',
        )
    for shell in shells:
        if shell.directions >= LEAST_DIRECTIONS and shell.condition > MAX_CONDITION:
            yield (
                'poor_spread',
                round(min(shell.condition, 1e6), 2),
                f'The directions of b = {shell.b:.0f} s/mm² are poorly spread (condition number '
                f'{min(shell.condition, 1e6):.3g}, evenly spread 1.6): measures depend on the '
                "fibres' orientation.",
            )
