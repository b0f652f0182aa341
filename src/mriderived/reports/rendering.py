"""The Jinja2 environment of all reports: escapes everything, inlines style and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mriderived import __version__
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE
from mriderived.shipped import shipped_folder


@cache
def make_environment() -> Environment:
    """Return the environment; ``inline('style.css')`` puts a file of the folder in the page."""
    folder = shipped_folder('templates')
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=lambda name: not (name or '').endswith('.md.j2'),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        inline=_inline,
        svg_uri=svg_uri,
        version=__version__,
        sloppy_title=SLOPPY_TITLE,
        sloppy_text=SLOPPY_TEXT,
    )
    return environment


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill in a template of the ``templates`` folder."""
    return make_environment().get_template(template).render(values)


def _inline(name: str) -> Markup:
    # our own files: nothing in them comes from data
    return Markup((shipped_folder('templates') / name).read_text(encoding='utf-8'))


def svg_uri(path: Path) -> str:
    """Return an SVG file as a data URI; in an ``<img>`` no script in it can run."""
    text = path.read_text(encoding='utf-8', errors='replace')
    return 'data:image/svg+xml,' + quote(text, safe=" !$&'()*+,-./:;=?@_~[]{}|^`\n")
