"""Step ``dwi_distortion``: by how much field inhomogeneity displaces a diffusion series."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.interfaces.dwi_acquisition import read_dwi_acquisition
from mriderived.interfaces.epi_correction import EpiRun, undo_distortion
from mriderived.interfaces.volumes import load
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.dwi_figures import draw_dwi_distortion

NEEDS = ('dwi_distorted', 'dwi_acquisition')


class DistortionFiles(NamedTuple):
    """The files that :func:`find_dwi_distortion` writes."""

    dwi_reference: Path
    dwi_displacement: Path


def find_dwi_distortion(
    dwi_distorted: Path, dwi_acquisition: Path, threads: int = 1
) -> DistortionFiles:
    """Turn the field map of a series into displacements, and undo them in its reference.

    Without a field map, nothing is displaced, which a note says.
    """
    run = read_epi_series(dwi_acquisition)
    files = DistortionFiles(*undo_distortion(dwi_distorted, run, 'dwiref', threads))
    require_displacement(files.dwi_displacement, dwi_acquisition)
    return files


def require_displacement(dwi_displacement: Path, dwi_acquisition: Path) -> None:
    """Raise if parts of opposite phase encoding would be joined as distorted as they are."""
    acquisition = read_dwi_acquisition(dwi_acquisition)
    if acquisition.encoding.any() and not load(dwi_displacement).any():
        names = ', '.join(part.path.name for part in acquisition.parts)
        raise ValueError(
            f'{names} have opposite phase encodings and cannot be joined, for their field map '
            'cannot be used; remove what names it (B0FieldSource, IntendedFor), so that their own '
            'unweighted volumes are taken'
        )


def read_epi_series(dwi_acquisition: Path) -> EpiRun:
    """Return what of a series its distortion depends on."""
    acquisition = read_dwi_acquisition(dwi_acquisition)
    direction = acquisition.phase_direction
    own = frozenset(p.path for p in acquisition.parts if p.phase_direction == direction)
    return EpiRun(own, direction, acquisition.field_map, acquisition.notes)


def init_dwi_distortion_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(find_dwi_distortion, NEEDS, threads=config.omp_nthreads)


DWI_DISTORTION = Measure(
    name='dwi_distortion',
    title='Distortion of diffusion',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='dwi_reference',
            datatype='dwi',
            suffix='dwiref',
            description=(
                'Mean of the unweighted volumes without distortion, as far as there is a field '
                'map.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': False},
            draft='mriderived',
        ),
        Output(
            field='dwi_displacement',
            datatype='dwi',
            suffix='dwimap',
            entities={'model': 'susceptibility', 'param': 'displacement'},
            description=(
                'Displacement that was corrected: a voxel of the reference was seen this many '
                'voxels further along the axis of the phase encoding. 0 without a field map.'
            ),
            unit='voxel',
            sidecar={'SkullStripped': False},
            draft='BEP016',
        ),
    ),
    init_wf=init_dwi_distortion_wf,
    reference='https://doi.org/10.1016/S1053-8119(03)00336-7',
    methods=(
        'Distortion of diffusion series was estimated from unweighted images of opposite phase '
        'encoding (Andersson et al. 2003, doi:10.1016/S1053-8119(03)00336-7) or taken from a '
        'field map (Jezzard and Balaban 1995, doi:10.1002/mrm.1910340111), where one belonged to '
        'them.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='distortion',
            draw=draw_dwi_distortion,
            needs=('dwi_distorted', 'dwi_reference'),
            title='Distortion',
            caption='The mean of the unweighted volumes before and after the correction of '
            'distortion, by turns.',
            section='registration',
        ),
    ),
    minutes=0.3,
    memory_gb=1.5,
)
