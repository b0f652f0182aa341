"""Whether the dataset and the output folder can be used: the last checks before a run writes.

Nothing here imports what computes, so a refusal comes within a second or two.
"""

from __future__ import annotations

import logging

from mriderived.bids.dataset import InvalidDatasetError, select_participants
from mriderived.bids.description import check_output_folder
from mriderived.bids.validate import ValidatorCrashError, ValidatorMissingError, validate_dataset
from mriderived.config import Config

LOGGER = logging.getLogger(__name__)
#: More findings than these are counted, not listed.
_MOST_LISTED = 10


def check_input(config: Config) -> None:
    """Refuse a dataset that is not valid and a folder of other results; write nothing.

    Raises
    ------
    InvalidDatasetError, NoParticipantsError, FilterError, OutputMismatchError
        The message names what is to blame and the remedy.
    """
    if config.reads_results:
        check_output_folder(config.out_dir, config)
        return
    select_participants(config.bids_dir, config.participant_labels)
    check_output_folder(config.out_dir, config)
    if not config.skip_bids_validation:
        _validate(config)


def _validate(config: Config) -> None:
    """Raise if the validator finds errors; without a verdict, warn and go on.

    A validator that is not there or crashes says nothing about the dataset, and every image is
    checked by itself before it is used.
    """
    try:
        errors = validate_dataset(config.bids_dir, kind='raw').errors
    except ValidatorMissingError as error:
        LOGGER.warning('%s was not validated: %s', config.bids_dir, error)
        return
    except ValidatorCrashError as error:
        LOGGER.warning(
            '%s was not validated: %s. To do without, give --skip-bids-validation',
            config.bids_dir,
            error,
        )
        return
    if errors:
        number = f'{len(errors)} error{"" if len(errors) == 1 else "s"}'
        lines = [f'{config.bids_dir} is not valid BIDS ({number}):']
        lines += [f'  {issue}' for issue in errors[:_MOST_LISTED]]
        if len(errors) > _MOST_LISTED:
            lines.append(f'  and {len(errors) - _MOST_LISTED} more')
        lines.append('Correct the dataset, or run with --skip-bids-validation')
        raise InvalidDatasetError('\n'.join(lines))
