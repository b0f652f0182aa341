"""Run compiled loops over slabs of the first axis in threads.

Every voxel's result depends on the input alone, never on how the volume was cut, so that any
number of threads gives the same bits. Threads of Python suffice because compiled code lets go
of the interpreter.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
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
    if count == 1:
        kernel(0, size, *arguments)
        return
    cuts = [size * slab // count for slab in range(count + 1)]
    pool = _pool(count, os.getpid())
    jobs = [pool.submit(kernel, start, stop, *arguments) for start, stop in pairwise(cuts)]
    for job in jobs:
        job.result()


@lru_cache
def _pool(count: int, process: int) -> ThreadPoolExecutor:
    # one pool per process, because threads do not survive a fork
    del process
    return ThreadPoolExecutor(count)
