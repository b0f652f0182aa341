"""Step ``bold_series``: a run after slice timing, motion and distortion, on its own grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.core.series_route import plan_route
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.bold_sampling import (
    describe_timing,
    make_distortion,
    moment,
    resample_run,
)
from mriderived.interfaces.motion_files import read_motion, read_spoilt
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('raw_bold', 'bold_acquisition', 'bold_motion', 'bold_displacement')


class SeriesFiles(NamedTuple):
    """The file that :func:`resample_bold` writes."""

    bold_preproc: Path


def resample_bold(
    raw_bold: Path,
    bold_acquisition: Path,
    bold_motion: Path,
    bold_displacement: Path,
    threads: int = 1,
) -> SeriesFiles:
    """Bring slices to one moment and volumes to one position, with a single interpolation."""
    acquisition = read_acquisition(bold_acquisition)
    affine = load_affine(raw_bold)
    table, matrices, unsteady = read_motion(bold_motion)
    shape = load(bold_displacement).shape
    distortion = make_distortion(load(bold_displacement), acquisition)
    route = plan_route(
        shape, affine, shape, affine,
        distortion=distortion, modulate=distortion is not None, threads=threads,
    )  # fmt: skip
    path = save_series(
        resample_run(acquisition, matrices, unsteady, read_spoilt(table), route, threads),
        affine, shape, len(matrices), acquisition.repetition_time, 'bold.nii.gz',
    )  # fmt: skip
    steady = len(matrices) - unsteady
    notes = []
    if moment(acquisition, steady) is None:
        unused = acquisition.slice_fault or 'it is not known'
        reason = f'{steady} volumes are too few' if acquisition.slice_times else unused
        notes.append(f'Slice timing was not corrected: {reason}.')
    if len(acquisition.echoes) > 1:
        notes.append(f'{len(acquisition.echoes)} echoes were combined by their T2*.')
    write_remarks(
        path,
        notes=notes,
        **describe_timing(acquisition, steady),
    )
    return SeriesFiles(path)


def init_bold_series_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(resample_bold, NEEDS, threads=config.omp_nthreads)


BOLD_SERIES = Measure(
    name='bold_series',
    title='Preprocessed BOLD',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='bold_preproc',
            datatype='func',
            suffix='bold',
            entities={'desc': 'preproc'},
            description=(
                'The run after correction of slice timing, head motion and distortion, on the '
                'grid of its reference; interpolated once in space, by cubic B-splines.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': False},
        ),
    ),
    init_wf=init_bold_series_wf,
    reference='https://doi.org/10.1109/42.875199',
    methods=(
        'Slices were brought to the middle of the acquisition of a volume by natural cubic '
        'splines, where their times were known. Head motion and distortion were composed, so that '
        'each volume was interpolated once, by cubic B-splines (Thevenaz et al. 2000, '
        'doi:10.1109/42.875199). Echoes of multi-echo runs were combined by T2* (Posse et al. '
        '1999, doi:10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O).'
    ),
    is_preprocessing=True,
    minutes=0.3,
    memory_gb=1.5,
)
