"""The two kinds of options that take something. Standard library only."""

from __future__ import annotations

import argparse
from typing import Any

#: Stands for an option without its value; no shell can pass it.
NOTHING = '\0'


def add_list(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    """Add an option that takes any number of words."""
    group.add_argument(*flags, nargs='*', action='extend', **details)


def add_value(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    """Add an option that takes one word."""
    group.add_argument(*flags, nargs='?', const=NOTHING, **details)
