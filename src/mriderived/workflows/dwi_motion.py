"""Step ``dwi_motion``: where the head lies in every volume, and what eddy currents distort."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.eddy_head import remove_eddy_shift
from mriderived.core.eddy_terms import EddyMotion
from mriderived.core.encodings import estimate_encodings
from mriderived.core.epi_shift import phase_axis
from mriderived.core.motion_measures import framewise_displacement, rms_displacement
from mriderived.core.rigid import rigid_matrix
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.dwi_parts import join_parts
from mriderived.interfaces.eddy_files import (
    AXIS,
    EDDY,
    SHIFT,
    UNTOLD,
    add_eddy,
    write_outliers,
)
from mriderived.interfaces.gradient_tables import read_gradients
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine, save
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.dwi_figures import draw_dwi_motion
from mriderived.workflows.func_motion import motion_columns, tabulate

Values = NDArray[np.float64]

#: Along which axis of the array eddy currents displace, where nothing tells: most often j.
USUAL_AXIS = 1
NEEDS = ('raw_dwi', 'dwi_gradients', 'dwi_acquisition')


class MotionFiles(NamedTuple):
    """The files that :func:`estimate_dwi_motion` writes."""

    dwi_distorted: Path
    dwi_motion: Path
    dwi_outliers: Path


def estimate_dwi_motion(
    raw_dwi: Path, dwi_gradients: Path, dwi_acquisition: Path, threads: int = 1
) -> MotionFiles:
    """Align every volume with what the others predict of it.

    Volumes are taken as acquired: denoising draws a volume towards the others where its motion is
    among the weak components, which costs more than noise does.
    """
    acquisition = read_dwi_acquisition(dwi_acquisition)
    gradients, _ = read_gradients(dwi_gradients)
    affine = load_affine(raw_dwi)
    direction = acquisition.phase_direction
    axis = phase_axis(direction)[0] if direction else USUAL_AXIS
    encoding = acquisition.encoding
    series = join_parts(acquisition)
    motion = estimate_encodings(
        series, affine, gradients, encoding, axis, acquisition.slice_axis, threads
    )
    reference = save(motion.reference, affine, 'reference.nii.gz')
    out_file = Path.cwd() / 'motion.tsv'
    table = add_eddy(tabulate(motion, 0), motion)
    along = affine[:3, axis] / np.linalg.norm(affine[:3, axis])
    table['framewise_displacement'], table['rmsd'] = _move_head(motion, along)
    # positions of another phase encoding are from another reference
    table.loc[np.flatnonzero(np.diff(encoding)) + 1, ['framewise_displacement', 'rmsd']] = np.nan
    table.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.9g')
    write_remarks(out_file, UntoldVolumes=np.flatnonzero(motion.untold).tolist())
    outliers = write_outliers(motion.outliers, 'outliers.tsv')
    write_remarks(reference, notes=tell_motion(motion, direction))
    return MotionFiles(reference, out_file, outliers)


def _move_head(motion: EddyMotion, along: NDArray[np.float64]) -> tuple[Values, Values]:
    """Return framewise displacement and its root mean square without shifts by eddy currents."""
    alone = remove_eddy_shift(motion.parameters, motion.shift, along)
    matrices = np.array([rigid_matrix(move, motion.centre) for move in alone])
    return framewise_displacement(alone), rms_displacement(matrices, motion.centre)


def tell_motion(motion: EddyMotion, direction: str | None) -> list[str]:
    """Say what is not known of the motion, and what was replaced."""
    notes = []
    if direction is None:
        notes.append(
            'PhaseEncodingDirection is not known: eddy currents were taken to displace along '
            'the second axis (j).'
        )
    untold = int(motion.untold.sum())
    if untold:
        notes.append(
            f'Motion of {untold} volumes could not be told: what was found was implausible and '
            'explained them no better. They have the position of their neighbours, and no eddy '
            'currents.'
        )
    lost = motion.outliers.sum()
    if lost:
        volumes = int(motion.outliers.any(axis=1).sum())
        share = 100 * motion.outliers.mean()
        notes.append(
            f'{lost} slices ({share:.2g} %) of {volumes} volumes lost their signal and were '
            'replaced by what the other volumes predict.'
        )
    return notes


def init_dwi_motion_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(estimate_dwi_motion, NEEDS, threads=config.omp_nthreads)


def _eddy_columns() -> tuple[Column, ...]:
    text = 'Displacement by eddy currents at the edge of the image, linear along'
    return (
        *(Column(name, f'{text} {name[-1]}.', 'voxel') for name in EDDY),
        Column(
            SHIFT,
            'The part of the shift along the phase encoding that follows the gradients; it is no '
            'part of framewise displacement and rmsd.',
            'mm',
        ),
        Column(
            UNTOLD,
            '1 where motion could not be told, and the volume has the position of its neighbours '
            'and no eddy currents.',
        ),
        Column(AXIS, 'Axis of the array along which eddy currents displace, from 0.'),
    )


DWI_MOTION = Measure(
    name='dwi_motion',
    title='Head motion and eddy currents',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='dwi_distorted',
            datatype='dwi',
            suffix='dwiref',
            entities={'desc': 'hmc'},
            description='Mean of the aligned volumes without diffusion weighting, as acquired.',
            unit='arbitrary',
            sidecar={'SkullStripped': False},
            draft='mriderived',
        ),
        Output(
            field='dwi_motion',
            datatype='dwi',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'motion'},
            description=(
                'Position of the head and eddy currents in every volume, from the reference of '
                'its phase encoding.'
            ),
            in_cohort=False,
            columns=(*motion_columns(), *_eddy_columns()),
            draft='BEP012',
        ),
        Output(
            field='dwi_outliers',
            datatype='dwi',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'outliers'},
            description=(
                'One row for each volume, one column for each slice: 1 where the signal was lost '
                'and was replaced.'
            ),
            in_cohort=False,
            draft='BEP012',
        ),
    ),
    init_wf=init_dwi_motion_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2015.10.019',
    methods=(
        'Head motion and eddy currents were estimated by registration of every volume to its '
        'prediction from the others (Andersson and Sotiropoulos 2016, '
        'doi:10.1016/j.neuroimage.2015.10.019). The course of the head was told from the noise of '
        'these positions by a walk with few large steps, and from shifts that follow the '
        'gradients; slices whose signal was lost were replaced by '
        'the prediction.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='motion',
            draw=draw_dwi_motion,
            needs=('dwi_motion', 'dwi_outliers'),
            title='Head motion and lost slices',
            caption='Shifts and turns of the head from the reference, the framewise displacement, '
            'and how many slices of each volume were replaced.',
            section='quality',
        ),
    ),
    minutes=3.0,
    memory_gb=4.0,
)
