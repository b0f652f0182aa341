"""The look that all figures share, and how a figure becomes a small, reproducible SVG."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from uuid import uuid4

import matplotlib as mpl
from matplotlib.figure import Figure

from mriderived.figures.svg import compact

#: Behind brain slices; black would make the edges of the slices visible.
BACKDROP = '#0b0e13'
INK = '#e8ebf0'
FAINT = '#8b95a5'
#: For plots with axes, on a light ground that reads in light and dark reports.
PAPER = '#ffffff'
TEXT = '#27303d'
GRID = '#e3e7ec'
#: Outlines, chosen to be told apart on grey by colour-blind readers too.
CYAN, AMBER, ROSE, MINT = '#35c3f3', '#ffb000', '#ff5d8f', '#7ee081'
WIDTH = 11.0

SETTINGS = {
    'svg.hashsalt': 'mriderived',
    'svg.fonttype': 'none',
    'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans'],
    'path.simplify': True,
    'path.simplify_threshold': 0.2,
}


def save_svg(figure: Figure, path: Path) -> Path:
    """Write ``figure`` as an SVG file, whole or not at all; the same figure gives the same file.

    Pictures inside are stored as JPEG or PNG, whichever is smaller, and coordinates are rounded
    to a tenth of a point.
    """
    stream = StringIO()
    with mpl.rc_context(SETTINGS):
        figure.savefig(
            stream,
            format='svg',
            facecolor=figure.get_facecolor(),
            metadata={'Date': None, 'Creator': None, 'Format': None, 'Type': None},
        )
    text = compact(stream.getvalue())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{uuid4().hex}.partial')
    partial.write_text(text, encoding='utf-8')
    partial.replace(path)
    return path
