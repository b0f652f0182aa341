"""Step ``bold_distortion``: by how much field inhomogeneity displaces the voxels of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.epi_correction import EpiRun, undo_distortion
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_figures import draw_distortion

NEEDS = ('bold_distorted', 'bold_acquisition')


class DistortionFiles(NamedTuple):
    """The files that :func:`find_distortion` writes."""

    bold_reference: Path
    bold_displacement: Path


def find_distortion(
    bold_distorted: Path, bold_acquisition: Path, threads: int = 1
) -> DistortionFiles:
    """Turn the field map of a run into displacements, and undo them in its reference.

    Without a field map, nothing is displaced, which a note says.
    """
    run = read_epi_run(bold_acquisition)
    return DistortionFiles(*undo_distortion(bold_distorted, run, 'boldref', threads))


def read_epi_run(bold_acquisition: Path) -> EpiRun:
    """Return what of a run its distortion depends on."""
    acquisition = read_acquisition(bold_acquisition)
    own = frozenset({acquisition.echoes[0][0]})
    return EpiRun(own, acquisition.phase_direction, acquisition.field_map, acquisition.notes)


def init_bold_distortion_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(find_distortion, NEEDS, threads=config.omp_nthreads)


BOLD_DISTORTION = Measure(
    name='bold_distortion',
    title='Distortion of BOLD',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='bold_reference',
            datatype='func',
            suffix='boldref',
            description='Reference of the run without distortion, as far as there is a field map.',
            unit='arbitrary',
            sidecar={'SkullStripped': False},
        ),
        Output(
            field='bold_displacement',
            datatype='func',
            suffix='boldmap',
            entities={'stat': 'displacement'},
            description=(
                'Displacement that was corrected: a voxel of the reference was seen this many '
                'voxels further along the axis of the phase encoding. 0 without a field map.'
            ),
            unit='voxel',
            sidecar={'SkullStripped': False},
            draft='BEP012',
        ),
    ),
    init_wf=init_bold_distortion_wf,
    reference='https://doi.org/10.1002/mrm.1910340111',
    methods=(
        'Where a field map belonged to a run, its field was unwrapped, smoothed, moved with the '
        'head where that had moved by 3 mm or more since (normalised mutual information, '
        'Studholme et al. 1999, doi:10.1016/S0031-3203(98)00091-0), and turned into '
        'displacements along the phase-encode axis (Jezzard and Balaban 1995, '
        'doi:10.1002/mrm.1910340111), or the displacements were estimated from images of '
        'opposite phase encoding (Andersson et al. 2003, doi:10.1016/S1053-8119(03)00336-7).'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='distortion',
            draw=draw_distortion,
            needs=('bold_distorted', 'bold_reference'),
            title='Distortion',
            caption='The BOLD reference before and after the correction of distortion, by turns.',
            section='registration',
        ),
    ),
    minutes=0.2,
    memory_gb=1.5,
)
