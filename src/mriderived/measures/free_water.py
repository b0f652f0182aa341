"""The diffusion tensor of tissue apart from free water."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.free_water import LARGEST_B, fit_free_water, free_water_volumes
from mriderived.core.gradient_table import select
from mriderived.core.tensor_measures import measure_tensor
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.dwi_maps import (
    SIGNALS,
    dwi_figure,
    load_signals,
    map_output,
    save_dwi_map,
)
from mriderived.measures.one_node import one_node_wf


class FreeWaterFiles(NamedTuple):
    """The files that :func:`write_free_water` writes."""

    fwtensor_fwf: Path
    fwtensor_fa: Path
    fwtensor_md: Path
    fwtensor_ad: Path
    fwtensor_rd: Path


def write_free_water(
    dwi_preproc: Path, dwi_bval: Path, dwi_bvec: Path, dwi_mask: Path, threads: int = 1
) -> FreeWaterFiles:
    """Fit free water and a tensor to the lower shells, and measure the tensor."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    volumes = free_water_volumes(signals.gradients)
    gradients = select(signals.gradients, volumes)
    fit = fit_free_water(np.ascontiguousarray(signals.series[:, volumes]), gradients, threads)
    found = measure_tensor(fit.tensor)
    values: tuple[NDArray[Any], ...] = (fit.fraction, found.fa, found.md, found.ad, found.rd)
    files = FreeWaterFiles(
        *(
            save_dwi_map(value, signals, field.removeprefix('fwtensor_'))
            for field, value in zip(FreeWaterFiles._fields, values, strict=True)
        )
    )
    write_remarks(
        files.fwtensor_fwf,
        Shells=list(gradients.shells),
        VoxelsImplausible=int(found.implausible.sum()),
        VoxelsOfWaterAlone=int((fit.fitted & np.isnan(found.fa)).sum()),
        VoxelsNotFitted=int((~fit.fitted).sum()),
    )
    return files


def init_free_water_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_free_water, SIGNALS, threads=config.omp_nthreads)


FREE_WATER = Measure(
    name='free_water',
    title='Diffusion tensor without free water',
    needs=SIGNALS,
    source='dwi',
    scope=Scope(
        least_shells=2, least_directions=6, largest_b=LARGEST_B, needs_unweighted=True
    ),
    is_opt_in=True,
    outputs=(
        map_output('fwtensor', 'fwf', 'Free water', 'Share of free water.', zero_counts=True),
        map_output('fwtensor', 'fa', 'Fractional anisotropy of tissue',
                   'Fractional anisotropy of the tissue, without free water.'),
        map_output('fwtensor', 'md', 'Mean diffusivity of tissue',
                   'Mean diffusivity of the tissue, without free water.', 'mm^2/s'),
        map_output('fwtensor', 'ad', 'Axial diffusivity of tissue',
                   'Diffusivity of the tissue along its main direction.', 'mm^2/s'),
        map_output('fwtensor', 'rd', 'Radial diffusivity of tissue',
                   'Mean diffusivity of the tissue across its main direction.', 'mm^2/s'),
    ),
    init_wf=init_free_water_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2014.09.053',
    methods=(
        'Free water and the tensor of tissue were fitted together to two shells or more up to '
        'b = 2000 s/mm² (Hoy et al. 2014, doi:10.1016/j.neuroimage.2014.09.053).'
    ),
    figures=(
        Figure(
            name='freewater',
            draw=dwi_figure('fwtensor_fwf', 'free water', limits=(0.0, 1.0)),
            needs=('fwtensor_fwf', 'dwi_reference'),
            title='Free water',
            caption='Share of the water that diffuses as freely as in a glass: the ventricles.',
        ),
    ),
    minutes=0.6,
    memory_gb=4.0,
)  # fmt: skip
