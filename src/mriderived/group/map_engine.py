"""Where the work on many maps runs: threads, processes of this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from numpy.typing import NDArray

from mriderived.core.permutation import Problem, Shuffles, shuffle
from mriderived.group.model_files import ModelError

#: Permutations of one piece of work.
PIECE = 25
#: Maps of one block. A number of its own, so that sums do not depend on who runs them.
BLOCK = 8
#: Stands for a cluster of processes on this machine.
LOCAL = 'local'

Item = TypeVar('Item')
Result = TypeVar('Result')


class Work(NamedTuple):
    """How a voxel-wise model is run. ``scheduler``: the address of a Dask cluster, or ``local``
    for one of as many processes here; empty: threads.
    """  # noqa: D205

    permutations: int = 0
    seed: int = 42
    processors: int = 1
    memory_gb: float = 4.0
    scheduler: str = ''


@contextmanager
def engine(work: Work) -> Iterator[None]:
    """Run what is asked for inside where the work says.

    Raises
    ------
    ModelError
        There is no Dask, or its scheduler does not answer.
    """
    if work.scheduler:
        with _connect(work), parallel_config('dask'):
            yield
    else:
        with parallel_config('threading', n_jobs=work.processors):
            yield


def run_blocks(
    function: Callable[..., Result], items: Sequence[Item], *shared: object
) -> Iterator[Result]:
    """Call a function with each block of the items, and what all blocks share, in their order.

    There are no more results at a time than there are workers, so that memory does not grow with
    the number of blocks.
    """
    blocks = (items[start : start + BLOCK] for start in range(0, len(items), BLOCK))
    calls = (delayed(function)(block, *shared) for block in blocks)
    while some := list(islice(calls, effective_n_jobs(None))):
        yield from Parallel()(some)


def run_permutations(
    problem: Problem, neighbours: NDArray[np.int32], permutations: int, seed: int
) -> list[Shuffles]:
    """Run all permutations, in pieces."""
    pieces = [
        range(start, min(start + PIECE, permutations)) for start in range(0, permutations, PIECE)
    ]
    # Arrays that stand by themselves are sent to a cluster once, those inside of others each time.
    calls = (delayed(_shuffle)(piece, seed, neighbours, *problem) for piece in pieces)
    return list(Parallel()(calls))


def _shuffle(
    piece: Iterable[int], seed: int, neighbours: NDArray[np.int32], *problem: Any
) -> Shuffles:
    return shuffle(Problem(*problem), piece, seed, neighbours)


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
