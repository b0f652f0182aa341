"""Step ``dwi_gradients``: the gradient table of all volumes, in world axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.gradient_tables import write_gradients
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Column, Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('dwi_denoised', 'dwi_acquisition')


class GradientFiles(NamedTuple):
    """The file that :func:`check_gradients` writes."""

    dwi_gradients: Path


def check_gradients(dwi_denoised: Path, dwi_acquisition: Path) -> GradientFiles:
    """Write the table of a series."""
    del dwi_denoised
    acquisition = read_dwi_acquisition(dwi_acquisition)
    gradients = acquisition.gradients
    path = write_gradients(gradients, acquisition, 'gradients.tsv')
    write_remarks(path, Shells=list(gradients.shells))
    return GradientFiles(path)


def init_dwi_gradients_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    del config
    return one_node_wf(check_gradients, NEEDS)


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
    methods='',
    is_preprocessing=True,
    minutes=0.2,
    memory_gb=2.0,
)
