"""One model must never take the others down."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mriderived.group.chapters import Chapter
from mriderived.group.model_files import ModelError

LOGGER = logging.getLogger(__name__)


@contextmanager
def guard(chapter: Chapter, refused: list[str], text: str) -> Iterator[None]:
    """Turn what fails inside into a chapter of this text with the reason, and add the reason.

    An error that nobody foresaw is one of this program: its traceback goes to the log.
    """
    try:
        yield
    except ModelError as error:
        reason = str(error)
    except Exception as error:  # whatever it is, tables and other chapters must not be lost
        LOGGER.exception('%s failed', chapter.title)
        told = ' '.join(f'{type(error).__name__}: {error}'.split())
        reason = f'{chapter.title}: internal error ({told}); please report it with the log'
    else:
        return
    refused.append(reason)
    chapter.text, chapter.header = text, ()
    chapter.rows, chapter.pictures, chapter.files = [], [], []
    chapter.notes.append(reason)
