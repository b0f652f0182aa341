"""Options that do not exist, and which are meant. Standard library only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mriderived.app.exit_codes import Problem

#: From 0 to 1; below it, two options have little in common but their dashes.
_LEAST_RESEMBLANCE = 0.65


def unknown_option(word: str, flags: Iterable[str]) -> Problem:
    """Return the complaint about an option that is none of ``flags``, with those it resembles."""
    name = word.partition('=')[0]
    close = _resembling(name, flags)
    return Problem(
        f'Unknown option {name}.',
        f'Did you mean {" or ".join(close)}?' if close else 'See --help.',
    )


def _resembling(name: str, flags: Iterable[str]) -> list[str]:
    """Return the options that a word abbreviates, or else the one that it resembles most."""
    known = [flag for flag in flags if flag.startswith('--')]
    if not name.startswith('--') or name == '--':
        return []
    short = [flag for flag in known if flag.startswith(name)]
    if short:
        return short
    # An abbreviation may have a slip too: compare with as much of each option as well.
    scores = {
        flag: max(_resemblance(name, flag), _resemblance(name, flag[: len(name) + 1]) - 0.1)
        for flag in known
    }
    best = max(known, key=lambda flag: scores[flag])
    return [best] if scores[best] >= _LEAST_RESEMBLANCE else []


def _resemblance(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
