"""What is known of a synthetic BOLD run, kept beside the other truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.bids.sidecar import sidecar_path, write_json
from mriderived.core.motion_measures import framewise_displacement
from mriderived.core.rigid import COLUMNS, rigid_matrix
from mriderived.phantom.bold import Bold, map_effects
from mriderived.phantom.networks import CORRELATION, NAMES, RADIUS_MM, SEEDS
from mriderived.phantom.truth import relative_paths, save_image

Matrix = NDArray[np.float64]
_FILES = ('bold', 'motion', 'displacement', 'field', 'brain_mask', 'networks', 'courses',
          'effects')  # fmt: skip


@dataclass(frozen=True)
class BoldTruth:
    """The truth of one run. Images are on its grid, with the head at rest and no distortion.

    ``motion``: table of shifts (mm) and turns (rad) about ``centre`` (mm), and the framewise
    displacement, by volume. ``t1w_to_bold``: matrix from mm of the T1w to mm of the head at rest.
    ``displacement``: what is at voxel u is seen at u plus this many voxels along the axis of
    ``direction``; ``field`` in Hz. ``networks``: how much of a voxel is grey matter of each
    network (last axis, in the order of ``names``). ``courses``: table of the networks at the
    middle of each volume, in percent of the signal of grey matter; in steady volumes, their
    correlations are exactly ``correlation``. ``seeds``: the balls of a network in template space
    (mm), of ``radius_mm``. ``effects``: the response of each network to an endless block of the
    task, in percent of the signal of a voxel (last axis, in the order of ``names``).
    """

    bold: Path
    motion: Path
    displacement: Path
    field: Path
    brain_mask: Path
    networks: Path
    courses: Path
    effects: Path
    names: tuple[str, ...]
    correlation: tuple[tuple[float, ...], ...]
    seeds: dict[str, Any]
    radius_mm: float
    centre: tuple[float, ...]
    t1w_to_bold: tuple[tuple[float, ...], ...]
    unsteady: int
    direction: str
    readout_time: float
    tsnr: float

    def load_motion(self) -> tuple[Matrix, Matrix]:
        """Return the parameters (volumes, 6), and the matrices (volumes, 4, 4) that they make.

        The matrices lead from mm of the head at rest to mm of each volume.
        """
        parameters = pd.read_csv(self.motion, sep='\t', na_values='n/a')[list(COLUMNS)].to_numpy()
        centre = np.array(self.centre)
        return parameters, np.stack([rigid_matrix(row, centre) for row in parameters])

    def load_courses(self) -> Matrix:
        """Return the courses of the networks (volumes, networks)."""
        return pd.read_csv(self.courses, sep='\t')[list(self.names)].to_numpy()

    def load(self, name: str) -> NDArray[np.float32]:
        """Return one of the images: displacement, field, brain_mask, networks or effects."""
        return np.asarray(nib.load(getattr(self, name)).dataobj, dtype=np.float32)


def write_bold_truth(folder: Path, path: Path, bold: Bold) -> BoldTruth:
    """Write the truth of the run at ``path``, a file of the dataset in ``folder``."""
    below = folder / 'sourcedata' / 'truth' / path.relative_to(folder).parent
    below.mkdir(parents=True, exist_ok=True)
    stem = path.name.partition('.')[0].removesuffix('bold')
    networks = np.moveaxis(bold.shares[3:], 0, 3)
    truth = BoldTruth(
        bold=path,
        motion=_save_motion(below / f'{stem}desc-motion_timeseries.tsv', bold),
        displacement=save_image(
            below / f'{stem}displacement.nii.gz', bold.displacement.shift, bold.affine
        ),
        field=save_image(below / f'{stem}field.nii.gz', bold.hz, bold.affine),
        brain_mask=save_image(
            below / f'{stem}mask.nii.gz', bold.brain_mask.astype('u1'), bold.affine
        ),
        networks=save_image(below / f'{stem}desc-networks_probseg.nii.gz', networks, bold.affine),
        courses=_save_table(
            below / f'{stem}desc-networks_timeseries.tsv',
            pd.DataFrame(bold.courses.networks.T, columns=list(NAMES)),
        ),
        effects=save_image(
            below / f'{stem}desc-effects_statmap.nii.gz', map_effects(bold), bold.affine
        ),
        names=NAMES,
        correlation=_nest(CORRELATION),
        seeds=dict(SEEDS),
        radius_mm=RADIUS_MM,
        centre=tuple(map(float, bold.centre)),
        t1w_to_bold=_nest(bold.t1w_to_bold),
        unsteady=bold.options.unsteady,
        direction=bold.options.direction,
        readout_time=bold.readout_time,
        tsnr=bold.options.tsnr,
    )
    write_json(_file(folder, path), relative_paths(truth, folder))
    return truth


def read_bold_truth(folder: Path, path: Path) -> BoldTruth:
    """Read the truth of a run of the dataset in ``folder``."""
    content = json.loads(_file(folder, path).read_text())
    for name in _FILES:
        content[name] = folder / content[name]
    for name in ('correlation', 't1w_to_bold'):
        content[name] = tuple(tuple(row) for row in content[name])
    for name in ('names', 'centre'):
        content[name] = tuple(content[name])
    return BoldTruth(**content)


def _file(folder: Path, path: Path) -> Path:
    return sidecar_path(folder / 'sourcedata' / 'truth' / path.relative_to(folder))


def _nest(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in matrix)


def _save_motion(path: Path, bold: Bold) -> Path:
    table = pd.DataFrame(bold.parameters, columns=list(COLUMNS))
    table['framewise_displacement'] = framewise_displacement(bold.parameters)
    return _save_table(path, table)


def _save_table(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.9g')
    return path
