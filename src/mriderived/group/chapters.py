"""What the group level found beside the tables: a part of ``group.html``, and the files of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mriderived.bids.sidecar import read_json, sidecar_path, write_sidecar
from mriderived.group.dictionary import mark_sloppy

#: Where somebody is in a picture; see :class:`Picture`.
Spot = tuple[float, float, str, str]


@dataclass(frozen=True)
class Picture:
    """A figure of a chapter; the path is below the output folder.

    ``spots`` are points that stand for somebody: shares of the width from the left and of the
    height from the top, participant and session.
    """

    path: PurePosixPath
    title: str
    caption: str
    spots: Sequence[Spot] = ()


@dataclass
class Chapter:
    """A part of the page: text, one table, figures, and what was left out and why."""

    #: Anchor of its heading.
    key: str
    title: str
    text: str
    header: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: Files of the cohort that it offers, below the output folder.
    files: list[PurePosixPath] = field(default_factory=list)
    #: Files of single participants; not listed on the page.
    others: list[PurePosixPath] = field(default_factory=list)
    #: Tables below ``phenotype/``.
    tables: list[PurePosixPath] = field(default_factory=list)

    @property
    def written(self) -> list[PurePosixPath]:
        """Every file of it but the tables."""
        return [*self.files, *self.others, *(picture.path for picture in self.pictures)]

    def to_json(self) -> dict[str, Any]:
        """Return what the page needs."""
        content = asdict(self)
        del content['others'], content['tables']
        for picture in content['pictures']:
            picture['path'] = str(picture['path'])
        return {**content, 'files': [str(path) for path in self.files]}


def mark_sidecars(out_dir: Path, chapters: Iterable[Chapter]) -> None:
    """Add the mark of a coarse run to what describes the files of chapters."""
    for chapter in chapters:
        for path in (*chapter.files, *chapter.others, *chapter.tables):
            write_sidecar(out_dir / path, mark_sloppy(read_json(sidecar_path(out_dir / path))))


def figure_file(name: str) -> PurePosixPath:
    """Return the path of a picture of the page; reports are not part of BIDS."""
    return PurePosixPath('figures', f'group_{name}.svg')
