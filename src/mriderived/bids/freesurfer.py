"""Tables that FreeSurfer writes: of one participant below ``stats/``, or of all of a cohort."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: What FreeSurfer calls a number, and what it is called here.
COLUMNS = {
    'Volume_mm3': 'volume',
    'ThickAvg': 'thickness',
    'SurfArea': 'area',
    'GrayVol': 'volume',
}
#: Of asegstats2table and aparcstats2table, by the words of ``--meas``.
MEASURES = {'thickness': 'thickness', 'area': 'area', 'volume': 'volume', 'Volume': 'volume'}
#: Numbers of a whole hemisphere, which stand among those of its regions.
HEMISPHERES = ('MeanThickness', 'WhiteSurfArea')
#: Numbers of the whole brain, which tables of a cohort repeat behind those of regions.
_WHOLE_BRAIN = re.compile(
    r'eTIV|\w*Vol(NotVent(Surf|Vox)?)?(-to-eTIV)?|(lh|rh)?SurfaceHoles', re.ASCII
)
#: Files below ``stats/``, and the table that each belongs to.
FILES = {
    'aseg.stats': 'aseg',
    'wmparc.stats': 'wmparc',
    'lh.aparc.stats': 'aparc',
    'rh.aparc.stats': 'aparc',
    'lh.aparc.a2009s.stats': 'aparc.a2009s',
    'rh.aparc.a2009s.stats': 'aparc.a2009s',
}
_MEASURE = re.compile(r'# Measure ([^,]+), ([^,]+), ([^,]+), ([-+.\deE]+), (\S+)')
_PERSON = re.compile(r'(?:sub-)?([A-Za-z0-9]+)(?:_ses-([A-Za-z0-9]+))?')
#: How FreeSurfer's own folders begin, which lie beside those of participants.
_TEMPLATES = ('fsaverage', 'V1_average', 'cvs_avg', 'bert', 'lh.EC_average', 'rh.EC_average')
#: In a folder of the longitudinal stream that is nobody's: the time points of a base.
_OF_BASE = 'base-tps'


class FreeSurferError(ValueError):
    """A table that cannot be read; the message says why and what to do."""


#: Participant and session (or nothing), without prefixes.
Person = tuple[str, str]


@dataclass
class Stats:
    """One file: numbers of the whole brain by name, and of regions by name and column.

    ``version`` is that of FreeSurfer, or (before 7) of the program that wrote it.
    """

    whole: dict[str, float] = field(default_factory=dict)
    regions: dict[tuple[str, str], float] = field(default_factory=dict)
    version: str = ''


@dataclass
class CohortTable:
    """A table of many: which one, who has what, and whose rows were not taken.

    ``twice`` have more than one row; ``strangers`` are names of rows that are of no participant.
    """

    kind: str
    people: dict[Person, Stats] = field(default_factory=dict)
    twice: list[Person] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


def read_stats(path: Path) -> Stats:
    """Read a ``.stats`` file; regions of a hemisphere are called as in ``aparc+aseg``.

    Raises
    ------
    FreeSurferError
        It is no such file, or ends early.
    """
    found = Stats()
    header: list[str] = []
    hemisphere = ''
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        if line.startswith('#'):
            measure = _MEASURE.match(line)
            if measure:
                name = measure[2].strip()
                # Both hemispheres call theirs alike.
                side = f'{hemisphere}_' if name in HEMISPHERES and hemisphere else ''
                found.whole[side + name] = _read_number(measure[4], name, path)
            words = line[1:].split()
            if words[:1] == ['cvs_version']:
                found.version = _read_version(words[1:])
            if words[:1] == ['ColHeaders']:
                header = words[1:]
            if words[:1] == ['hemi']:
                hemisphere = ''.join(words[1:2])
        elif line.strip():
            _add_row(found, header, line.split(), hemisphere, path)
    if not header:
        raise FreeSurferError(
            f'{path.name} has no line of column names: it is no whole stats file; run '
            'mri_segstats or mris_anatomical_stats again'
        )
    return found


def _add_row(
    found: Stats, header: list[str], cells: list[str], hemisphere: str, path: Path
) -> None:
    if len(cells) != len(header):
        raise FreeSurferError(f'{path.name} has a row of {len(cells)} cells below {len(header)} columns')  # noqa: E501  # fmt: skip
    row = dict(zip(header, cells, strict=True))
    name = _name_region(row.get('StructName', ''))
    region = f'ctx-{hemisphere}-{name}' if hemisphere else name
    for column, ours in COLUMNS.items():
        if column in row:
            what = f'{column} of {name}'
            found.regions[region, ours] = _read_number(row[column], what, path)


def _read_version(words: list[str]) -> str:
    """Return a version from the end of its line.

    >>> _read_version(['7.4.1'])
    '7.4.1'
    >>> _read_version('$Id: mri_segstats.c,v 1.75.2.9 2013/02/16 00:09:33 greve Exp $'.split())
    'mri_segstats.c 1.75.2.9'
    """
    if words[:1] == ['$Id:']:
        return ' '.join(words[1:3]).replace(',v', '')
    return ' '.join(words)


def _read_number(text: str, what: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise FreeSurferError(f'{path.name}: {what} is {text!r}, and no number') from error


def _name_region(name: str) -> str:
    """Return what a gyrus is called in label images; ``stats`` of some versions have a sign.

    >>> _name_region('G&S_frontomargin')
    'G_and_S_frontomargin'
    """
    return name.replace('&', '_and_')


def read_cohort_table(path: Path) -> CohortTable:
    """Read a table of ``asegstats2table`` or ``aparcstats2table``: which one, and who has what.

    Rows may begin with the path of a participant's folder.

    Raises
    ------
    FreeSurferError
        Its first cell does not say which one it is.
    """
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
    separator = '\t' if lines and '\t' in lines[0] else ','
    rows = [[cell.strip() for cell in line.split(separator)] for line in lines if line.strip()]
    kind, hemisphere, measure = _identify(rows[0] if rows else [''], path)
    found = CohortTable(kind)
    for row in rows[1:]:
        if len(row) != len(rows[0]):
            raise FreeSurferError(f'{path.name} has a row of {len(row)} cells below {len(rows[0])} columns')  # noqa: E501  # fmt: skip
        person = find_person(row[0].rstrip('/').rpartition('/')[2])
        if person is None:
            found.strangers.append(row[0])
            continue
        if person in found.people:
            found.twice.append(person)
        stats = found.people.setdefault(person, Stats())
        for name, cell in zip(rows[0][1:], row[1:], strict=True):
            value = float(cell) if cell not in ('', 'n/a', 'NA') else float('nan')
            whole = _name_of_whole(name, hemisphere, measure)
            if whole:
                stats.whole[whole] = value
                continue
            region = _name_region(name.removeprefix(f'{hemisphere}_').removesuffix(f'_{measure}'))
            full = f'ctx-{hemisphere}-{region}' if hemisphere else name
            stats.regions[full, MEASURES[measure]] = value
    for person in found.twice:
        found.people.pop(person, None)
    found.twice = sorted(set(found.twice))
    return found


def _name_of_whole(name: str, hemisphere: str, measure: str) -> str:
    """Return what a number of the brain or of a hemisphere is called; nothing for a region."""
    if name in ('EstimatedTotalIntraCranialVol', 'IntraCranialVol'):
        return 'eTIV'
    if _WHOLE_BRAIN.fullmatch(name):
        return name
    own = name.removesuffix(f'_{measure}')
    return own if own.removeprefix(f'{hemisphere}_') in HEMISPHERES else ''


def _identify(header: list[str], path: Path) -> tuple[str, str, str]:
    """Return table, hemisphere and measure from the header of a table.

    ``asegstats2table`` says nothing of the file that it read, but only ``wmparc.stats`` has white
    matter below gyri.
    """
    cell = header[0]
    match = re.fullmatch(r'(lh|rh)\.(aparc(?:\.a2009s)?)\.(thickness|area|volume)', cell)
    if match:
        return match[2], match[1], match[3]
    match = re.fullmatch(r'Measure:(volume)', cell)
    if match:
        is_white = any(name.startswith(('wm-lh-', 'wm-rh-')) for name in header)
        return ('wmparc' if is_white or 'wmparc' in path.name else 'aseg'), '', match[1]
    raise FreeSurferError(
        f'{path.name} begins with {cell!r}, where aparcstats2table writes lh.aparc.thickness and '
        'asegstats2table Measure:volume: take the table as they wrote it'
    )


def find_person(name: str) -> Person | None:
    """Return participant and session from the name of a folder of FreeSurfer.

    Nothing for templates (``fsaverage``) and for time points of the longitudinal stream.

    >>> find_person('sub-01_ses-b'), find_person('sub-01.long.base'), find_person('fsaverage5')
    (('01', 'b'), None, None)
    """
    match = None if name.startswith('fsaverage') else _PERSON.fullmatch(name)
    return (match[1], match[2] or '') if match else None


def find_people(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield participant, session (or nothing) and folder of everybody who has ``stats``.

    Folders are called as BIDS Apps do: ``sub-01``, ``sub-01_ses-1``; the prefix may lack.
    Templates (``fsaverage``) and longitudinal bases are nobody.
    """
    for path in sorted(folder.iterdir()):
        person = find_person(path.name)
        if person and (path / 'stats').is_dir() and not (path / _OF_BASE).exists():
            yield *person, path


def find_unread(folder: Path) -> list[str]:
    """Return folders with ``stats`` whose names say nothing of a participant, or which lie deeper.

    Templates and folders of the longitudinal stream are not meant to be read.
    """
    found = [
        path.parent.relative_to(folder)
        for pattern in ('*/stats', '*/*/stats')
        for path in sorted(folder.glob(pattern))
        if path.is_dir()
    ]
    return [
        path.as_posix()
        for path in found
        if not path.parts[0].startswith(_TEMPLATES) and '.long.' not in path.parts[0]
        and not (folder / path.parts[0] / _OF_BASE).exists()
        and (len(path.parts) > 1 or find_person(path.name) is None)
    ]  # fmt: skip
