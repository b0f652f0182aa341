"""Step ``bold_motion``: where the head lies in every volume of a BOLD run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.bids.wording import count
from mriderived.config import Config
from mriderived.core.confounds import FD_THRESHOLD
from mriderived.core.eddy_terms import EddyMotion
from mriderived.core.masks import find_signal
from mriderived.core.motion_measures import framewise_displacement, rms_displacement
from mriderived.core.rigid import COLUMNS
from mriderived.core.rigid_series import Motion, estimate_series
from mriderived.core.steady_state import count_unsteady, mean_signal
from mriderived.core.volume_spikes import find_spikes
from mriderived.interfaces.motion_files import MATRIX
from mriderived.interfaces.series import open_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine, save
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_figures import draw_motion

#: A volume that hardly resembles the reference was not aligned.
LEAST_FIT = 0.5

#: As many voxels tell whether a volume stands out.
SAMPLED = 5000

NEEDS = ('raw_bold',)


class MotionFiles(NamedTuple):
    """The files that :func:`estimate_motion` writes."""

    bold_distorted: Path
    bold_motion: Path


def estimate_motion(raw_bold: Path, threads: int = 1) -> MotionFiles:
    """Make a reference of a run and align every volume with it."""
    affine = load_affine(raw_bold)
    with open_series(raw_bold) as series:
        unsteady = count_unsteady(mean_signal(series))
        motion = estimate_series(series, affine, unsteady, threads=threads)
        spikes = find_spikes(_sample(series, motion.reference), unsteady)
    reference = save(motion.reference, affine, 'reference.nii.gz')
    out_file = Path.cwd() / 'motion.tsv'
    table = tabulate(motion, unsteady)
    moved = table['framewise_displacement'].to_numpy() > FD_THRESHOLD
    table['spoilt'] = (spikes | moved).astype(int)
    table.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.9g')
    notes = [f'Left out before the steady state: {count(unsteady, "volume")}.'] if unsteady else []
    lost = np.flatnonzero(motion.fit < LEAST_FIT)
    if lost.size:
        numbers = ', '.join(map(str, lost[:10]))
        notes.append(f'Hardly like the others: {count(lost.size, "volume")} ({numbers}).')
    write_remarks(reference, notes=notes, NonSteadyStateVolumes=unsteady)
    return MotionFiles(reference, out_file)


def _sample(series: Any, reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return some voxels of the head over time (voxels, volumes)."""
    head = np.flatnonzero(find_signal(reference))
    place = np.unravel_index(head[:: max(1, len(head) // SAMPLED)], reference.shape)
    volumes = [np.asarray(series[..., t], np.float32)[place] for t in range(series.shape[3])]
    return np.nan_to_num(np.stack(volumes, axis=1), posinf=0, neginf=0)


def tabulate(motion: Motion | EddyMotion, unsteady: int) -> pd.DataFrame:
    """Return one row per volume."""
    table = pd.DataFrame(motion.parameters, columns=list(COLUMNS))
    table['framewise_displacement'] = framewise_displacement(motion.parameters)
    table['rmsd'] = rms_displacement(motion.matrices, motion.centre)
    table['fit'] = motion.fit
    table['steady'] = (np.arange(len(table)) >= unsteady).astype(int)
    rows = motion.matrices[:, :3].reshape(-1, 12)
    return table.join(pd.DataFrame(rows, columns=list(MATRIX)))


def init_bold_motion_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(estimate_motion, NEEDS, threads=config.omp_nthreads)


def motion_columns() -> tuple[Column, ...]:
    """Return the columns of the position of the head in every volume."""
    shifts = [Column(name, 'Shift of the head from the reference.', 'mm') for name in COLUMNS[:3]]
    turns = [Column(name, 'Turn of the head from the reference.', 'rad') for name in COLUMNS[3:]]
    matrix = [
        Column(name, 'Of the matrix from RAS mm of the reference to RAS mm of the volume.')
        for name in MATRIX
    ]
    return (
        *shifts,
        *turns,
        Column('framewise_displacement', 'Sum of what moved since the volume before '
               '(Power et al. 2012; turns on a sphere of 50 mm).', 'mm'),
        Column('rmsd', 'Root mean square displacement since the volume before '
               '(Jenkinson et al. 2002; a sphere of 80 mm).', 'mm'),
        Column('fit', 'Correlation of the aligned volume with the reference in the head.'),
        Column('steady', '0 for volumes before the steady state, 1 for the others.'),
        *matrix,
    )  # fmt: skip


BOLD_MOTION = Measure(
    name='bold_motion',
    title='Head motion',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='bold_distorted',
            datatype='func',
            suffix='boldref',
            entities={'desc': 'hmc'},
            description='Reference of the run, as acquired: the median of aligned volumes.',
            unit='arbitrary',
            sidecar={'SkullStripped': False},
            draft='BEP012',
        ),
        Output(
            field='bold_motion',
            datatype='func',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'motion'},
            description='Position of the head in every volume.',
            in_cohort=False,
            columns=(
                *motion_columns(),
                Column(
                    'spoilt',
                    '1 for volumes that stand out or in which the head moved by more than '
                    '0.5 mm: slice timing keeps them from the others.',
                ),
            ),
            draft='BEP012',
        ),
    ),
    init_wf=init_bold_motion_wf,
    reference='https://doi.org/10.1006/nimg.2002.1132',
    methods=(
        'Volumes before the steady state were found by their mean signal. Head motion was '
        'estimated by rigid registration of every volume to the median of aligned volumes, by '
        'an inverse-compositional Gauss-Newton method from coarse to fine.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='motion',
            draw=draw_motion,
            needs=('bold_motion',),
            title='Head motion',
            caption='Shifts and turns of the head from the reference, and the framewise '
            'displacement, with 0.5 mm as a line.',
            section='quality',
        ),
    ),
    minutes=0.3,
    memory_gb=1.5,
)
