"""NODDI: neurite density, orientation dispersion and free water."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.noddi import fit_noddi
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.dwi_maps import (
    SIGNALS,
    dwi_figure,
    load_signals,
    load_vectors,
    map_output,
    save_dwi_map,
)
from mriderived.measures.one_node import one_node_wf

NEEDS = (*SIGNALS, 'tensor_v1')


class NoddiFiles(NamedTuple):
    """The files that :func:`write_noddi` writes."""

    noddi_icvf: Path
    noddi_od: Path
    noddi_isovf: Path
    noddi_rmse: Path


def write_noddi(
    dwi_preproc: Path,
    dwi_bval: Path,
    dwi_bvec: Path,
    dwi_mask: Path,
    tensor_v1: Path,
    threads: int = 1,
) -> NoddiFiles:
    """Fit neurites, hindered and free water to all shells."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    v1 = load_vectors(tensor_v1)[signals.mask]
    found = fit_noddi(signals.series, signals.gradients, v1, threads=threads)
    files = NoddiFiles(
        *(
            save_dwi_map(getattr(found, name), signals, name)
            for name in ('icvf', 'od', 'isovf', 'rmse')
        )
    )
    write_remarks(
        files.noddi_icvf,
        Shells=list(signals.gradients.shells),
        VoxelsWithoutValue=int((~np.isfinite(found.icvf)).sum()),
    )
    return files


def init_noddi_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_noddi, NEEDS, threads=config.omp_nthreads)


NODDI = Measure(
    name='noddi',
    title='NODDI',
    needs=NEEDS,
    source='dwi',
    scope=Scope(least_shells=2, least_directions=15, needs_unweighted=True),
    outputs=(
        map_output('noddi', 'icvf', 'Neurite density',
                   'Share of the tissue within neurites (ICVF).'),
        map_output('noddi', 'od', 'Orientation dispersion',
                   'Dispersion of neurites: 0 parallel, 1 without direction (OD).'),
        map_output('noddi', 'isovf', 'Free water', 'Share of free water (ISOVF).',
                   zero_counts=True),
        map_output('noddi', 'rmse', 'Misfit',
                   'What the model leaves of the signals, relative to the one without weighting '
                   '(root mean square).', is_summed_up=False),
    ),
    init_wf=init_noddi_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2012.03.072',
    methods=(
        'NODDI (Zhang et al. 2012, doi:10.1016/j.neuroimage.2012.03.072) was fitted by a convex '
        'start in the manner of AMICO (Daducci et al. 2015, '
        'doi:10.1016/j.neuroimage.2014.10.026) and least squares after it.'
    ),
    figures=(
        Figure(
            name='icvf',
            draw=dwi_figure('noddi_icvf', 'ICVF', limits=(0.0, 1.0)),
            needs=('noddi_icvf', 'dwi_reference'),
            title='Neurite density',
            caption='Share of the tissue within neurites: high in white matter.',
        ),
        Figure(
            name='od',
            draw=dwi_figure('noddi_od', 'OD', limits=(0.0, 1.0)),
            needs=('noddi_od', 'dwi_reference'),
            title='Orientation dispersion',
            caption='Low where neurites are parallel, high in grey matter and in crossings.',
        ),
    ),
    minutes=3.0,
    memory_gb=4.0,
)  # fmt: skip
