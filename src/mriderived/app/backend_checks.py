"""Whether the files that networks need are there, before anything else begins.

They are those of ``--anat-backend`` and of ``--wmh-model``.
"""

from __future__ import annotations

from collections.abc import Iterator

from mriderived.app.exit_codes import ExitCode, Problem
from mriderived.config import Config
from mriderived.interfaces.lesion_model import read_lesion_model
from mriderived.interfaces.network_weights import (
    FILES,
    SOURCE,
    VARIABLE,
    WeightsError,
    broken_weights,
    missing_weights,
    weights_folder,
)


def check_backend(config: Config) -> Iterator[Problem]:
    """Yield which files of weights are missing or broken, if this run needs them."""
    if config.anat_backend != 'deepmriprep' or config.reads_results:
        return
    try:
        folder = weights_folder()
    except WeightsError as error:
        yield Problem(f'--anat-backend deepmriprep: {error}.', '', ExitCode.NO_INPUT)
        return
    missing, broken = missing_weights(folder), broken_weights(folder)
    if missing:
        yield Problem(
            f'--anat-backend deepmriprep: {len(missing)} of {len(FILES)} files of weights are '
            f'missing in {folder}: {", ".join(missing)}.',
            f'Copy them there from {SOURCE}, or let {VARIABLE} name the folder that holds them; '
            'in an image: COPY them to /opt/deepmriprep, or mount them there (docs/usage.md). '
            'Without them, use --anat-backend builtin.',
            ExitCode.NO_INPUT,
        )
    if broken:
        yield Problem(
            f'--anat-backend deepmriprep: {len(broken)} of {len(FILES)} files of weights in '
            f'{folder} are cut off, or no TorchScript archives: {", ".join(broken)}.',
            f'Copy them again from {SOURCE} (not the pointers that Git LFS leaves).',
            ExitCode.BAD_DATA,
        )


def check_wmh_model(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with the network for hyperintensities, as far as its files tell."""
    if config.wmh_model is None:
        return
    try:
        read_lesion_model(config.wmh_model)
    except FileNotFoundError as error:
        yield Problem(
            f'--wmh-model: {error}.', 'Give the path of a TorchScript file.', ExitCode.NO_INPUT
        )
    except WeightsError as error:
        yield Problem(
            f'--wmh-model: {error}.',
            'docs/measures/wmh.md says what the file and its description have to be like.',
            ExitCode.BAD_DATA,
        )
