"""Whether the dataset and the output folder can be used: the last checks before a run writes.

Nothing here imports what computes, so a refusal comes within a second or two.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mriderived.bids.dataset import (
    FilterError,
    InvalidDatasetError,
    has_images,
    read_filters,
    select_participants,
)
from mriderived.bids.description import check_output_folder
from mriderived.bids.validate import ValidatorCrashError, ValidatorMissingError, validate_dataset
from mriderived.bids.wording import count
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
    labels = select_participants(config.bids_dir, config.participant_labels)
    check_output_folder(config.out_dir, config)
    _check_matches(config, labels)
    if not config.skip_bids_validation:
        _validate(config)


def _check_matches(config: Config, labels: Sequence[str]) -> None:
    """Raise if filters or sessions leave no image of anyone; without them a run tells it all."""
    if not config.bids_filter_file and not config.session_labels:
        return
    filters = read_filters(config.bids_filter_file) if config.bids_filter_file else None
    # Imports what computes, which only such a choice costs here.
    from mriderived.workflows.sources import RAW_RESOURCES, list_suffixes

    if not has_images(
        config.bids_dir,
        labels,
        suffixes=list_suffixes(RAW_RESOURCES),
        sessions=config.session_labels,
        filters=filters,
    ):
        options = [f'--bids-filter-file {config.bids_filter_file}'] if filters is not None else []
        if config.session_labels:
            options.append(f'--session-label {" ".join(config.session_labels)}')
        raise FilterError(
            f'{" with ".join(options)}: no {" or ".join(RAW_RESOURCES)} image of '
            f'{count(len(labels), "participant")} in {config.bids_dir} matches; '
            'correct the choice, or leave it out'
        )


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
        lines = [f'{config.bids_dir} is not valid BIDS ({count(len(errors), "error")}):']
        lines += [f'  {issue}' for issue in errors[:_MOST_LISTED]]
        if len(errors) > _MOST_LISTED:
            lines.append(f'  and {len(errors) - _MOST_LISTED} more')
        lines.append('Correct the dataset, or run with --skip-bids-validation')
        raise InvalidDatasetError('\n'.join(lines))
