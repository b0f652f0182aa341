"""Diffusion kurtosis: how far diffusion departs from a Gaussian."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.gradient_table import select
from mriderived.core.kurtosis import LARGEST_B, fit_kurtosis, kurtosis_volumes
from mriderived.core.kurtosis_measures import measure_kurtosis
from mriderived.core.voxel_repair import repair_voxels
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import save
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.dwi_maps import (
    SIGNALS,
    dwi_figure,
    load_signals,
    map_output,
    save_dwi_map,
)
from mriderived.measures.one_node import one_node_wf

MAPS = ('mk', 'ak', 'rk', 'kfa', 'mkt')


class KurtosisFiles(NamedTuple):
    """The files that :func:`write_kurtosis` writes."""

    dki_mk: Path
    dki_ak: Path
    dki_rk: Path
    dki_kfa: Path
    dki_mkt: Path
    dki_tensor: Path
    dki_kurtosis: Path


def write_kurtosis(
    dwi_preproc: Path, dwi_bval: Path, dwi_bvec: Path, dwi_mask: Path, threads: int = 1
) -> KurtosisFiles:
    """Fit both tensors, and replace the measures of voxels that no tissue can have."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    volumes = kurtosis_volumes(signals.gradients)
    gradients = select(signals.gradients, volumes)
    fit = fit_kurtosis(
        np.ascontiguousarray(signals.series[:, volumes]), gradients, threads=threads
    )
    found = measure_kurtosis(fit.tensor, fit.kurtosis)
    # voxels that were not fitted stay NaN: they are no neighbours to learn from
    stack = np.full((len(MAPS), *signals.mask.shape), np.nan, np.float32)
    stack[:, signals.mask] = [getattr(found, name) for name in MAPS]
    implausible = np.zeros(signals.mask.shape, bool)
    implausible[signals.mask] = found.implausible
    repaired = repair_voxels(stack, implausible, signals.mask)
    files = [
        save(np.nan_to_num(values), signals.affine, f'{name}.nii.gz')
        for name, values in zip(MAPS, repaired.maps, strict=True)
    ]
    tensors = [
        save_dwi_map(values, signals, name)
        for name, values in (('tensor', fit.tensor), ('kurtosis', fit.kurtosis))
    ]
    count = max(1, int(signals.mask.sum()))
    note = (
        f'Kurtosis was implausible in {100 * implausible.sum() / count:.1f} % of the brain and '
        f'replaced by that of neighbours ({repaired.left.sum()} voxels had none).'
    )
    write_remarks(
        files[0],
        notes=[note],
        Shells=list(gradients.shells),
        VoxelsReplaced=int(repaired.repaired.sum()),
        VoxelsWithoutValue=int(repaired.left.sum()),
    )
    return KurtosisFiles(*files, *tensors)


def init_kurtosis_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_kurtosis, SIGNALS, threads=config.omp_nthreads)


KURTOSIS = Measure(
    name='kurtosis',
    title='Diffusion kurtosis',
    needs=SIGNALS,
    source='dwi',
    scope=Scope(
        least_shells=2, least_directions=15, largest_b=LARGEST_B, needs_unweighted=True
    ),
    outputs=(
        map_output('dki', 'mk', 'Mean kurtosis', 'Mean kurtosis over all directions (MK).'),
        map_output('dki', 'ak', 'Axial kurtosis', 'Kurtosis along the main direction (AK).'),
        map_output('dki', 'rk', 'Radial kurtosis', 'Mean kurtosis across it (RK).'),
        map_output('dki', 'kfa', 'Kurtosis anisotropy', 'Anisotropy of the kurtosis tensor.'),
        map_output('dki', 'mkt', 'Mean kurtosis tensor', 'Mean of the kurtosis tensor (MKT).'),
        map_output('dki', 'tensor', 'Tensor', 'Dxx, Dxy, Dxz, Dyy, Dyz, Dzz, fitted together with '
                   'kurtosis.', 'mm^2/s', is_summed_up=False),
        map_output('dki', 'kurtosis', 'Kurtosis tensor', 'The 15 elements Wxxxx Wyyyy Wzzzz Wxxxy '
                   'Wxxxz Wxyyy Wyyyz Wxzzz Wyzzz Wxxyy Wxxzz Wyyzz Wxxyz Wxyyz Wxyzz.',
                   is_summed_up=False),
    ),
    init_wf=init_kurtosis_wf,
    reference='https://doi.org/10.1002/mrm.20508',
    methods=(
        'Diffusion and kurtosis tensors (Jensen et al. 2005, doi:10.1002/mrm.20508) were fitted '
        'by iterated weighted least squares (Veraart et al. 2013, '
        'doi:10.1016/j.neuroimage.2013.05.028) to volumes up to b = 3000 s/mm²; implausible '
        'voxels were replaced by the median of their neighbours.'
    ),
    figures=(
        Figure(
            name='mk',
            draw=dwi_figure('dki_mk', 'MK', limits=(0.0, 1.8)),
            needs=('dki_mk', 'dwi_reference'),
            title='Mean kurtosis',
            caption='Bright where membranes hinder water: white matter first, then grey matter.',
        ),
    ),
    minutes=0.6,
    memory_gb=4.0,
)  # fmt: skip
