"""Label tables: one row per region with its number, name, hemisphere and tissue.

The tables in ``data/labels`` were made by :func:`build_table` from the tables that the packages
carry (``python -m mriderived.spaces.labels`` makes them anew) and are what is read at run time.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from mriderived.spaces.model import UnavailableError

Tissue = Literal['cortex', 'subcortex', 'white', 'csf', 'cerebellum', 'brainstem', 'other']
COLUMNS = ['index', 'name', 'hemisphere', 'tissue', 'composition', 'abbreviation']

#: Regions whose name says nothing that a volume could be reported for.
DROPPED = re.compile(r'unknown|vessel|hypointensities', re.IGNORECASE)

#: Regions left out because the packaged image does not hold them: in the Mori atlas, parts of
#: the right cortex, cerebellum and amygdala have numbers of the left, and the left medial
#: lemniscus has the number of the right.
FAULTY = {
    'Mori': re.compile(r'gyrus|lobule|cuneus|insula|entorhinal|cerebellum|amygdala|lemn', re.I)
}

#: The first rule whose pattern is in the name decides.
RULES: tuple[tuple[str, Tissue], ...] = (
    (r'ventricle|lat.vent|\bcsf\b|choroid', 'csf'),
    (r'dentate (nucleus|ncl)|fastigial|interposed|optic.chiasm', 'other'),
    (r'cerebell\w*.white|cerebellar peduncle', 'white'),
    (r'cerebell|vermis|vermal', 'cerebellum'),
    (r'brain.?stem|midbrain|pons$|medulla|raphe', 'brainstem'),
    (r'cingulum', 'white'),
    (r'hypothal|thalam(?!ic radiation)|caudate|putamen|pallid|lenticular nucleus', 'subcortex'),
    (r'(?<!para)hippocamp(?!$)|(?<!para)hippocampus$|^ca\d|subiculum|dentate gyrus', 'subcortex'),
    (r'stratum radiatum|amygdal|accumbens|striatum|ventral.?(dc|dienceph)', 'subcortex'),
    (r'basal forebrain|substan[ct]ia.nigra|red.nucleus|tegmental area', 'subcortex'),
    (r'white.matter|corpus callosum|^cc_|capsule|corona|radiation|fornix', 'white'),
    (r'tract|lemniscus|peduncle|stratum|uncinate|tapatum|fimbria|alveus|mammill', 'white'),
)
#: Subcortical regions that a T1w image shows as grey. The contrast of others is mixed: much of
#: the putamen, and all of the pallidum, is as bright as white matter.
GREY_NUCLEI = re.compile(
    r'caudate|accumbens|hippocamp|\bca\d|subiculum|dentate gyrus|amygdal', re.I
)
#: What else the volume of a region is made of, by its tissue.
COMPOSITION = {'cortex': 'gm', 'cerebellum': 'gm', 'white': 'wm', 'csf': 'csf'}
#: Atlases all of whose regions are of one tissue.
UNIFORM: dict[str, Tissue] = {
    'SUIT': 'cerebellum',
    'Thalamus': 'subcortex',
    'ThalamicNuclei': 'subcortex',
}


def build_table(source: Path, atlas: str) -> pd.DataFrame:
    """Make the label table of ``atlas`` from the table that came with its image."""
    separator = ',' if source.name.startswith('labels_') else ';'
    table = pd.read_csv(source, sep=separator, dtype=str)
    table = table.rename(columns={'ROIid': 'index', 'ROIname': 'name', 'ROIabbr': 'abbreviation'})
    if 'abbreviation' not in table:
        table['abbreviation'] = 'n/a'
    table['index'] = table['index'].astype(int)
    table['name'] = table['name'].str.strip()
    table = table[~table['name'].str.contains(DROPPED) & (table['index'] > 0)]
    table = table[[not _is_faulty(name, atlas) for name in table['name']]]
    table['hemisphere'] = table['name'].map(find_hemisphere)
    tissues = [
        find_tissue({str(k): str(v) for k, v in row.items()}, atlas)
        for row in table.to_dict('records')
    ]
    table['tissue'] = tissues
    table['composition'] = _compositions(table)
    return table[COLUMNS].sort_values('index').reset_index(drop=True)


def read_table(path: Path) -> pd.DataFrame:
    """Read a label table; hemisphere and tissue are told from the names where it lacks them.

    Raises
    ------
    UnavailableError
        If it lacks the columns index and name.
    """
    table = pd.read_csv(path, sep='\t', keep_default_na=False)
    if not {'index', 'name'} <= set(table.columns):
        raise UnavailableError(f'{path} is no table of labels: it needs the columns index, name')
    table = table[table['index'] > 0].reset_index(drop=True)
    table['name'] = table['name'].astype(str)
    if 'hemisphere' not in table:
        table['hemisphere'] = table['name'].map(find_hemisphere)
    if 'tissue' not in table:
        table['tissue'] = [find_tissue({'name': name}) for name in table['name']]
    if 'composition' not in table:
        table['composition'] = _compositions(table)
    if 'abbreviation' not in table:
        table['abbreviation'] = 'n/a'
    return table[COLUMNS]


def _is_faulty(name: str, atlas: str) -> bool:
    return atlas in FAULTY and FAULTY[atlas].search(name) is not None


def _compositions(table: pd.DataFrame) -> list[str]:
    rows = zip(table['name'], table['tissue'], strict=True)
    return [find_composition(name, tissue) for name, tissue in rows]


def find_composition(name: str, tissue: str) -> str:
    """Tell which tissues make up the volume of a region: gm, wm, csf or gm+wm."""
    if tissue == 'subcortex' and GREY_NUCLEI.search(name):
        return 'gm'
    if 'choroid' in name.lower():
        return 'gm+wm'  # it lies in the ventricles and is no fluid
    return COMPOSITION.get(tissue, 'gm+wm')


def find_hemisphere(name: str) -> str:
    """Tell the hemisphere from a region's name."""
    if re.search(r'^left\b|^lh[-_]|[-_]lh[-_]| L$', name, re.IGNORECASE):
        return 'L'
    if re.search(r'^right\b|^rh[-_]|[-_]rh[-_]| R$', name, re.IGNORECASE):
        return 'R'
    return 'both'


def strip_side(name: str) -> str:
    """Return a region's name without its side, the same for both of a pair."""
    bare = re.sub(r'^(left|right)[ -]+|(?<=[-_])[lr]h[-_]|^[lr]h[-_]| [LR]$', '', name, flags=re.I)
    return bare.strip()


def find_tissue(row: dict[str, str], atlas: str = '') -> Tissue:
    """Tell the tissue from a region's name and, where given, the tissues it may contain."""
    if atlas in UNIFORM:
        return UNIFORM[atlas]
    if atlas == 'AAL3' and re.match(r'l?t|rt', row['abbreviation']) and int(row['index']) > 120:
        return 'subcortex'
    name = re.sub(r'^(left|right|bothside|tl)[ -]', '', row['name'], flags=re.IGNORECASE)
    if name.startswith('ctx'):
        return 'cortex'
    for pattern, tissue in RULES:
        if re.search(pattern, name, re.IGNORECASE):
            return tissue
    if row.get('Vwm') == '1' and row.get('Vgm') == '0':
        return 'white'
    return 'cortex'


def main() -> None:
    """Write the tables of all bundled atlases anew."""
    from mriderived.spaces.bundled import ATLASES

    for row in ATLASES:
        build_table(row.find_source_table(), row.name).to_csv(row.table, sep='\t', index=False)


if __name__ == '__main__':
    main()
