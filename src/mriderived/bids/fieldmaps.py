"""Which field-map images belong to one EPI run, and whether they can be used.

The order, in which the first that can be used is taken:

1. ``B0FieldSource`` of the run against ``B0FieldIdentifier`` of the participant's images, in the
   order in which the run names its sources.
2. ``IntendedFor`` of images in ``fmap``: BIDS URIs (``bids::sub-01/func/...``), paths below the
   participant's folder (``ses-1/func/...``), below the session's (``func/...``) or below the
   dataset's; one or a list.
3. For a diffusion series: parts of it of the opposite direction, whose unweighted volumes count.
4. For a diffusion series: others of its session with the opposite direction and the same
   geometry, whose unweighted volumes count. Nothing in their metadata says so, so a note does.
5. Nothing; the reason says what lies in ``fmap`` and names nobody.

For a diffusion series, another one (or a single-band reference) counts as an EPI in ``fmap`` does,
where 1. or 2. lead to it.

Among images of one source, see :mod:`mriderived.bids.fieldmap_candidates`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mriderived.bids.dataset import Image
from mriderived.bids.fieldmap_candidates import FieldMap, Shape, candidates
from mriderived.bids.fieldmap_metadata import MetadataError, readout

#: How the sentence on the field map that was taken begins.
TAKEN = 'Field map: '
#: Suffixes that :func:`find_field_map` wants to see beside the run's own.
SUFFIXES = (
    'epi', 'phasediff', 'phase1', 'phase2', 'fieldmap', 'magnitude', 'magnitude1', 'magnitude2',
    'sbref', 'm0scan',
)  # fmt: skip


#: Says why the unweighted volumes of a diffusion image cannot help another one, or nothing.
Obstacle = Callable[[Image], str]


def find_field_map(
    run: Image,
    images: Iterable[Image],
    bids_dir: Path,
    shape_of: Shape | None = None,
    obstacle: Obstacle | None = None,
    parts: Sequence[Image] = (),
) -> FieldMap:
    """Return the field map of a run (BOLD or DWI).

    Parameters
    ----------
    run : Image
    images : iterable of Image
        Of the run's participant, with metadata; see ``SUFFIXES``. Others do no harm.
    bids_dir : Path
    shape_of : callable, optional
        Returns the size of an image; only asked where no sidecar gives the readout time.
    obstacle : callable, optional
        Judges other diffusion series of the session; without it, none is taken that is not named.
    parts : sequence of Image, optional
        Other parts of the run's acquisition.
    """
    others = sorted((i for i in images if i.path != run.path), key=lambda image: image.path)
    reasons: list[str] = []
    try:
        own = readout(run, shape_of)
    except MetadataError as error:
        return FieldMap(None, reasons=(f'No distortion correction: {error}.',))
    sources = [*_sources(run, others, bids_dir)]
    turned = [part for part in parts if _turn(own.direction) == _direction(part)]
    if turned:
        sources.append(('the parts of the series', turned))
    elif run.suffix == 'dwi' and obstacle:
        fitting, unfit = _opposite(run, own.direction, others, obstacle)
        sources += [(_GUESS, fitting)] if fitting else []
        reasons += unfit
    for source, group in sources:
        for candidate in candidates(run, own, group, others, shape_of, reasons):
            return FieldMap(
                candidate.kind,
                candidate.files,
                {**candidate.metadata, 'run': own},
                (*reasons, *candidate.reasons, f'{_describe(candidate)} ({source}).'),
            )
        reasons.append(f'Nothing that {source} leads to can be used.')
    return FieldMap(None, reasons=(*reasons, *_nobody(run, others, bids_dir)))


_GUESS = (
    'opposite directions in one session: nothing in the metadata says that they belong together'
)


def _opposite(
    run: Image, direction: str, others: Sequence[Image], obstacle: Obstacle
) -> tuple[list[Image], list[str]]:
    """Return diffusion series of the opposite direction, and why some of them do not help."""
    fitting, unfit = [], []
    for other in others:
        is_opposite = _direction(other) == _turn(direction)
        if (other.suffix, other.session) == ('dwi', run.session) and is_opposite:
            reason = obstacle(other)
            if reason:
                unfit.append(f'{other.path.name} does not help to correct distortion: {reason}.')
            else:
                fitting.append(other)
    return fitting, unfit


def _turn(direction: str) -> str:
    return direction[0] if direction.endswith('-') else f'{direction}-'


def _direction(image: Image) -> Any:
    return image.metadata.get('PhaseEncodingDirection')


def intended_for(image: Image, run: Image, bids_dir: Path) -> bool:
    """Tell whether ``IntendedFor`` of an image names the run, in any of the forms in use."""
    return run.relative(bids_dir) in set(_intended(image))


def _intended(image: Image) -> Iterator[str]:
    """Name what an image is intended for, as paths below the dataset's root."""
    for target in _listed(image.metadata.get('IntendedFor')):
        if target.startswith('bids:'):
            yield target.split(':', 2)[-1]
            continue
        path = target.removeprefix('./').lstrip('/')
        participant = f'sub-{image.participant}'
        if path.startswith(f'{participant}/'):
            yield path
            continue
        yield f'{participant}/{path}'
        if image.session is not None:
            yield f'{participant}/ses-{image.session}/{path}'


def _listed(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(str(item) for item in values)


def _sources(
    run: Image, others: Sequence[Image], bids_dir: Path
) -> Iterator[tuple[str, list[Image]]]:
    for name in _listed(run.metadata.get('B0FieldSource')):
        group = [i for i in others if name in _listed(i.metadata.get('B0FieldIdentifier'))]
        if name in _listed(run.metadata.get('B0FieldIdentifier')):
            group.append(run)
        yield f'B0FieldSource {name!r}', group
    group = [i for i in others if _may_correct(i, run) and intended_for(i, run, bids_dir)]
    if group:
        yield 'IntendedFor', group


def _may_correct(image: Image, run: Image) -> bool:
    beside = ('dwi', 'sbref') if run.suffix == 'dwi' else ()
    return image.path.parent.name == 'fmap' or image.suffix in beside


def _describe(found: FieldMap) -> str:
    names = ', '.join(path.name for path in found.files.values())
    kinds = {
        'epi': 'opposite phase-encode EPI',
        'phasediff': 'phase difference',
        'phases': 'two phases',
        'fieldmap': 'measured field map',
        None: '',
    }
    return f'{TAKEN}{kinds[found.kind]} of {names}'


def _nobody(run: Image, others: Sequence[Image], bids_dir: Path) -> tuple[str, ...]:
    images = [i for i in others if i.path.parent.name == 'fmap']
    images = [i for i in images if i.session in (run.session, None)]
    ways = ('IntendedFor', 'B0FieldIdentifier')
    silent = [i for i in images if not any(_listed(i.metadata.get(way)) for way in ways)]
    known = {i.path for i in others}
    folder = run.path.parent.parent / 'fmap'
    strays = sorted(path.name for path in folder.glob('*.nii*') if path not in known)
    if not images and strays:
        return (
            f'No distortion correction: {_some(strays)} in fmap have no names that BIDS knows; '
            'name them sub-…_phasediff, _magnitude1 and so on.',
        )
    if not images:
        return ('No distortion correction: there are no field maps.',)
    main = [i for i in silent if not i.suffix.startswith('magnitude')]
    if main:
        return (
            f'No distortion correction: {_some([i.path.name for i in main])} in fmap name no run; '
            f'add "IntendedFor": "bids::{run.relative(bids_dir)}" to the sidecar.',
        )
    return (f'No distortion correction: no field map is intended for {run.path.name}.',)


def _some(names: Sequence[str]) -> str:
    return ', '.join(names[:4]) + (' …' if len(names) > 4 else '')
