"""T2* from several gradient echoes, with the field through each voxel where phase tells it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.dephasing import dephasing, field_changes
from mriderived.core.echo_phase import field_of_echoes
from mriderived.core.exponential_decay import BOUNDS, fit_decay
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_contrasts import need_echo_times, obstacle_of
from mriderived.measures.qmri_figures import (
    Panel,
    misfit_panel,
    more_maps,
    outcome_panel,
    qmri_figure,
    signal_panel,
)
from mriderived.measures.qmri_maps import (
    SIGNALS,
    Voxels,
    describe_outcome,
    estimate_noise,
    inverse_range,
    load_voxels,
    notes_on,
    save_outcome,
    save_quality,
    save_values,
    settings_of,
)
from mriderived.measures.qmri_outputs import (
    map_output,
    misfit_output,
    outcome_output,
    quality_output,
)

REFERENCE = 'https://doi.org/10.1002/mrm.1910340618'
NO_PHASE = (
    'There is no phase image for each echo: what changes of the field within a voxel take of the '
    'signal is part of T2*.'
)
#: A voxel whose last echo keeps less than this of its signal, for the field, is counted.
DEPHASED = 0.5


class MegreFiles(NamedTuple):
    """The files that :func:`write_megre` writes."""

    megre_t2star: Path
    megre_r2star: Path
    megre_s0: Path
    megre_misfit: Path
    megre_outcome: Path
    megre_fit: Path


def write_megre(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_phase: Path | None = None,
    threads: int = 1,
) -> MegreFiles:
    """Fit T2* to the echoes; each echo of a known field lacks what the field has dephased."""
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask)
    times = need_echo_times(voxels.settings)
    left = _dephasing(voxels, qmri_phase, times)
    fit = partial(fit_decay, echo_times=times, threads=threads)
    # without the field: what it bends is small in most voxels, and the median is of all
    noise = estimate_noise(lambda some: fit(some).misfit, voxels.series, 2)
    found = fit(voxels.series, noise=noise, modulation=left)
    notes = [*([NO_PHASE] if left is None else []), *notes_on(found.outcome, 'T2*')]
    files = MegreFiles(
        save_values(found.time, voxels, 't2star'),
        save_values(found.rate, voxels, 'r2star'),
        save_values(found.amplitude[:, 0], voxels, 's0'),
        save_values(found.misfit, voxels, 'misfit'),
        save_outcome(found.outcome, voxels, 'outcome'),
        save_quality(found.time, found.misfit, found.outcome, 'fit'),
    )
    said: dict[str, Any] = {'DephasingCorrection': left is not None}
    if left is not None:
        last = left[:, int(np.argmax(times))]
        said['VoxelsDephased'] = int((last < DEPHASED).sum())
    common = {**describe_outcome(found.outcome, BOUNDS), **said, 'NoiseStandardDeviation': noise}
    write_remarks(files.megre_t2star, notes=notes, **settings_of(voxels.settings), **common)
    settings = settings_of(voxels.settings)
    write_remarks(files.megre_r2star, **settings, **{**common, **inverse_range(BOUNDS)})
    return files


def _dephasing(
    voxels: Voxels, qmri_phase: Path | None, times: list[float]
) -> NDArray[np.float32] | None:
    """Return what the field within each voxel leaves of each echo, if each has its phase."""
    if qmri_phase is None or not voxels.has_phase:
        return None
    phases = load_masked(qmri_phase, voxels.mask)
    seen = (voxels.series > 0).all(axis=1)  # the phase of nothing would bend the field beside it
    mask = np.zeros_like(voxels.mask)
    mask[voxels.mask] = seen
    left = np.ones_like(voxels.series)
    if mask.any():
        field = field_of_echoes(voxels.series[seen], phases[seen], times, mask)
        left[seen] = dephasing(field_changes(field, mask), times)
    return left


def init_megre_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_megre, (*SIGNALS, 'qmri_phase'), threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': f'{REFERENCE} https://doi.org/10.1002/mrm.20435',
    'EstimationAlgorithm': 'Weighted log-linear start, non-linear least squares (Gauss-Newton) '
    'with a Rician noise floor.',
}

MEGRE = Measure(
    name='megre',
    title='T2* of gradient echoes',
    needs=SIGNALS,
    optional=('qmri_phase',),
    source='qmri',
    scope=Scope(collections=('MEGRE',), obstacle=partial(obstacle_of, need_echo_times)),
    outputs=(
        map_output('megre_t2star', 'T2starmap', 'megre', 'T2* of gradient echoes',
                   'T2*: time constant of the decay over gradient echoes.', 's', **METHOD),
        map_output('megre_r2star', 'R2starmap', 'megre', 'R2* of gradient echoes',
                   'R2*: rate of the decay over gradient echoes.', '1/s', **METHOD),
        map_output('megre_s0', 'S0map', 'megre', 'Signal at no echo time',
                   'Signal at no echo time.', 'arbitrary', in_spaces=False, **METHOD),
        misfit_output('megre_misfit', 'megre'),
        outcome_output('megre_outcome', 'megre'),
        quality_output('megre_fit', 'megre', 'T2* of gradient echoes', 'T2*', 's'),
    ),
    init_wf=init_megre_wf,
    reference=REFERENCE,
    methods=(
        'T2* and R2* were fitted to the magnitudes of several gradient echoes, the mean of which '
        'never falls below a noise floor (Gudbjartsson and Patz 1995, '
        'doi:10.1002/mrm.1910340618). Where phase images were there, what the change of the field '
        'through each voxel takes of the signal was part of the model (Dahnke and Schaeffter '
        '2005, doi:10.1002/mrm.20435).'
    ),
    figures=(
        Figure(
            name='megre',
            draw=qmri_figure(Panel('megre_t2star', 'T2*', 's', (0.0, 0.08))),
            needs=('megre_t2star', 'qmri_reference'),
            title='T2* of gradient echoes',
            caption='At 3 T white matter has about 0.05 s, grey matter 0.06 s, nuclei that hold '
            'iron half of it. Dark patches above the nose and the ears are the field of air.',
        ),
        more_maps(
            'megremore', 'Other maps of gradient echoes',
            'R2* is highest in nuclei that hold iron and beside air.',
            Panel('megre_r2star', 'R2*', '1/s', (0.0, 50.0)),
            signal_panel('megre_s0'),
            misfit_panel('megre_misfit'),
            outcome_panel('megre_outcome'),
        ),
    ),
    minutes=0.3,
    memory_gb=3.0,
)  # fmt: skip
