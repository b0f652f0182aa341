"""Write a synthetic DWI run, its gradient table and its opposite images as BIDS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import raw_path
from mriderived.bids.sidecar import bids_uri, write_sidecar
from mriderived.bids.status import write_text
from mriderived.core.gradient_table import fsl_from_world
from mriderived.phantom.bold_files import save_series
from mriderived.phantom.bold_options import interleaved_times
from mriderived.phantom.dwi import Dwi, take_dwi, take_opposite_dwi

Matrix = NDArray[np.float64]

ECHO_TIME = 0.08
#: In RAS, j leads from posterior to anterior.
LABELS = {'i': 'LR', 'i-': 'RL', 'j': 'PA', 'j-': 'AP', 'k': 'IS', 'k-': 'SI'}
_SCANNER = {'Manufacturer': 'mriderived phantom', 'MagneticFieldStrength': 3}
_FIELD = 'pepolardwi'


def name_dwi(entities: Mapping[str, str], direction: str = 'j-') -> Path:
    """Return the path of a run below the dataset."""
    name = {**entities, 'dir': LABELS[direction]}
    return Path(raw_path(name, datatype='dwi', suffix='dwi'))


def save_dwi(folder: Path, entities: Mapping[str, str], dwi: Dwi, threads: int = 1) -> Path:
    """Write a run with what belongs to it and return where the image is."""
    options = dwi.options
    path = folder / name_dwi(entities, options.direction)
    count = options.volumes
    save_series(path, take_dwi(dwi, threads), dwi.affine, count, options.repetition_time)
    save_table(path, dwi.b, dwi.directions, dwi.affine)
    # the volumes of b = 0 of both directions are what the field is estimated from
    pair = {} if options.opposite == 'none' else {
        'B0FieldIdentifier': _FIELD, 'B0FieldSource': _FIELD
    }  # fmt: skip
    write_sidecar(path, _readout(dwi, options.direction) | pair)
    if options.opposite != 'none':
        _save_opposite(folder, entities, dwi, path, threads)
    return path


def save_table(path: Path, b: Matrix, directions: Matrix, affine: Matrix) -> None:
    """Write b-values and directions (of the world's axes) beside an image, as FSL has them."""
    vectors = fsl_from_world(directions, affine).T
    stem = path.name.partition('.')[0]
    write_text(path.with_name(f'{stem}.bval'), ' '.join(f'{value:g}' for value in b) + '\n')
    lines = [' '.join(f'{value:.6f}' for value in row) for row in vectors]
    write_text(path.with_name(f'{stem}.bvec'), '\n'.join(lines) + '\n')


def _readout(dwi: Dwi, direction: str) -> dict[str, Any]:
    period = dwi.options.repetition_time
    return {
        **_SCANNER,
        'RepetitionTime': period,
        'EchoTime': ECHO_TIME,
        'FlipAngle': 90,
        'PhaseEncodingDirection': direction,
        'EffectiveEchoSpacing': dwi.options.echo_spacing,
        'TotalReadoutTime': dwi.readout_time,
        'SliceTiming': interleaved_times(dwi.hz.shape[2], period).tolist(),
    }


def _save_opposite(
    folder: Path, entities: Mapping[str, str], dwi: Dwi, run: Path, threads: int
) -> None:
    own, count = dwi.options.direction, dwi.options.opposite_volumes
    other = own[0] if own.endswith('-') else own + '-'
    content = _readout(dwi, other) | {'B0FieldIdentifier': _FIELD}
    if dwi.options.opposite == 'dwi':
        path = folder / name_dwi(entities, other)
        save_table(path, np.zeros(count), np.zeros((count, 3)), dwi.affine)
        content['B0FieldSource'] = _FIELD
    else:
        # a run of BOLD may have such an image, too
        name = {**entities, 'acq': 'dwi', 'dir': LABELS[other]}
        path = folder / raw_path(name, datatype='fmap', suffix='epi')
        content['IntendedFor'] = [bids_uri('', run.relative_to(folder))]
    period = dwi.options.repetition_time
    save_series(path, take_opposite_dwi(dwi, threads), dwi.affine, count, period)
    write_sidecar(path, content)
