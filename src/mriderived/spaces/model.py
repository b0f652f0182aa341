"""What a brain template and an atlas are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_SPACE = 'MNI152NLin2009cAsym'
#: The other MNI space that packages carry files in.
FSL_SPACE = 'MNI152NLin6Asym'


class UnavailableError(LookupError):
    """A space or an atlas is not there; the message says what to do about it."""


@dataclass(frozen=True)
class Space:
    """A coordinate system with the brain that defines it.

    ``brain`` is a skull-stripped T1w, ``mask`` its mask, ``tissues`` a 4D image of GM, WM and CSF
    probabilities; ``tissues`` and ``mask`` are ``None`` where nobody offers them.
    """

    name: str
    title: str
    brain: Path
    mask: Path | None
    tissues: Path | None
    licence: str
    reference: str
    source: str

    @property
    def grid(self) -> Path:
        """The image whose grid maps in this space have: the tissues, else the brain."""
        return self.tissues or self.brain


@dataclass(frozen=True)
class Atlas:
    """A label image with the table of its regions.

    ``space`` is the space that :func:`prepare_atlas` delivers the labels in; ``image`` is the
    file as its makers published it, in ``source_space``. ``table`` has the columns index, name,
    hemisphere (L, R, both), tissue and abbreviation; labels that it does not name are left out.
    """

    name: str
    title: str
    space: str
    image: Path
    table: Path
    licence: str
    reference: str
    source: str
    source_space: str
    entities: Mapping[str, str] = field(default_factory=dict)
    #: The licence forbids some uses or is not known; never chosen unless named.
    is_restricted: bool = False
    is_default: bool = False
