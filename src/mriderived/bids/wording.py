"""Words that several messages share. Standard library only."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """Return a number with the singular or the plural of what it counts.

    >>> count(1, 'participant'), count(0, 'unit'), count(3, 'unit')
    ('1 participant', '0 units', '3 units')
    """
    return f'{number} {what}{"" if number == 1 else "s"}'
