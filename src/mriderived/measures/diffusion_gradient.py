"""EXPERIMENTAL: the direction of the image's gradient, estimated from diffusion alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.diffusion_gradient import gradient_from_magnitude
from mriderived.core.gradient_angles import (
    CHANCE_MEAN,
    CHANCE_MEDIAN,
    AngleComparison,
    acute_angle,
    choose_voxels,
    compare_angles,
    image_gradient,
)
from mriderived.core.gradient_table import select
from mriderived.core.symmetric_matrices import decompose
from mriderived.core.tensor import fit_tensor, tensor_volumes
from mriderived.core.tensor_measures import measure_tensor
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Column, Measure, Output, Scope
from mriderived.measures.dwi_maps import (
    SIGNALS,
    load_signals,
    map_output,
    save_dwi_map,
    spread_map,
)
from mriderived.measures.one_node import one_node_wf

#: Strongest half of the gradients, of voxels with a direction of fibres.
PERCENTILE, FA_RANGE = 50.0, (0.2, 1.0)
#: Smoothing before differences are taken, in voxels.
SIGMA = 0.75
#: Directions do not depend on it, and lengths are not given.
_ANY_TIME = 0.04
WARNING = (
    'Experimental: the estimator is our own derivation, not known to be that of Aganj et al. '
    '2025. Only an angle below that of the fibre baseline would speak for an effect.'
)


class DiffusionGradientFiles(NamedTuple):
    """The files that :func:`write_diffusion_gradient` writes."""

    gradient_direction: Path
    gradient_angle: Path
    gradient_table: Path


def write_diffusion_gradient(
    dwi_preproc: Path, dwi_bval: Path, dwi_bvec: Path, dwi_mask: Path, threads: int = 1
) -> DiffusionGradientFiles:
    """Estimate directions, and compare them with the gradient of the unweighted image."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    chosen = tensor_volumes(signals.gradients).volumes
    fit = fit_tensor(
        np.ascontiguousarray(signals.series[:, chosen]),
        select(signals.gradients, chosen),
        threads=threads,
    )
    tensor = measure_tensor(fit.tensor)
    base = signals.series[:, signals.gradients.shell == 0].mean(axis=1)
    relative = np.divide(
        signals.series, base[:, None], out=np.full_like(signals.series, np.nan),
        where=base[:, None] > 0,
    )  # fmt: skip
    vector = gradient_from_magnitude(relative, signals.gradients, fit.tensor, _ANY_TIME).vector
    direction = vector / np.linalg.norm(vector, axis=1, keepdims=True)
    image = spread_map(base, signals.mask)
    real = image_gradient(image, signals.affine, signals.mask, SIGMA)[signals.mask]
    part = choose_voxels(real, tensor.fa, PERCENTILE, FA_RANGE)
    part &= np.isfinite(direction).all(axis=1)
    found = None
    if part.any():
        v3 = decompose(fit.tensor[part])[1][:, :, 2]
        found = compare_angles(direction[part], real[part], tensor.v1[part], v3)
    files = DiffusionGradientFiles(
        save_dwi_map(direction, signals, 'direction'),
        save_dwi_map(acute_angle(direction, real), signals, 'angle'),
        Path.cwd() / 'gradient.tsv',
    )
    _tabulate(found, files.gradient_table)
    _remark(files, direction)
    return files


def _tabulate(found: AngleComparison | None, path: Path) -> None:
    row: dict[str, float] = dict.fromkeys((column.name for column in COLUMNS), np.nan)
    row |= {'voxels': 0, 'chance_mean': CHANCE_MEAN, 'chance_median': CHANCE_MEDIAN}
    if found is not None:
        row |= {
            'voxels': found.voxels,
            'mean': found.estimate.mean,
            'median': found.estimate.median,
            'third_axis_mean': found.third_axis.mean,
            'third_axis_median': found.third_axis.median,
            'across_fibre_mean': found.across_fibre.mean,
            'below_chance': found.below_chance,
            'below_fibre': found.below_fibre,
        }
    pd.DataFrame([row]).to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    missing = [name for name, value in row.items() if np.isnan(value)]
    reason = 'no voxel has an estimate, a gradient of the image and fibres'
    write_remarks(path, notes=[WARNING], MissingReasons=dict.fromkeys(missing, reason))


def _remark(files: DiffusionGradientFiles, direction: NDArray[np.float64]) -> None:
    without = int((~np.isfinite(direction).all(axis=1)).sum())
    write_remarks(files.gradient_direction, IsExperimental=True, VoxelsWithoutValue=without)
    write_remarks(files.gradient_angle, IsExperimental=True, SmoothingVoxels=SIGMA)


def init_diffusion_gradient_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_diffusion_gradient, SIGNALS, threads=config.omp_nthreads)


COLUMNS = (
    Column('voxels', 'Voxels of the comparison: the stronger half of gradients where FA is above '
           '0.2.', '1', 'Image gradient, voxels'),
    Column('mean', "Mean acute angle between the estimate and the image's gradient.", 'deg',
           'Image gradient, mean angle'),
    Column('median', "Median acute angle between the estimate and the image's gradient.", 'deg',
           'Image gradient, median angle'),
    Column('chance_mean', 'Mean acute angle of any two axes.', 'deg', 'Image gradient, chance'),
    Column('chance_median', 'Median acute angle of any two axes.', 'deg',
           'Image gradient, chance (median)'),
    Column('third_axis_mean', "Mean acute angle of the tensor's third axis to the image's "
           'gradient.', 'deg', 'Image gradient, third axis'),
    Column('third_axis_median', "Median acute angle of the tensor's third axis to the image's "
           'gradient.', 'deg', 'Image gradient, third axis (median)'),
    Column('across_fibre_mean', "Mean acute angle of a random direction across the fibre to the "
           "image's gradient.", 'deg', 'Image gradient, across the fibre'),
    Column('below_chance', 'By how much the mean is below chance.', 'deg',
           'Image gradient, below chance'),
    Column('below_fibre', 'By how much the mean is below the better of the two fibre baselines; '
           'only above 0 it would speak for an effect.', 'deg', 'Image gradient, below fibres'),
)  # fmt: skip

DIFFUSION_GRADIENT = Measure(
    name='diffusion_gradient',
    title='Image gradient from diffusion (experimental)',
    needs=SIGNALS,
    source='dwi',
    scope=Scope(least_shells=2, least_directions=15, needs_unweighted=True),
    outputs=(
        map_output('gradient', 'direction', 'Direction of the gradient',
                   'Estimated direction of the gradient of the image: a unit vector in world '
                   'axes (RAS) whose sign is not known. Experimental.', is_summed_up=False,
                   OrientationEncoding={'EncodingAxis': 3, 'Reference': 'xyz',
                                        'Type': 'unit3vector', 'AntipodalSymmetry': True}),
        map_output('gradient', 'angle', 'Angle to the gradient',
                   'Acute angle between the estimate and the gradient of the image by finite '
                   'differences. Experimental.', 'deg', is_summed_up=False),
        Output(
            field='gradient_table',
            datatype='dwi',
            suffix='qc',
            extension='.tsv',
            entities={'desc': 'gradient'},
            description='Angles between estimated and real gradients of the image, beside those '
            'of chance and of fibres alone.',
            columns=COLUMNS,
            draft='mriderived',
        ),
    ),
    init_wf=init_diffusion_gradient_wf,
    reference='https://doi.org/10.1101/2025.06.06.658348',
    methods=(
        'The direction of the gradient of the image was estimated from the squared signals that '
        'a tensor of low b-values leaves (our own derivation, experimental, after the idea of '
        'Aganj et al. 2025, doi:10.1101/2025.06.06.658348), and compared with finite differences '
        'of the unweighted image beside baselines that know the fibres alone.'
    ),
    is_opt_in=True,
    minutes=0.5,
    memory_gb=3.0,
)  # fmt: skip
