"""What reading whole files has told, kept until they change, so that each is read only once.

Its hash, what is unusual about its values, or why it is refused: all three take as long as reading
the file, and follow from nothing but its content. A file counts as unchanged while its size, its
times of change and its inode are the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mriderived import __version__
from mriderived.bids.nifti_reading import BadImageError, Finding, looks_whole
from mriderived.bids.status import write_text

LOGGER = logging.getLogger(__name__)

#: Reads all values of an image; raises ``BadImageError`` where it must be refused.
Look = Callable[[Path], tuple[Finding, ...]]

#: Seconds for which a file must have rested: some file systems count time in steps of that size,
#: so that a younger one may still change without a trace.
REST = 2.0


class _State(NamedTuple):
    """What tells a file from every other version of it, without reading it."""

    size: int
    modified: int
    changed: int
    inode: int

    @property
    def has_rested(self) -> bool:
        return time.time_ns() - max(self.modified, self.changed) > REST * 1e9


def known_files_path(out_dir: Path, participant: str) -> Path:
    """Return where the files of ``participant`` (without ``sub-``) are kept in mind."""
    return out_dir / 'logs' / f'sub-{participant}' / 'known_files.json'


class KnownFiles:
    """The raw files of one participant; what is not known yet is read, and kept by :meth:`save`.

    With ``is_preview`` no image is read of which only the values are unknown, unless its length
    betrays it; such images are gathered in ``unread``.
    """

    def __init__(self, path: Path, bids_dir: Path, *, is_preview: bool = False) -> None:
        self._path = path
        self._root = bids_dir.absolute()
        self.is_preview = is_preview
        self._entries = _read_entries(path)
        self._has_changed = False
        self.unread: set[Path] = set()

    def hash(self, path: Path) -> str:
        """Return the hash of what a file holds."""
        entry = self._entry(path)
        if 'hash' not in entry:
            entry['hash'] = hash_file(path)
        return str(entry['hash'])

    def remembering(self, look: Look) -> Look:
        """Return ``look`` as a function that reads no file twice."""

        def recall(path: Path) -> tuple[Finding, ...]:
            entry = self._entry(path)
            if not {'findings', 'fault'} & entry.keys():
                if self.is_preview and looks_whole(path):
                    self.unread.add(path)
                    return ()
                _look(entry, path, look)
            if 'fault' in entry:
                reason, remedy = entry['fault']
                raise BadImageError(path, reason, remedy)
            return tuple((flag, value, text) for flag, value, text in entry['findings'])

        return recall

    def save(self) -> None:
        """Write what is known of the files that are still there."""
        if self._has_changed:
            kept = {name: e for name, e in self._entries.items() if (self._root / name).exists()}
            content = {'version': __version__, 'files': kept}
            write_text(self._path, json.dumps(content, indent=1) + '\n')

    def _entry(self, path: Path) -> dict[str, Any]:
        """Return what is known of a file as it is now; what is added to it is kept."""
        name = path.absolute().relative_to(self._root).as_posix()
        stat = path.stat()
        state = _State(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        entry = self._entries.get(name)
        if entry is None or entry['state'] != list(state):
            entry = {'state': list(state)}
            if state.has_rested:
                self._entries[name] = entry
                self._has_changed = True
        return entry


def _look(entry: dict[str, Any], path: Path, look: Look) -> None:
    try:
        entry['findings'] = look(path)
    except BadImageError as error:
        if isinstance(error.__cause__, PermissionError):
            raise  # says nothing of the content
        entry['fault'] = [error.reason, error.remedy]


def hash_file(path: Path) -> str:
    """Return the hash of what a file holds."""
    with path.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def _read_entries(path: Path) -> dict[str, dict[str, Any]]:
    """Return what an earlier run of the same version knew; nothing where that cannot be used."""
    try:
        content: Mapping[str, Any] = json.loads(path.read_text())
        if content['version'] != __version__:
            return {}
        return {
            str(name): {'state': list(e['state']), **e} for name, e in content['files'].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        LOGGER.warning('%s cannot be used (%s): every file is read again', path, error)
        return {}
