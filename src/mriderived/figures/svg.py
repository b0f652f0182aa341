"""Make the SVG that matplotlib writes several times smaller without a visible difference."""

from __future__ import annotations

import base64
import re
from io import BytesIO

from PIL import Image

#: JPEG quality of photographs of the brain.
QUALITY = 79
#: The smallest PNG takes seconds. It has at least this share of the bytes of the quickest one:
#: of pictures of brains 0.6 to 0.9, of plain areas of colour less, but these are small anyway.
LEAST_SHARE = 0.5
_PNG = re.compile(r'data:image/png;base64,([A-Za-z0-9+/=\s]+)')
_PATH = re.compile(r'(?<= d=")([MLZ0-9eE.\s-]+)(?=")')
_FONTS = 'system-ui, -apple-system, &quot;Segoe UI&quot;, Roboto, Arial, sans-serif'


def compact(svg: str) -> str:
    """Shrink pictures, paths and white space, and let the reader's own font be used."""
    svg = _PNG.sub(lambda match: _shrink_picture(match[1]), svg)
    svg = _PATH.sub(lambda match: shrink_path(match[1]), svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", _FONTS, svg)
    svg = re.sub(r'\s*<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
    return re.sub(r'\n\s*', '\n', svg)


def _shrink_picture(encoded: str) -> str:
    png = base64.b64decode(encoded)
    picture = Image.open(BytesIO(png)).convert('RGBA')
    lowest_alpha = picture.getchannel('A').getextrema()[0]
    if lowest_alpha == 255 and min(picture.size) > 16:
        jpeg = _encode(picture.convert('RGB'), 'JPEG', quality=QUALITY, optimize=True)
        if len(jpeg) < LEAST_SHARE * len(_encode(picture, 'PNG', compress_level=1)):
            return _embed('jpeg', jpeg)
        smallest = _encode(picture, 'PNG', optimize=True)
        return _embed('png', smallest) if len(smallest) < len(jpeg) else _embed('jpeg', jpeg)
    return _embed('png', _encode(picture, 'PNG', optimize=True))


def _embed(kind: str, content: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def _encode(picture: Image.Image, kind: str, **options: int | bool) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def shrink_path(path: str) -> str:
    """Rewrite absolute ``M``, ``L`` and ``Z`` commands as relative ones, to a tenth of a unit.

    Rounding is done on absolute positions, so that errors do not add up along a path.

    >>> shrink_path('M 10.04 20 L 11.26 20 L 11.26 18.9 Z')
    'M10 20l1.3 0 0-1.1z'
    """
    words = path.split()
    out: list[str] = []
    x = y = 0
    start = (0, 0)
    command, last = '', ''
    i = 0
    while i < len(words):
        if words[i] in 'MLZ':
            command = words[i]
            i += 1
            if command == 'Z':
                out.append('z')
                (x, y), last = start, 'z'
            continue
        to_x, to_y = round(10 * float(words[i])), round(10 * float(words[i + 1]))
        i += 2
        if command == 'M':
            out.append(f'M{_tenths(to_x)}{_joined(to_y)}')
            start, command, last = (to_x, to_y), 'L', 'M'
        elif (to_x, to_y) != (x, y):
            step = f'{_tenths(to_x - x)}{_joined(to_y - y)}'
            out.append(f'l{step}' if last != 'l' else step if step[0] == '-' else f' {step}')
            last = 'l'
        x, y = to_x, to_y
    return ''.join(out)


def _tenths(value: int) -> str:
    whole, tenth = divmod(abs(value), 10)
    sign = '-' if value < 0 else ''
    return f'{sign}{whole}.{tenth}' if tenth else f'{sign}{whole}'


def _joined(value: int) -> str:
    return _tenths(value) if value < 0 else f' {_tenths(value)}'
