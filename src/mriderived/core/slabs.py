"""Run compiled loops over slabs of the first axis in threads.

Every voxel's result depends on the input alone, never on how the volume was cut, so that any
number of threads gives the same bits. Threads of Python suffice because compiled code lets go
of the interpreter, and unlike OpenMP's they survive a fork.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any


def run_slabs(kernel: Callable[..., None], size: int, threads: int, *arguments: Any) -> None:
    """Call ``kernel(start, stop, *arguments)`` on slabs that cover ``range(size)``.

    Parameters
    ----------
    kernel : callable
        Compiled with ``nogil=True``; writes only to planes ``start`` to ``stop`` of its output.
    size : int
        Number of planes.
    threads : int
        Number of slabs, run at the same time.

    Examples
    --------
    >>> seen = []
    >>> run_slabs(lambda start, stop: seen.append((start, stop)), 5, 2)
    >>> sorted(seen)
    [(0, 2), (2, 5)]
    """
    count = max(1, min(threads, size))
    cuts = [size * slab // count for slab in range(count + 1)]
    if count == 1:
        kernel(0, size, *arguments)
        return
    with ThreadPoolExecutor(count) as pool:
        jobs = [pool.submit(kernel, start, stop, *arguments) for start, stop in pairwise(cuts)]
        for job in jobs:
            job.result()
