"""Compiled loop: how much the eigenvalues of second derivatives look like those of a tube."""

from __future__ import annotations

import math

import numba


@numba.njit(nogil=True, cache=True)
def respond(  # type: ignore[no-untyped-def]
    start, stop, values, sign, background, roundness, straightness, best
):
    """Raise ``best`` to the answer at one scale; ``sign`` is 1 for dark tubes, -1 for bright."""
    _, ny, nz = best.shape
    for i in range(start, stop):
        for j in range(ny):
            for k in range(nz):
                along = abs(values[i, j, k, 0])
                near, far = sign * values[i, j, k, 1], sign * values[i, j, k, 2]
                if near <= 0 or far <= 0:
                    continue
                across = math.sqrt(near * far)
                plate = near / far
                blob = along / across
                shape = (1 - math.exp(-(plate**2) / (2 * roundness**2))) * math.exp(
                    -(blob**2) / (2 * straightness**2)
                )
                answer = shape * across / background[i, j, k]
                if answer > best[i, j, k]:
                    best[i, j, k] = answer
