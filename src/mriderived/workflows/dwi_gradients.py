"""Step ``dwi_gradients``: the gradient table of all volumes in world axes, and whether it fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nilearn.masking import compute_epi_mask
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.gradient_orientation import (
    TableRanking,
    apply_transform,
    describe_transform,
    rank_tables,
)
from mriderived.core.gradient_table import Gradients, select
from mriderived.core.tensor import tensor_volumes
from mriderived.interfaces.dwi_acquisition import DwiAcquisition, read_dwi_acquisition
from mriderived.interfaces.gradient_tables import write_gradients
from mriderived.interfaces.series import load_masked, read_volumes
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine
from mriderived.measures.base import Column, Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('dwi_denoised', 'dwi_acquisition')


class GradientFiles(NamedTuple):
    """The file that :func:`check_gradients` writes."""

    dwi_gradients: Path


def check_gradients(
    dwi_denoised: Path, dwi_acquisition: Path, is_fixed: bool = False, threads: int = 1
) -> GradientFiles:
    """Write the table of a series whose fibres run on best with it.

    Raises
    ------
    ValueError
        If they run on better with another table, unless ``is_fixed`` takes that one.
    """
    acquisition = read_dwi_acquisition(dwi_acquisition)
    gradients, affine = acquisition.gradients, load_affine(dwi_denoised)
    ranking = _rank(dwi_denoised, gradients, affine, _most(acquisition.encoding), threads)
    if isinstance(ranking, str):
        notes, said = [f'Gradient table: its axes were not checked: {ranking}.'], {}
    else:
        found = describe_transform(ranking.transforms[0])
        said = {
            'Verdict': ranking.verdict,
            'MostCoherent': found,
            'Coherence': round(float(ranking.coherence[0]), 4),
            'CoherenceAsGiven': round(float(ranking.coherence[ranking.place]), 4),
            'StandardErrorsAhead': round(ranking.z, 2),
        }
        notes = [_describe(ranking, found)]
        if ranking.verdict == 'wrong':
            if not is_fixed:
                raise ValueError(
                    f'{notes[0]} Correct {_name(acquisition, ".bvec")} (from DICOM, with a recent '
                    'dcm2niix), or let --fix-gradients take that table'
                )
            gradients = apply_transform(gradients, ranking.transforms[0], affine)
            notes = [f'{notes[0]} It was taken (--fix-gradients).']
    path = write_gradients(gradients, acquisition, 'gradients.tsv')
    write_remarks(path, notes=notes, Shells=list(gradients.shells), FibreCoherence=said)
    return GradientFiles(path)


def _most(encoding: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the volumes of the phase encoding that most have: others are distorted otherwise."""
    return np.flatnonzero(encoding == np.bincount(encoding).argmax())


def _rank(
    series: Path,
    gradients: Gradients,
    affine: NDArray[np.float64],
    volumes: NDArray[np.intp],
    threads: int,
) -> TableRanking | str:
    """Rank the tables by some volumes, or say why there is nothing to rank."""
    try:
        chosen = volumes[tensor_volumes(select(gradients, volumes)).volumes]
    except ValueError as error:
        return str(error)
    shell = gradients.shell[volumes]
    reference = load_mean(series, volumes[shell == shell.min()])
    mask = np.asarray(compute_epi_mask(nb.Nifti1Image(reference, affine)).dataobj) > 0
    signals = np.ascontiguousarray(load_masked(series, mask)[:, chosen])
    return rank_tables(signals, mask, select(gradients, chosen), affine, threads)


def load_mean(series: Path, volumes: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the mean of some volumes of a series."""
    chosen = {int(number) for number in volumes}
    total = [v for number, v in enumerate(read_volumes(series)) if number in chosen]
    return np.asarray(np.mean(total, axis=0), np.float32)


def _describe(ranking: TableRanking, found: str) -> str:
    best, own = ranking.coherence[0], ranking.coherence[ranking.place]
    if ranking.verdict == 'right':
        return f'Gradient table: of 24 tables, fibres run on best with this one ({best:.3f}).'
    if ranking.verdict == 'undecided':
        return f'Gradient table: its axes could not be checked: {ranking.reason}.'
    return (
        f'Gradient table: fibres run on better ({best:.3f}) where {found} than with the table as '
        f'it is ({own:.3f}, place {ranking.place + 1} of 24).'
    )


def _name(acquisition: DwiAcquisition, extension: str) -> str:
    return acquisition.parts[0].path.name.split('.')[0] + extension


def init_dwi_gradients_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(
        check_gradients, NEEDS, is_fixed=config.fix_gradients, threads=config.omp_nthreads
    )


DWI_GRADIENTS = Measure(
    name='dwi_gradients',
    title='Gradient table',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='dwi_gradients',
            datatype='dwi',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'gradients'},
            description='Diffusion weighting and phase encoding of every volume, as acquired.',
            in_cohort=False,
            columns=(
                Column('part', 'Number of the file of the acquisition, from 0.'),
                Column('phase_direction', 'PhaseEncodingDirection.', ''),
                Column('readout_time', 'TotalReadoutTime.', 's'),
                Column('b', 'b-value.', 's/mm^2'),
                *(Column(axis, 'Of the direction, in world axes (RAS).') for axis in 'xyz'),
                Column(
                    'shell', 'b-value of the shell; 0 for volumes without weighting.', 's/mm^2'
                ),
            ),
            draft='BEP012',
        ),
    ),
    init_wf=init_dwi_gradients_wf,
    reference='https://doi.org/10.1038/s41598-018-34940-4',
    methods=(
        'Whether gradient tables have the axes of their images was checked by the coherence of '
        'fibres over all exchanges of axes and signs (after Schilling et al. 2019, '
        'doi:10.1016/j.mri.2019.01.018, and Aganj 2018, doi:10.1038/s41598-018-34940-4).'
    ),
    is_preprocessing=True,
    minutes=0.2,
    memory_gb=2.0,
)
