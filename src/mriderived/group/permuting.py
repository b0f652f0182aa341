"""Where permutations run: on threads, on processes of this machine, or on a Dask cluster."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray

from mriderived.core.permutation import Problem, Shuffles, shuffle
from mriderived.group.model_files import ModelError

#: Permutations of one piece of work.
PIECE = 25
#: Stands for a cluster of processes on this machine.
LOCAL = 'local'


class Work(NamedTuple):
    """How permutations are run. ``scheduler``: the address of a Dask cluster, or ``local`` for one
    of as many processes here; empty: threads.
    """  # noqa: D205

    permutations: int = 0
    seed: int = 42
    processors: int = 1
    memory_gb: float = 4.0
    scheduler: str = ''


def run_pieces(problem: Problem, neighbours: NDArray[np.int32], work: Work) -> list[Shuffles]:
    """Run all permutations, in pieces.

    Raises
    ------
    ModelError
        There is no Dask, or its scheduler does not answer.
    """
    pieces = [
        range(start, min(start + PIECE, work.permutations))
        for start in range(0, work.permutations, PIECE)
    ]
    calls = (delayed(shuffle)(problem, piece, work.seed, neighbours) for piece in pieces)
    if not work.scheduler:
        with parallel_config('threading', n_jobs=work.processors):
            return list(Parallel()(calls))
    with _connect(work), parallel_config('dask'):
        return list(Parallel()(calls))


def _connect(work: Work) -> Any:
    """Return a client; at the end it closes, and with it a cluster that it started."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ModelError(
            '--dask-scheduler needs the package distributed: pip install "mriderived[dask]"'
        ) from error
    if work.scheduler == LOCAL:
        return Client(
            n_workers=work.processors, threads_per_worker=1, processes=True,
            dashboard_address=None,
        )  # fmt: skip
    try:
        return Client(work.scheduler, timeout='20s')
    except (OSError, ValueError) as error:
        raise ModelError(
            f'--dask-scheduler {work.scheduler} does not answer ({error}): start dask scheduler '
            'and dask worker, or take local'
        ) from error
