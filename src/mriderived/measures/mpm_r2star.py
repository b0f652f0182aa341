"""R2* that all contrasts of multi-parameter mapping share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.core.exponential_decay import BOUNDS
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.mpm_signals import COLLECTIONS, decay_obstacle, load_signals, need_echoes
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_figures import (
    Panel,
    misfit_panel,
    more_maps,
    outcome_panel,
    qmri_figure,
)
from mriderived.measures.qmri_maps import (
    SIGNALS,
    describe_outcome,
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

REFERENCE = 'https://doi.org/10.3389/fnins.2014.00278'
FEW_ECHOES = 'as many parameters as images leave nothing: more echoes would tell'


class R2starFiles(NamedTuple):
    """The files that :func:`write_r2star` writes."""

    mpm_r2star: Path
    mpm_r2star_misfit: Path
    mpm_r2star_outcome: Path
    mpm_r2star_fit: Path


def write_r2star(
    qmri_series: Path, qmri_acquisition: Path, qmri_mask: Path, threads: int = 1
) -> R2starFiles:
    """Fit one rate of decay to the echoes of all contrasts."""
    signals = load_signals(qmri_series, qmri_acquisition, qmri_mask, None, threads)
    voxels, decay = signals.voxels, signals.extrapolated.decay
    if decay is None:
        need_echoes(voxels.settings)
        raise ValueError('there is no decay over the echoes')
    files = R2starFiles(
        save_values(decay.rate, voxels, 'r2star'),
        save_values(decay.misfit, voxels, 'misfit'),
        save_outcome(decay.outcome, voxels, 'outcome'),
        save_quality(decay.rate, decay.misfit, decay.outcome, 'fit', FEW_ECHOES),
    )
    write_remarks(
        files.mpm_r2star,
        notes=notes_on(decay.outcome, 'R2*'),
        **settings_of(voxels.settings),
        **describe_outcome(decay.outcome, (1 / BOUNDS[1], 1 / BOUNDS[0])),
        NoiseStandardDeviation=signals.extrapolated.noise,
    )
    return files


def init_mpm_r2star_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_r2star, SIGNALS, threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': f'{REFERENCE} https://doi.org/10.1002/mrm.1910340618',
    'EstimationAlgorithm': 'One rate for all contrasts (ESTATICS): weighted log-linear start, '
    'non-linear least squares (Gauss-Newton) with a Rician noise floor.',
}

MPM_R2STAR = Measure(
    name='mpm_r2star',
    title='R2* of multi-parameter mapping',
    needs=SIGNALS,
    source='qmri',
    scope=Scope(collections=COLLECTIONS, obstacle=decay_obstacle),
    outputs=(
        map_output('mpm_r2star', 'R2starmap', 'mpm', 'R2* of multi-parameter mapping',
                   'R2*: rate of the decay that the echoes of all contrasts share.', '1/s',
                   **METHOD),
        misfit_output('mpm_r2star_misfit', 'mpmr2star'),
        outcome_output('mpm_r2star_outcome', 'mpmr2star'),
        quality_output('mpm_r2star_fit', 'mpmr2star', 'R2* of multi-parameter mapping', 'R2*',
                       '1/s'),
    ),
    init_wf=init_mpm_r2star_wf,
    reference=REFERENCE,
    methods=(
        'R2* is one rate of decay, fitted to the echoes of all contrasts together (ESTATICS, '
        'Weiskopf et al. 2014, doi:10.3389/fnins.2014.00278), with the noise floor of magnitudes '
        'as part of the model.'
    ),
    figures=(
        Figure(
            name='mpmr2star',
            draw=qmri_figure(Panel('mpm_r2star', 'R2*', '1/s', (0.0, 50.0))),
            needs=('mpm_r2star', 'qmri_reference'),
            title='R2* of multi-parameter mapping',
            caption='At 3 T white matter has about 20 /s, grey matter 15 /s, nuclei that hold '
            'iron twice that. Bright patches above the nose and the ears are the field of air.',
        ),
        more_maps(
            'mpmr2starmore', 'Misfit and outcome of R2*',
            'Misfit is high where one rate does not describe the echoes, as above the nose.',
            misfit_panel('mpm_r2star_misfit'),
            outcome_panel('mpm_r2star_outcome'),
        ),
    ),
    minutes=0.4,
    memory_gb=4.0,
)  # fmt: skip
