"""Where the folders that come with the package are, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def shipped_folder(name: Literal['templates', 'bids_validator_config']) -> Path:
    """Return a folder of the wheel or, in a checkout, of the repository's root."""
    package = Path(__file__).resolve().parent
    candidates = (package / f'_{name}', package.parents[1] / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f'the folder {name} is missing, looked for as {" and ".join(map(str, candidates))}; '
        'install mriderived again'
    )
