"""Ratings of images that people gave in the participants' reports."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mriderived.bids.covariates import NO_VALUE
from mriderived.group.model_files import ModelError

RATINGS = ('accept', 'uncertain', 'exclude')
COLUMNS = ('participant_id', 'session_id', 'image', 'rating', 'comment', 'rater', 'date')
_NEEDED = ('participant_id', 'rating')


class Rating(NamedTuple):
    """What one person said of one image; labels without prefixes, empty where not told."""

    participant: str
    session: str
    image: str
    rating: str
    comment: str
    rater: str
    date: str

    @property
    def reason(self) -> str:
        """What it says, in words."""
        by = f' by {self.rater}' if self.rater else ''
        said = f': {self.comment}' if self.comment else ''
        return f'{self.image or "an image"} rated {self.rating}{by}{said}'


def read_ratings(path: Path) -> list[Rating]:
    """Read ratings; of several by one person of one image the last by date counts.

    A line without a rating is of an image that nobody judged, or takes back what they said.

    Files of several participants may stand one below the other, each with its header.

    Raises
    ------
    ModelError
        It is no such table, or a rating is none of ``RATINGS``.
    """
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f'{path.name} cannot be read ({error}): give a TSV file') from error
    header: list[str] = []
    last: dict[tuple[str, ...], Rating] = {}
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.split('\t')]
        if not line.strip():
            continue
        if 'participant_id' in cells:
            header = cells
            continue
        rating = _read_line(path, number, header, cells)
        key = (rating.participant, rating.session, rating.image, rating.rater)
        # Where one has no date, the lower line is the later one.
        if key not in last or not (rating.date and rating.date < last[key].date):
            last[key] = rating
    if not header:
        raise ModelError(f'{path.name} has no header with {" and ".join(_NEEDED)}')
    return [rating for rating in last.values() if rating.rating]


def _read_line(path: Path, number: int, header: list[str], cells: list[str]) -> Rating:
    lacking = [name for name in _NEEDED if name not in header]
    if lacking:
        raise ModelError(f'{path.name} has no column {lacking[0]} above line {number}')
    given = dict(zip(header, cells, strict=False))
    found = {name: '' if given.get(name, '') in NO_VALUE else given[name] for name in COLUMNS}
    if found['rating'] not in ('', *RATINGS):
        raise ModelError(
            f'{path.name}, line {number}: rating {found["rating"]!r} is none of '
            f'{", ".join(RATINGS)}'
        )
    found['participant_id'] = found['participant_id'].removeprefix('sub-')
    found['session_id'] = found['session_id'].removeprefix('ses-')
    return Rating(*found.values())
