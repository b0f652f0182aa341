"""Where libraries may write and how many threads they start. Standard library only.

Matplotlib, numba, nipype and others decide at import time, so :func:`prepare_environment` runs
before the first heavy import. Nothing needs a home folder that can be written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

#: Variables that name a folder, and that folder below the cache.
FOLDERS = {
    'TMPDIR': 'tmp',
    'MPLCONFIGDIR': 'matplotlib',
    'XDG_CACHE_HOME': 'xdg',
    'XDG_CONFIG_HOME': 'config',
    'NIPYPE_CONFIG_DIR': 'nipype',
    'TORCH_HOME': 'torch',
    'TORCHINDUCTOR_CACHE_DIR': 'torch/inductor',
}

#: BLAS gains nothing on arrays this size and loses much when many processes use it at once.
SINGLE_THREADED = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS',
                   'VECLIB_MAXIMUM_THREADS')  # fmt: skip

CONSTANTS = {
    'MPLBACKEND': 'Agg',
    'NO_ET': '1',  # no telemetry
    'NIPYPE_NO_ET': '1',
    'TEMPLATEFLOW_AUTOUPDATE': 'off',
    # Asking whether there is a GPU must not start CUDA: that would break forked workers.
    'PYTORCH_NVML_BASED_CUDA_CHECK': '1',
}


def cache_folder(work_dir: Path) -> Path:
    """Return the folder that takes what libraries want to keep."""
    return work_dir / 'cache'


def describe_environment(
    cache: Path, omp_nthreads: int, current: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables to set, given those that are set now."""
    variables = {name: str(cache / folder) for name, folder in FOLDERS.items()}
    variables |= dict.fromkeys(SINGLE_THREADED, '1')
    variables |= CONSTANTS
    if not _may_write_beside_code():
        variables['NUMBA_CACHE_DIR'] = str(cache / 'numba')
    # ITK's sums depend on the number of threads, and it reads this once per process.
    variables['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] = '1'
    variables['NUMBA_NUM_THREADS'] = str(omp_nthreads)
    fonts = _filled_matplotlib(current)
    if fonts is not None:
        variables['MPLCONFIGDIR'] = str(fonts)
    templates = _filled_templateflow(current)
    if templates is not None:
        variables['TEMPLATEFLOW_HOME'] = str(templates)
    if not current.get('HOME'):
        variables['HOME'] = str(cache)
    if not any(current.get(name) for name in ('LOGNAME', 'USER', 'LNAME', 'USERNAME')):
        # A container may run as a number without an account, and some libraries ask its name.
        variables['USER'] = 'mriderived'
    return variables


def _may_write_beside_code() -> bool:
    """Tell whether numba can keep compiled code in the package, where every run finds it."""
    return os.access(Path(__file__).parents[1] / 'core', os.W_OK)


def _filled_matplotlib(current: Mapping[str, str]) -> Path | None:
    """Return the folder in which matplotlib has listed the fonts, which takes it seconds."""
    folder = Path(current.get('MPLCONFIGDIR') or _user_caches(current) / 'matplotlib')
    is_filled = any(folder.glob('fontlist-v*.json')) and os.access(folder, os.W_OK)
    return folder if is_filled else None


def _filled_templateflow(current: Mapping[str, str]) -> Path | None:
    """Return the user's TemplateFlow, which would be lost with the redirected cache."""
    if current.get('TEMPLATEFLOW_HOME'):
        return None
    folder = _user_caches(current) / 'templateflow'
    return folder if folder.is_dir() else None


def _user_caches(current: Mapping[str, str]) -> Path:
    home = current.get('HOME', '')
    return Path(current.get('XDG_CACHE_HOME') or (f'{home}/.cache' if home else '/nonexistent'))


def prepare_environment(
    work_dir: Path, omp_nthreads: int, current: Mapping[str, str] | None = None
) -> None:
    """Send caches and temporary files below ``work_dir`` and set the number of threads.

    ``current`` is what the user has set, where that has been changed since.

    Raises
    ------
    OSError
        If a folder cannot be made.
    """
    cache = cache_folder(work_dir)
    for folder in FOLDERS.values():
        (cache / folder).mkdir(parents=True, exist_ok=True)
    before = os.environ if current is None else current
    os.environ.update(describe_environment(cache, omp_nthreads, before))
    tempfile.tempdir = None  # decide again, now by TMPDIR


@contextmanager
def scratch_environment(omp_nthreads: int) -> Iterator[Mapping[str, str]]:
    """Use a folder that is removed at the end, for what must not leave anything behind.

    Yields the environment as it was, and restores it.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix='mriderived-') as folder:
        prepare_environment(Path(folder), omp_nthreads)
        try:
            yield before
        finally:
            os.environ.clear()
            os.environ.update(before)
            tempfile.tempdir = None
