"""What goes with a run of BOLD: its echoes, field map and events; see ``sources``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nb

from mriderived.bids.bold_checks import BoldCheck, check_bold, look_at_series
from mriderived.bids.bold_timing import slice_axis
from mriderived.bids.dataset import Image
from mriderived.bids.events import find_events
from mriderived.bids.fieldmap_geometry import check_field_map_geometry
from mriderived.bids.fieldmaps import TAKEN, find_field_map
from mriderived.bids.image_checks import BadImageError
from mriderived.bids.known_files import KnownFiles
from mriderived.bids.sidecar import sidecar_path
from mriderived.bids.status import shorten_paths
from mriderived.workflows.field_map_choice import describe_field


def check_run(
    bids_dir: Path, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[BoldCheck, dict[str, Any]]:
    """Check a BOLD run, and find the field map and the events that belong to it."""
    image = run[0]
    check = _check_echoes(files, run)
    field = find_field_map(image, images, bids_dir, lambda path: nb.load(path).shape)
    notes = [shorten_paths(reason, bids_dir) for reason in field.reasons]
    kind = field.kind
    try:
        notes += check_field_map_geometry(field.files, image.path) if kind else ()
    except BadImageError as error:
        kind, notes = None, [note for note in notes if not note.startswith(TAKEN)]
        notes.append(f'No distortion correction: {shorten_paths(str(error), bids_dir)}')
    events = find_events(image.path, image.entities, bids_dir)
    return check, {
        'repetition_time': check.repetition_time,
        'slice_times': list(check.slice_times) if check.slice_times else None,
        'slice_fault': str(check.flags.get('slice_timing', '')),
        'slice_axis': slice_axis(image.metadata),
        'phase_direction': check.phase_direction,
        'task': str(image.metadata.get('TaskName', image.entities.get('task', 'n/a'))),
        'echoes': [
            {'path': str(part.path), 'echo_time': part.metadata.get('EchoTime')} for part in run
        ],
        'events': str(events) if events else None,
        'field_map': describe_field(field) if kind else None,
        'notes': notes,
    }


def _check_echoes(files: KnownFiles, run: tuple[Image, ...]) -> BoldCheck:
    """Check every echo of a run, and that they belong together; what is said is of the first."""
    look = files.remembering(look_at_series)
    first, *others = [check_bold(part.path, part.metadata, look) for part in run]
    if others:
        for part in run:
            _require_echo_time(part)
    shape = nb.load(first.path).shape
    for other in others:
        if nb.load(other.path).shape != shape:
            raise BadImageError(
                other.path,
                f'this echo has the size {nb.load(other.path).shape}, the first one {shape}',
                'Take the run from its original source again, or leave it out with .bidsignore.',
            )
    return first


def _require_echo_time(echo: Image) -> None:
    """Echoes are combined by their times."""
    time = echo.metadata.get('EchoTime')
    if isinstance(time, bool) or not isinstance(time, int | float) or not time > 0:
        raise BadImageError(
            echo.path,
            'EchoTime is missing' if time is None else f'EchoTime is {time!r}',
            f'A run of several echoes needs that of each: write it, in seconds, to '
            f'{sidecar_path(echo.path).name}.',
        )


def fingerprint_run(acquisition: Mapping[str, Any], hash_of: Callable[[Path], str]) -> str:
    """Return what of an acquisition decides on results, wherever the dataset lies."""
    field = acquisition['field_map'] or {'files': {}}
    files = {role: hash_of(Path(path)) for role, path in field['files'].items()}
    decisive = {key: acquisition[key] for key in ('repetition_time', 'slice_times', 'slice_axis',
                                                  'phase_direction')}  # fmt: skip
    echoes = [echo['echo_time'] for echo in acquisition['echoes']]
    return json.dumps([decisive, echoes, {**field, 'files': files}], sort_keys=True)
