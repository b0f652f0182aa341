"""Step ``qmri_phase``: the phase of a collection at the position of its magnitude."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.interfaces.qmri_acquisition import read_qmri_acquisition
from mriderived.interfaces.qmri_images import (
    load_phase,
    load_setting,
    move,
    phase_span,
    read_matrices,
)
from mriderived.interfaces.series import save_series
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import COLLECTION, Measure, Output, Scope
from mriderived.measures.one_node import one_node_wf

NEEDS = ('qmri_reference', 'qmri_motion', 'qmri_acquisition')


class PhaseFiles(NamedTuple):
    """The file that :func:`align_phase` writes."""

    qmri_phase: Path


def align_phase(
    qmri_reference: Path, qmri_motion: Path, qmri_acquisition: Path, threads: int = 1
) -> PhaseFiles:
    """Move the complex images along with their magnitudes, and keep the phase in rad."""
    settings = read_qmri_acquisition(qmri_acquisition).settings
    grid, shape = load_affine(qmri_reference), load(qmri_reference).shape
    matrices, are_moved = read_matrices(qmri_motion)
    span = phase_span(settings)

    def volumes() -> Iterator[NDArray[np.float32]]:
        for setting, matrix, is_moved in zip(settings, matrices, are_moved, strict=True):
            phase = load_phase(setting, span)
            if not is_moved:
                yield phase
                continue
            magnitude, affine = load_setting(setting)
            real, imaginary = (
                move(magnitude * wave(phase), affine, matrix, grid, shape, threads)
                for wave in (np.cos, np.sin)
            )
            yield np.arctan2(imaginary, real)

    path = save_series(volumes(), grid, shape, len(settings), 1.0, 'phase.nii.gz')
    return PhaseFiles(path)


def init_qmri_phase_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(align_phase, NEEDS, threads=config.omp_nthreads)


QMRI_PHASE = Measure(
    name='qmri_phase',
    title='Phase of quantitative MRI',
    needs=NEEDS,
    source='qmri',
    scope=Scope(needs_phase=True),
    outputs=(
        Output(
            field='qmri_phase',
            datatype='anat',
            suffix=COLLECTION,
            entities={'part': 'phase', 'desc': 'preproc'},
            description='Phase of the images of the collection, moved along with the magnitude.',
            unit='rad',
            sidecar={'SkullStripped': False},
            draft='mriderived',
        ),
    ),
    init_wf=init_qmri_phase_wf,
    reference='https://doi.org/10.1109/78.193220',
    methods='Phase images were resampled as complex numbers, along with their magnitudes.',
    is_preprocessing=True,
    minutes=0.2,
    memory_gb=2.0,
)
