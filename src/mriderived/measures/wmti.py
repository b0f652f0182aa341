"""White-matter tract integrity: water inside and around aligned axons, from kurtosis."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.gradient_table import select
from mriderived.core.kurtosis import LARGEST_B, fit_kurtosis, kurtosis_volumes
from mriderived.core.white_matter_integrity import is_aligned, measure_integrity
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.dwi_maps import (
    SIGNALS,
    dwi_figure,
    load_signals,
    map_output,
    save_dwi_map,
)
from mriderived.measures.one_node import one_node_wf

OPTIONAL = ('dwi_wm',)
#: A voxel with a smaller share of white matter is not measured.
LEAST_WHITE_MATTER = 0.5
#: With fewer voxels than this, a note says so.
FEW_VOXELS = 100


class WmtiFiles(NamedTuple):
    """The files that :func:`write_wmti` writes."""

    wmti_awf: Path
    wmti_depar: Path
    wmti_deperp: Path
    wmti_da: Path
    wmti_tortuosity: Path


def write_wmti(
    dwi_preproc: Path,
    dwi_bval: Path,
    dwi_bvec: Path,
    dwi_mask: Path,
    dwi_wm: Path | None = None,
    threads: int = 1,
) -> WmtiFiles:
    """Measure where fibres have one direction, and of white matter if it is known."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    volumes = kurtosis_volumes(signals.gradients)
    gradients = select(signals.gradients, volumes)
    fit = fit_kurtosis(
        np.ascontiguousarray(signals.series[:, volumes]), gradients, threads=threads
    )
    aligned = is_aligned(fit.tensor)
    if dwi_wm is not None:
        aligned &= load(dwi_wm)[signals.mask] >= LEAST_WHITE_MATTER
    found = measure_integrity(fit.tensor, fit.kurtosis, aligned, threads)
    values = (found.awf, found.de_par, found.de_perp, found.da, found.tortuosity)
    files = WmtiFiles(
        *(
            save_dwi_map(value, signals, field.removeprefix('wmti_'))
            for field, value in zip(WmtiFiles._fields, values, strict=True)
        )
    )
    number = int(found.valid.sum())
    notes = [f'Only {number} voxels have aligned fibres.'] if number < FEW_VOXELS else []
    if dwi_wm is None:
        notes.append('White matter is not known here: aligned fibres are taken for it.')
    write_remarks(
        files.wmti_awf,
        notes=notes,
        Shells=list(gradients.shells),
        VoxelsWithValue=number,
        VoxelsImplausible=int(found.implausible.sum()),
    )
    return files


def init_wmti_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_wmti, (*SIGNALS, *OPTIONAL), threads=config.omp_nthreads)


WMTI = Measure(
    name='wmti',
    title='White-matter tract integrity',
    needs=SIGNALS,
    optional=OPTIONAL,
    source='dwi',
    scope=Scope(
        least_shells=2, least_directions=15, largest_b=LARGEST_B, needs_unweighted=True
    ),
    outputs=(
        map_output('wmti', 'awf', 'Axonal water fraction',
                   'Share of the water inside axons (AWF); 0 outside aligned white matter.'),
        map_output('wmti', 'depar', 'Diffusivity along axons, outside',
                   'Diffusivity of the water around axons, along them.', 'mm^2/s'),
        map_output('wmti', 'deperp', 'Diffusivity across axons, outside',
                   'Diffusivity of the water around axons, across them.', 'mm^2/s'),
        map_output('wmti', 'da', 'Diffusivity inside axons',
                   'Diffusivity of the water inside axons, along them.', 'mm^2/s'),
        map_output('wmti', 'tortuosity', 'Tortuosity',
                   'Diffusivity around axons, along them over across them.'),
    ),
    init_wf=init_wmti_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2011.06.006',
    methods=(
        'White-matter tract integrity (Fieremans et al. 2011, '
        'doi:10.1016/j.neuroimage.2011.06.006) was measured from the kurtosis tensor where '
        'fibres have one direction.'
    ),
    figures=(
        Figure(
            name='awf',
            draw=dwi_figure('wmti_awf', 'AWF', limits=(0.0, 0.7)),
            needs=('wmti_awf', 'dwi_reference'),
            title='Axonal water fraction',
            caption='Share of the water inside axons, where fibres have one direction.',
        ),
    ),
    minutes=0.4,
    memory_gb=4.0,
)  # fmt: skip
