"""Shapes of distributions over directions, and sticks, painted into a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[Any]

#: Sticks are painted so much larger and then shrunk, which smooths their edges.
FINER = 3
#: Share of white in the colours: pure blue is hard to see on a dark ground. Oblique directions
#: are as bright as a power of their largest component, between grey (0) and white (1).
WHITE, BRIGHT = 0.12, 0.5
#: What is furthest from the reader is so bright.
FAR = 0.45
#: Lobes lower than this share of the largest of their voxel are ripple of the harmonics.
RIPPLE = 0.08


def direction_colours(vectors: Array) -> Array:
    """Return colours (n, 3) from 0 to 1 of vectors of world axes, whatever their length.

    Examples
    --------
    >>> direction_colours(np.array([[0.0, -3.0, 0.0]])).round(2).tolist()
    [[0.12, 1.0, 0.12]]
    """
    shares = np.abs(vectors) / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    shares /= np.maximum(shares.max(axis=-1, keepdims=True), 1e-12) ** BRIGHT
    return np.asarray(WHITE + (1 - WHITE) * shares)


def paint_sticks(picture: Array, ends: Array, colours: Array, width: float) -> Array:
    """Return a picture (height, width, 3) from 0 to 1 with sticks; the last are uppermost.

    ``ends`` (n, 2, 2) are x and y of both ends, in pixels from the top left corner.
    """
    tall, wide = picture.shape[:2]
    image = Image.fromarray(np.round(picture * 255).astype(np.uint8))
    image = image.resize((wide * FINER, tall * FINER), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    thick = max(round(width * FINER), 1)
    for stick, colour in zip(ends * FINER, np.round(colours * 255).astype(int), strict=True):
        draw.line([tuple(end) for end in stick], fill=tuple(colour), width=thick)
    return np.asarray(image.reduce(FINER), np.float64) / 255


def paint_glyphs(
    picture: Array, amplitudes: Array, directions: Array, colours: Array, places: Array
) -> None:
    """Paint the surface that amplitudes (n, m), in pixels, form around each place (n, 2).

    ``directions`` (m, 3) cover half a sphere, densely: to the right, up, and towards the reader.
    What lies behind is hidden by what lies before it.
    """
    amplitudes = np.maximum(amplitudes, 0)
    largest = amplitudes.max(axis=1, keepdims=True)
    amplitudes = np.where(amplitudes < RIPPLE * largest, 0, amplitudes)
    both = np.concatenate([directions, -directions]).astype(np.float32)
    for values, top, (x, y) in zip(amplitudes, largest[:, 0], places, strict=True):
        if top <= 0:
            continue
        points = np.tile(values, 2)[:, None] * both
        order = np.argsort(points[:, 2], kind='stable')
        order = order[np.abs(points[order]).max(axis=1) > 0]
        across, up, near = points[order].T
        shade = FAR + (1 - FAR) * (near / top + 1) / 2
        tinted = np.repeat(colours[order % len(directions)] * shade[:, None], 4, axis=0)
        # four pixels for each, as steep sides have few points
        rows = (np.floor(y - up - 0.5).astype(int)[:, None] + (0, 0, 1, 1)).ravel()
        columns = (np.floor(x + across - 0.5).astype(int)[:, None] + (0, 1, 0, 1)).ravel()
        seen = (rows >= 0) & (rows < len(picture))
        seen &= (columns >= 0) & (columns < picture.shape[1])
        picture[rows[seen], columns[seen]] = tinted[seen]
