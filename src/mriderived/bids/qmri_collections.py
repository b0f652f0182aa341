"""Quantitative MRI: which images of a participant belong to one BIDS file collection.

The members of a collection differ in ``echo``, ``flip``, ``inv``, ``mt`` and ``part`` alone; those
of multi-parameter mapping also in the weighting that ``acq`` names, as in ``acq-PDw``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mriderived.bids.dataset import Image

#: The kind of image that all collections are, as measures name it.
KIND = 'qmri'
#: Collections that there are measures for, and what is needed to tell their members apart.
COLLECTIONS = ('MESE', 'MEGRE', 'VFA', 'IRT1', 'MP2RAGE', 'MPM', 'MTS', 'MTR')
#: Ways to measure the transmit field (B1+) that are used, the best first.
TRANSMIT_FIELDS = ('TB1map', 'TB1DAM', 'TB1AFI', 'TB1TFL')
#: Field maps that are known and not used, and why.
UNUSED_FIELDS: Mapping[str, str] = {
    'TB1EPI': 'pairs of spin and stimulated echoes (TB1EPI) need an unwarped EPI and a series of '
    'flip angles, for which there is no method here yet: give the map as TB1map',
    'TB1RFM': 'maps of the RF transmit calibration (TB1RFM) have no standard scale: give the map '
    'as TB1map',
    'TB1SRGE': 'SA2RAGE (TB1SRGE) needs the look-up table of its sequence: give the map as TB1map',
    'RB1COR': 'images for the receive field (RB1COR) are not used: no measure divides by it',
    'RB1map': 'maps of the receive field (RB1map) are not used: no measure divides by it',
}
#: An image of MP2RAGE that the scanner made; alone it is no collection.
UNIFORM = 'UNIT1'
#: Every suffix that has to do with quantitative MRI.
SUFFIXES = (*COLLECTIONS, *TRANSMIT_FIELDS, *UNUSED_FIELDS, UNIFORM)
#: Entities in which members of a collection differ; names of results do without.
PARTS = ('echo', 'flip', 'inv', 'mt', 'part')
#: Collections that ``acq`` may divide by the weighting.
WEIGHTED = ('MPM', 'MTS')
_WEIGHTING = re.compile(r'(?i)(mt|pd|t1)w?$')


def is_collection(suffix: str) -> bool:
    """Tell whether images of that suffix are members of a collection with measures."""
    return suffix in COLLECTIONS


def kind_of(suffix: str) -> str:
    """Return the kind of image by which measures choose: the suffix, or one for all collections.

    >>> kind_of('bold'), kind_of('MESE')
    ('bold', 'qmri')
    """
    return KIND if suffix in SUFFIXES else suffix


def common_entities(entities: Mapping[str, str], suffix: str) -> dict[str, str]:
    """Return the entities that name the results of a collection, from those of a member.

    >>> common_entities({'sub': '1', 'acq': 'hiresPDw', 'echo': '2', 'mt': 'off'}, 'MPM')
    {'sub': '1', 'acq': 'hires'}
    """
    kept = {key: value for key, value in entities.items() if key not in PARTS}
    if suffix in WEIGHTED and 'acq' in kept:
        rest = _WEIGHTING.sub('', kept['acq'])
        if rest:
            kept['acq'] = rest
        else:
            del kept['acq']
    return kept


def gather_collections(images: Iterable[Image], suffix: str) -> tuple[tuple[Image, ...], ...]:
    """Return the members of every collection of one kind, in the order of their numbers."""
    groups: dict[tuple[object, ...], list[Image]] = {}
    for image in images:
        if image.suffix == suffix:
            common = common_entities(image.entities, suffix)
            groups.setdefault((image.path.parent, *common.items()), []).append(image)
    return tuple(tuple(sorted(group, key=_numbers)) for group in groups.values())


def _numbers(image: Image) -> tuple[object, ...]:
    """Sort names as people count: ``echo-2`` before ``echo-10``."""
    parts = re.split(r'(\d+)', image.path.name)
    return tuple(int(part) if part.isdigit() else part for part in parts)


def name_collection(image: Image) -> Image:
    """Return a member with the entities of its whole collection, after which results are named."""
    return replace(image, entities=common_entities(image.entities, image.suffix))


def part_of(image: Image) -> str:
    """Return which part of the complex signal an image holds; ``mag`` where nothing is said."""
    return str(image.entities.get('part', 'mag'))


def choose_parts(
    settings: Sequence[Mapping[str, Image]], *, may_be_signed: bool
) -> list[dict[str, Image]]:
    """Return the parts of every setting that are used together, alike for all where they can be.

    Magnitude and phase come first, then real and imaginary part: what is of one pair is never
    read with what is of the other, whose scale and reference may differ. A real part alone, which
    has a sign, counts where ``may_be_signed`` and not all have a magnitude.
    """

    def having(*names: str) -> bool:
        return all(name in parts for parts in settings for name in names)

    if having('mag', 'phase'):
        wanted: tuple[tuple[str, ...], ...] = (('mag', 'phase'),)
    elif having('real', 'imag'):
        wanted = (('real', 'imag'),)
    elif having('mag'):
        wanted = (('mag', 'phase'), ('mag',))
    elif may_be_signed and having('real'):
        wanted = (('real',),)
    else:
        wanted = (('mag', 'phase'), ('real', 'imag'), ('mag',), ('real',))
    return [_first_whole(parts, wanted) for parts in settings]


def _first_whole(
    parts: Mapping[str, Image], wanted: Iterable[tuple[str, ...]]
) -> dict[str, Image]:
    for names in wanted:
        if all(name in parts for name in names):
            return {name: parts[name] for name in names}
    return dict(parts)


def setting_of(image: Image) -> tuple[str, ...]:
    """Return what tells the setting of a member from that of others, whatever the part."""
    return tuple(
        f'{key}-{image.entities.get(key, "")}' for key in ('acq', 'echo', 'flip', 'inv', 'mt')
    )
