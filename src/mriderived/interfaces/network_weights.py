"""Where the weights of deepmriprep's networks are looked for. Standard library only.

The package deepmriprep carries its templates, but not its weights: they come from its repository.
Only files are used; its code is never imported.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from importlib.util import find_spec
from pathlib import Path

#: The environment variable that names another folder than that of the package.
VARIABLE = 'MRIDERIVED_DEEPMRIPREP_MODELS'
SOURCE = 'https://github.com/wwu-mmll/deepmriprep/tree/main/deepmriprep/data/models'

WHOLE = 'segmentation_model.pt'
PATCHES = tuple(f'segmentation_patch_{number}_model.pt' for number in range(18))
NO_GREY = 'segmentation_nogm_model.pt'
WARP = 'warp_model.pt'
FILES = (WHOLE, *PATCHES, NO_GREY, WARP)


class WeightsError(Exception):
    """A file of weights is missing, broken, or holds another network; the message names it."""


def weights_folder() -> Path:
    """Return the folder that holds, or should hold, the weights."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).absolute()
    spec = find_spec('deepmriprep')  # of a top-level package: finds it, runs nothing
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            f'the package deepmriprep is not installed and {VARIABLE} is not set; install '
            'deepmriprep==0.3.0'
        )
    return Path(spec.submodule_search_locations[0]) / 'data' / 'models'


def missing_weights(folder: Path) -> tuple[str, ...]:
    """Return the files that are not in ``folder``."""
    return tuple(name for name in FILES if not (folder / name).is_file())


def broken_weights(folder: Path) -> tuple[str, ...]:
    """Return the files in ``folder`` that are cut off or something else: no archives."""
    there = (name for name in FILES if (folder / name).is_file())
    return tuple(name for name in there if not zipfile.is_zipfile(folder / name))


def digest_weights(names: tuple[str, ...]) -> str:
    """Return one SHA-256 of several files, so that results tell which weights made them."""
    digest = hashlib.sha256()
    for name in names:
        with (weights_folder() / name).open('rb') as stream:
            digest.update(hashlib.file_digest(stream, 'sha256').digest())
    return digest.hexdigest()
