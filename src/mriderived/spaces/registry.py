"""Find a space or an atlas by name: what is bundled first, then TemplateFlow."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from mriderived.spaces.bundled import ATLASES
from mriderived.spaces.bundled_spaces import get_bundled_space
from mriderived.spaces.model import Atlas, Space


@lru_cache
def get_space(name: str) -> Space:
    """Return a space.

    Raises
    ------
    UnavailableError
        If it is neither bundled nor offered by TemplateFlow; the message says what to do.
    """
    bundled = get_bundled_space(name)
    if bundled is not None:
        return bundled
    from mriderived.spaces.templateflow import get_templateflow_space

    return get_templateflow_space(name)


@lru_cache
def get_atlas(name: str) -> Atlas:
    """Return an atlas.

    Raises
    ------
    UnavailableError
        If it is neither bundled nor offered by TemplateFlow; the message says what to do.
    """
    for row in ATLASES:
        if row.name == name:
            return row.to_atlas()
    from mriderived.spaces.templateflow import get_templateflow_atlas

    return get_templateflow_atlas(name)


def get_label_table(name: str) -> Path:
    """Return the table of an atlas' regions; that of a bundled atlas needs no package.

    Raises
    ------
    UnavailableError
        If the atlas is neither bundled nor offered by TemplateFlow.
    """
    for row in ATLASES:
        if row.name == name:
            return row.table
    return get_atlas(name).table


def bundled_atlases() -> tuple[str, ...]:
    """Return the names of the atlases that need no network."""
    return tuple(row.name for row in ATLASES)
