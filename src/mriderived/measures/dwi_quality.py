"""Quality metrics of a diffusion series."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.dwi_quality import DwiRun, measure_dwi_quality
from mriderived.core.masks import find_signal
from mriderived.figures.time_courses import draw_carpet_plot
from mriderived.interfaces.dwi_acquisition import DwiAcquisition, read_dwi_acquisition
from mriderived.interfaces.dwi_parts import join_parts
from mriderived.interfaces.eddy_files import UNTOLD
from mriderived.interfaces.gradient_tables import load_fsl
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.dwi_maps import SIGNALS, load_signals, load_vectors
from mriderived.measures.dwi_quality_columns import COLUMNS
from mriderived.measures.one_node import one_node_wf

NEEDS = ('dwi_acquisition', *SIGNALS, 'dwi_reference')
OPTIONAL = ('dwi_noise', 'dwi_bias', 'dwi_motion', 'dwi_outliers', 'tensor_fa', 'tensor_v1')
#: The column of the table of motion that tells how far the head moved, in mm.
DISPLACEMENT = 'framewise_displacement'
#: Air is what lies this many voxels and more from the head.
AIR_VOXELS = 3
#: Fewer voxels of a slice are no sample of its air.
LEAST_AIR = 50
#: As many voxels of the brain are drawn.
CARPET_LINES = 900


class DwiQc(NamedTuple):
    """The file that :func:`measure_dwi_run` writes."""

    dwi_qc: Path


class Raw(NamedTuple):
    """The series as acquired: the brain (voxels, volumes), and air by volume and slice."""

    brain: NDArray[np.float32]
    air: NDArray[np.float64] | None


def measure_dwi_run(
    dwi_acquisition: Path,
    dwi_preproc: Path,
    dwi_bval: Path,
    dwi_bvec: Path,
    dwi_mask: Path,
    dwi_reference: Path,
    dwi_noise: Path | None = None,
    dwi_bias: Path | None = None,
    dwi_motion: Path | None = None,
    dwi_outliers: Path | None = None,
    tensor_fa: Path | None = None,
    tensor_v1: Path | None = None,
) -> DwiQc:
    """Measure the quality of a series."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    acquisition = read_dwi_acquisition(dwi_acquisition)
    motion = pd.read_csv(dwi_motion, sep='\t', na_values='n/a') if dwi_motion else None
    raw = _read_raw(acquisition, signals.mask, load(dwi_reference))
    run = DwiRun(
        signals=signals.series,
        raw=raw.brain,
        gradients=signals.gradients,
        brain=signals.mask,
        affine=signals.affine,
        fa=load(tensor_fa) if tensor_fa else None,
        first=load_vectors(tensor_v1) if tensor_v1 else None,
        noise=_read_noise(dwi_noise, dwi_bias)[signals.mask] if dwi_noise else None,
        displacement=None if motion is None else motion[DISPLACEMENT].to_numpy(np.float64),
        untold=None if motion is None else motion[UNTOLD].to_numpy() > 0,
        outliers=_read_outliers(dwi_outliers) if dwi_outliers else None,
        air=raw.air,
        encoding=acquisition.encoding,
    )
    found = measure_dwi_quality(run)
    out_file = Path.cwd() / 'dwi_qc.tsv'
    row = pd.DataFrame([{column.name: found.values[column.name] for column in COLUMNS}])
    row.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.8g')
    notes = [
        f'{count} quality metrics of diffusion have no value: {reason}.'
        for reason, count in Counter(found.reasons.values()).items()
        # that there are few shells is no fault of the series
        if not reason.startswith('there is no shell')
    ]
    write_remarks(out_file, notes=notes, MissingReasons=found.reasons)
    return DwiQc(out_file)


def _read_noise(dwi_noise: Path, dwi_bias: Path | None) -> NDArray[np.float32]:
    """Return the noise in the unit of the series, which was divided by its inhomogeneity."""
    noise = load(dwi_noise)
    if dwi_bias is None:
        return noise
    bias = load(dwi_bias)
    return np.where(bias > 0, noise / np.where(bias > 0, bias, 1), noise).astype(np.float32)


def _read_raw(
    acquisition: DwiAcquisition, brain: NDArray[np.bool_], reference: NDArray[np.float32]
) -> Raw:
    """Read the parts as acquired."""
    head = ndimage.binary_dilation(find_signal(reference) | brain, iterations=AIR_VOXELS)
    axis = acquisition.slice_axis
    outside = np.moveaxis(~head, axis, 0).reshape(head.shape[axis], -1)
    count = outside.sum(axis=1)
    series = join_parts(acquisition)
    air = np.empty((series.shape[3], len(outside)))
    for t in range(series.shape[3]):
        slices = np.moveaxis(series[..., t], axis, 0).reshape(len(outside), -1)
        total = (slices * outside).sum(axis=1, dtype=np.float64)
        air[t] = np.where(count >= LEAST_AIR, total / np.maximum(count, 1), np.nan)
    return Raw(series[brain], air if (count >= LEAST_AIR).any() else None)


def _read_outliers(path: Path) -> NDArray[np.bool_]:
    return np.asarray(pd.read_csv(path, sep='\t').to_numpy() > 0)


def init_dwi_quality_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config
    return one_node_wf(measure_dwi_run, (*NEEDS, *OPTIONAL))


def draw_dwi_carpet(
    dwi_preproc: Path, dwi_bval: Path, dwi_bvec: Path, dwi_mask: Path, dwi_motion: Path
) -> list[Any]:
    """Draw what sets each volume apart from the mean of its shell, shell after shell."""
    mask = load(dwi_mask) > 0
    gradients = load_fsl(dwi_bval, dwi_bvec, load_affine(dwi_preproc))
    rows = np.flatnonzero(mask)
    chosen = np.zeros(mask.shape, bool)
    chosen.ravel()[rows[:: max(1, len(rows) // CARPET_LINES)]] = True
    series = load_masked(dwi_preproc, chosen)
    # from below, slice by slice, so that what happens to a slice is seen as a band
    series = series[np.argsort(-np.nonzero(chosen)[2], kind='stable')]
    order = np.argsort(gradients.shell, kind='stable')
    carpet = np.zeros_like(series)
    for shell in np.unique(gradients.shell):
        mine = gradients.shell == shell
        centre = np.median(series[:, mine], axis=1, keepdims=True)
        away = series[:, mine] - centre
        own = np.median(np.abs(away), axis=1, keepdims=True)
        # fibres differ between directions more than grey matter does; few volumes tell no spread
        spread = np.maximum(own, 0.5 * np.median(np.abs(away))) + np.finfo(np.float32).tiny
        carpet[:, mine] = away / (1.4826 * spread)
    motion = pd.read_csv(dwi_motion, sep='\t', na_values='n/a')
    displacement = motion[DISPLACEMENT].to_numpy(np.float64)
    traces = {
        'FD (mm)': displacement[order],
        'b (s/mm²)': gradients.b[order],
        'mean': series.mean(axis=0)[order],
    }
    return [draw_carpet_plot(carpet[:, order], {'brain': len(carpet)}, traces, {'FD (mm)': 0.5})]


DWI_QUALITY = Measure(
    name='dwi_quality',
    title='Image quality of the diffusion series',
    needs=NEEDS,
    optional=OPTIONAL,
    source='dwi',
    outputs=(
        Output(
            field='dwi_qc',
            datatype='dwi',
            suffix='qc',
            extension='.tsv',
            entities={'desc': 'dwi'},
            description='Image quality metrics of the diffusion series.',
            columns=COLUMNS,
            draft='mriderived',
        ),
    ),
    init_wf=init_dwi_quality_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2018.09.073',
    methods=(
        'The quality of diffusion series was measured by the contrast-to-noise ratio of shells '
        '(Bastiani et al. 2019, doi:10.1016/j.neuroimage.2018.09.073), the correlation of '
        'neighbours in q-space (Yeh et al. 2019, doi:10.1016/j.neuroimage.2019.116131) and the '
        'coherence of fibres (Schilling et al. 2019, doi:10.1016/j.mri.2019.01.018).'
    ),
    figures=(
        Figure(
            name='dwicarpet',
            draw=draw_dwi_carpet,
            needs=('dwi_preproc', 'dwi_bval', 'dwi_bvec', 'dwi_mask', 'dwi_motion'),
            title='All volumes of diffusion',
            caption='Voxels of the brain (rows) over volumes, ordered by b-value: how far each is '
            'from the middle of its shell, in robust standard deviations. Volumes that were lost '
            'or moved stand out as stripes.',
            section='quality',
        ),
    ),
    minutes=0.1,
    memory_gb=2.0,
)
