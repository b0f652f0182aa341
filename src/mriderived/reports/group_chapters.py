"""The chapters of ``group.html`` as its template wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

#: A table of more rows is shown bit by bit by the page's script.
FIRST_ROWS = 40


def prepare_chapter(out_dir: Path, chapter: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chapter with pictures as files and the rows of a long table as JSON.

    A picture that is gone is left out; ``table`` is the file that the numbers come from.
    """
    pictures = [{'spots': (), **one, 'file': out_dir / one['path']} for one in chapter['pictures']]
    rows = chapter['rows']
    return {
        **chapter,
        'pictures': [one for one in pictures if one['file'].exists()],
        'table': next((file for file in chapter['files'] if str(file).endswith('.tsv')), ''),
        'first': rows[:FIRST_ROWS],
        'packed': script_json(pack_rows(rows)) if len(rows) > FIRST_ROWS else '',
    }


def pack_rows(rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a table column by column; texts that recur are told once, by their places.

    >>> pack_rows([('age', 'r1'), ('age', 'r2')])
    {'rows': 2, 'columns': [{'texts': ['age'], 'places': [0, 0]}, {'texts': ['r1', 'r2']}]}
    """
    columns = [_pack_column(cells) for cells in zip(*rows, strict=True)]
    return {'rows': len(rows), 'columns': columns}


def _pack_column(cells: Sequence[str]) -> dict[str, Any]:
    texts: dict[str, int] = {}
    places = [texts.setdefault(cell, len(texts)) for cell in cells]
    if 2 * len(texts) > len(cells):
        return {'texts': list(cells)}
    return {'texts': list(texts), 'places': places}


def script_json(content: Mapping[str, Any]) -> Markup:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(content, separators=(',', ':'), ensure_ascii=False, allow_nan=False)
    for character in '<>&\u2028\u2029':
        text = text.replace(character, f'\\u{ord(character):04x}')
    return Markup(text)
