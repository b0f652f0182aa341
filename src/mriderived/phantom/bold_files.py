"""Write a synthetic BOLD run and its field map as BIDS."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.bids.names import raw_path
from mriderived.bids.sidecar import bids_uri, write_sidecar
from mriderived.bids.status import write_text
from mriderived.phantom.bold import Bold, add_noise, take_opposite, take_volumes
from mriderived.phantom.bold_scene import ECHO_TIME
from mriderived.phantom.bold_tasks import write_events
from mriderived.phantom.echo_planar import scene_affine
from mriderived.phantom.inhomogeneity import draw_phase, field_hz

Matrix = NDArray[np.float64]

TASK = 'rest'
#: Times of the gradient echoes in s: a turn of the phase is 200 Hz.
ECHO_TIMES = (0.004, 0.009)
#: Turns of the phase that gradient echoes begin with, from side to side.
START_TURNS = 1.5
#: Voxels of the field map are smaller than those of the run, and its field of view is larger.
FINER, WIDER = 0.9, 2
#: Volumes of the image of opposite phase encoding.
OPPOSITE_VOLUMES = 3
#: Noise does not shrink, whatever the effort.
COMPRESSION = 1
_SCANNER = {'Manufacturer': 'mriderived phantom', 'MagneticFieldStrength': 3}
_GRE, _EPI = 'gre', 'pepolar'


def name_bold(entities: Mapping[str, str]) -> Path:
    """Return the path of a run below the dataset; without a task among entities, of rest."""
    return Path(raw_path({'task': TASK, **entities}, datatype='func', suffix='bold'))


def save_bold(folder: Path, entities: Mapping[str, str], bold: Bold, threads: int = 1) -> Path:
    """Write a run, its field map and their sidecars, and return where the (first) image is."""
    options = bold.options
    own = {**entities, 'task': options.task}
    names = [own] if not bold.echoes else [
        {**own, 'echo': str(number + 1)} for number in range(len(bold.echoes))
    ]  # fmt: skip
    paths = [folder / name_bold(name) for name in names]
    sources = {'gre': [_GRE], 'phases': [_GRE], 'epi': [_EPI], 'both': [_EPI, _GRE], 'none': []}[
        options.field_map
    ]
    period = options.repetition_time
    for echo, path in enumerate(paths):
        volumes = take_volumes(bold, threads, echo if bold.echoes else None)
        save_series(path, volumes, bold.affine, options.volumes, period)
        content = {
            **_readout(bold, options.direction),
            'TaskName': options.task,
            'SliceTiming': bold.slice_times.tolist(),
            **({'B0FieldSource': sources if len(sources) > 1 else sources[0]} if sources else {}),
        }
        if bold.echoes:
            content['EchoTime'] = options.echo_times[echo]
        write_sidecar(path, content)
    if options.task_percent:
        events = raw_path(own, datatype='func', suffix='events', extension='.tsv')
        write_text(folder / events, write_events(options.volumes * period))
    target = [bids_uri('', path.relative_to(folder)) for path in paths]
    if _GRE in sources:
        _save_echoes(folder, entities, bold, target)
    if _EPI in sources:
        _save_opposite(folder, entities, bold, target, threads)
    return paths[0]


def _readout(bold: Bold, direction: str) -> dict[str, Any]:
    return {
        **_SCANNER,
        'RepetitionTime': bold.options.repetition_time,
        'EchoTime': ECHO_TIME,
        'FlipAngle': 77,
        'PhaseEncodingDirection': direction,
        'TotalReadoutTime': bold.readout_time,
    }


def _save_opposite(
    folder: Path, entities: Mapping[str, str], bold: Bold, target: list[str], threads: int
) -> None:
    own = bold.options.direction
    other = own[0] if own.endswith('-') else own + '-'
    # in RAS, j leads from posterior to anterior
    label = {'i': 'LR', 'i-': 'RL', 'j': 'PA', 'j-': 'AP', 'k': 'IS', 'k-': 'SI'}[other]
    path = folder / raw_path({**entities, 'dir': label}, datatype='fmap', suffix='epi')
    volumes = take_opposite(bold, OPPOSITE_VOLUMES, threads)
    period = bold.options.repetition_time
    save_series(path, volumes, bold.affine, OPPOSITE_VOLUMES, period)
    content = {'IntendedFor': target, 'B0FieldIdentifier': _EPI}
    write_sidecar(path, _readout(bold, other) | content)


def _save_echoes(folder: Path, entities: Mapping[str, str], bold: Bold, target: list[str]) -> None:
    """Write the phase difference, or both phases, and the magnitudes of two gradient echoes.

    The head is at rest.
    """
    affine, shape = _echo_grid(bold)
    signal = _sample_scene(bold, affine, shape)
    hz = field_hz(bold.deformation, affine, shape, bold.options.field) - np.float32(bold.shim)
    rng = np.random.default_rng([*bold.seed, 17])
    ratio = bold.sigma / np.maximum(signal, 1e-3)
    if bold.options.field_map == 'phases':
        start = _draw_start(shape)
        images = {
            f'phase{echo}': draw_phase(rng, hz, time, ratio, start)
            for echo, time in enumerate(ECHO_TIMES, start=1)
        }
    else:
        between = ECHO_TIMES[1] - ECHO_TIMES[0]
        images = {'phasediff': draw_phase(rng, hz, between, np.sqrt(2) * ratio)}
    images |= {
        'magnitude1': add_noise(rng, signal, bold.sigma),
        'magnitude2': add_noise(rng, signal * np.float32(0.9), bold.sigma),
    }
    times: dict[str, dict[str, Any]] = {
        'phasediff': {'EchoTime1': ECHO_TIMES[0], 'EchoTime2': ECHO_TIMES[1]},
        **{
            f'{kind}{echo}': {'EchoTime': time}
            for kind in ('phase', 'magnitude')
            for echo, time in enumerate(ECHO_TIMES, start=1)
        },
    }
    for suffix, data in images.items():
        path = folder / raw_path(entities, datatype='fmap', suffix=suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(data, affine)
        image.set_sform(affine, code=1)
        image.set_qform(affine, code=1)
        image.header.set_xyzt_units('mm', 'sec')
        image.to_filename(path)
        content = {'IntendedFor': target, 'B0FieldIdentifier': _GRE}
        write_sidecar(path, _SCANNER | times[suffix] | content)


def _draw_start(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the phase at the time of the pulse, in rad: it differs by more than a turn."""
    x, y, z = (grid / size for grid, size in zip(np.indices(shape), shape, strict=True))
    return np.asarray(START_TURNS * 2 * np.pi * (x + 0.5 * y - 0.7 * z**2), np.float32)


def _echo_grid(bold: Bold) -> tuple[Matrix, tuple[int, int, int]]:
    size = np.array(bold.hz.shape)
    x, y, z = np.ceil((size + WIDER) / FINER).astype(int)
    affine = np.diag([FINER] * 3 + [1.0])
    affine[:3, 3] = -WIDER / 2
    return bold.affine @ affine, (int(x), int(y), int(z))


def _sample_scene(bold: Bold, affine: Matrix, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    matrix = np.linalg.inv(scene_affine(bold.affine)) @ affine
    signal = ndimage.affine_transform(
        bold.scene.spline,
        matrix[:3, :3],
        matrix[:3, 3],
        output_shape=shape,
        order=3,
        prefilter=False,
    )
    return np.maximum(np.asarray(signal, np.float32), np.float32(0))


def save_series(
    path: Path, volumes: Iterable[NDArray[np.int16]], affine: Matrix, count: int, period: float
) -> None:
    """Write volumes as they come."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    # neither a name nor a time in the header, so that the same run makes the same file
    with (
        path.open('wb') as file,
        gzip.GzipFile('', 'wb', compresslevel=COMPRESSION, fileobj=file, mtime=0) as stream,
    ):
        for index, volume in enumerate(volumes):
            if index == 0:
                _finish(header, (*volume.shape, count), affine, period)
                stream.write(header.binaryblock + bytes(4))
            stream.write(volume.astype('<i2').tobytes(order='F'))


def _finish(
    header: nib.Nifti1Header, shape: tuple[int, ...], affine: Matrix, period: float
) -> None:
    header.set_data_shape(shape)
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), period))
    header.set_xyzt_units('mm', 'sec')
    header.set_slope_inter(1, 0)
    header['magic'] = b'n+1'
    header['vox_offset'] = 352
