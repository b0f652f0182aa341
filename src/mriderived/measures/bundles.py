"""The major bundles of white matter, by the regions in which their streamlines end.

The manner is that of the white matter query language (Wassermann et al. 2016,
https://doi.org/10.1007/s00429-015-1179-4); the regions are those of the Desikan-Killiany atlas.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The atlas whose regions the names are of.
ATLAS = 'DesikanKilliany'
BRAIN_STEM = 'Brain-Stem'


@dataclass(frozen=True)
class Bundle:
    """A bundle: names of the regions at either end, and the least length of a streamline in mm."""

    name: str
    title: str
    start: frozenset[str]
    end: frozenset[str]
    least_mm: float


_FRONTAL_POLE = ('rostralmiddlefrontal', 'superiorfrontal', 'frontalpole', 'medialorbitofrontal',
                 'lateralorbitofrontal', 'parsorbitalis')  # fmt: skip
_OCCIPITAL = ('cuneus', 'lateraloccipital', 'lingual', 'pericalcarine')
#: Name, title, start, end, least length; each for either hemisphere.
_PAIRED: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...], float], ...] = (
    ('corticospinal', 'Corticospinal tract', ('precentral', 'paracentral', 'postcentral'),
     (BRAIN_STEM,), 60),
    ('inferior_longitudinal', 'Inferior longitudinal fasciculus',
     ('temporalpole', 'inferiortemporal', 'middletemporal', 'entorhinal'), _OCCIPITAL, 50),
    ('inferior_frontooccipital', 'Inferior fronto-occipital fasciculus',
     ('lateralorbitofrontal', 'parsorbitalis', 'parstriangularis', 'rostralmiddlefrontal',
      'frontalpole'), _OCCIPITAL, 90),
    ('uncinate', 'Uncinate fasciculus', ('temporalpole', 'entorhinal'),
     ('lateralorbitofrontal', 'medialorbitofrontal', 'parsorbitalis', 'frontalpole'), 30),
    ('arcuate', 'Arcuate fasciculus',
     ('parsopercularis', 'parstriangularis', 'caudalmiddlefrontal'),
     ('middletemporal', 'inferiortemporal', 'bankssts'), 60),
    ('superior_longitudinal', 'Superior longitudinal fasciculus',
     ('caudalmiddlefrontal', 'parsopercularis', 'rostralmiddlefrontal'),
     ('supramarginal', 'inferiorparietal', 'superiorparietal'), 50),
    ('cingulum', 'Cingulum', ('rostralanteriorcingulate', 'caudalanteriorcingulate'),
     ('posteriorcingulate', 'isthmuscingulate', 'precuneus', 'parahippocampal'), 40),
)  # fmt: skip


def _names(side: str, regions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name if name == BRAIN_STEM else f'ctx-{side}-{name}' for name in regions)


BUNDLES: tuple[Bundle, ...] = (
    Bundle('forceps_minor', 'Forceps minor', _names('lh', _FRONTAL_POLE),
           _names('rh', _FRONTAL_POLE), 40),
    Bundle('forceps_major', 'Forceps major', _names('lh', _OCCIPITAL), _names('rh', _OCCIPITAL),
           60),
    *(
        Bundle(f'{name}_{side}', f'{title}, {side}', _names(hemisphere, start),
               _names(hemisphere, end), least)
        for name, title, start, end, least in _PAIRED
        for side, hemisphere in (('left', 'lh'), ('right', 'rh'))
    ),
)  # fmt: skip
