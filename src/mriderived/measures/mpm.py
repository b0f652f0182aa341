"""R1 and proton density of multi-parameter mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.core.variable_flip_angle import BOUNDS
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.mpm_signals import (
    COLLECTIONS,
    NO_FIELD,
    NO_PUBLISHED,
    load_signals,
    map_all,
    rates_obstacle,
)
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_figures import (
    Panel,
    density_panel,
    more_maps,
    outcome_panel,
    qmri_figure,
)
from mriderived.measures.qmri_maps import (
    SIGNALS,
    describe_outcome,
    describe_transmit,
    notes_on,
    save_outcome,
    save_quality,
    save_values,
    settings_of,
    without_range,
)
from mriderived.measures.qmri_outputs import (
    map_output,
    outcome_output,
    quality_output,
)

REFERENCE = 'https://doi.org/10.1002/mrm.21542'
ONE_ECHO = (
    'There are no several echoes: proton density is weighted by the T2* decay up to the echo.'
)


class MpmFiles(NamedTuple):
    """The files that :func:`write_mpm` writes."""

    mpm_r1: Path
    mpm_pd: Path
    mpm_outcome: Path
    mpm_fit: Path


def write_mpm(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_b1: Path | None = None,
    threads: int = 1,
) -> MpmFiles:
    """Solve R1 and proton density of PD-weighted and T1-weighted signals at no echo time."""
    signals = load_signals(qmri_series, qmri_acquisition, qmri_mask, qmri_b1, threads)
    voxels = signals.voxels
    rates, _ = map_all(signals)
    files = MpmFiles(
        save_values(rates.rate, voxels, 'r1'),
        save_values(rates.density, voxels, 'pd'),
        save_outcome(rates.outcome, voxels, 'outcome'),
        save_quality(rates.rate, None, rates.outcome, 'fit'),
    )
    said, notes = describe_transmit(voxels, NO_FIELD)
    if signals.spoiling is None:
        notes.append(NO_PUBLISHED)
    if signals.extrapolated.decay is None:
        notes.append(ONE_ECHO)
    common = {
        **settings_of(voxels.settings),
        **describe_outcome(rates.outcome, (1 / BOUNDS[1], 1 / BOUNDS[0])),
        **said,
        **signals.describe(),
    }
    write_remarks(files.mpm_r1, notes=[*notes, *notes_on(rates.outcome, 'R1')], **common)
    write_remarks(files.mpm_pd, **without_range(common))
    return files


def init_mpm_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_mpm, (*SIGNALS, 'qmri_b1'), threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': f'{REFERENCE} https://doi.org/10.1002/mrm.21776',
    'EstimationAlgorithm': "Exact solution of Ernst's equation at no echo time, corrected for the "
    'transmit field and for imperfect spoiling where they are known.',
}

MPM = Measure(
    name='mpm',
    title='R1 and proton density of multi-parameter mapping',
    needs=SIGNALS,
    optional=('qmri_b1',),
    source='qmri',
    scope=Scope(collections=COLLECTIONS, obstacle=rates_obstacle),
    outputs=(
        map_output('mpm_r1', 'R1map', 'mpm', 'R1 of multi-parameter mapping',
                   'R1 of PD-weighted and T1-weighted gradient echoes.', '1/s', **METHOD),
        map_output('mpm_pd', 'PDmap', 'mpm', 'Proton density of multi-parameter mapping',
                   'Proton density times receive field, in units of the signals.', 'arbitrary',
                   **METHOD),
        outcome_output('mpm_outcome', 'mpm'),
        quality_output('mpm_fit', 'mpm', 'R1 of multi-parameter mapping', 'R1', '1/s',
                       has_misfit=False),
    ),
    init_wf=init_mpm_wf,
    reference=REFERENCE,
    methods=(
        'R1 and proton density follow from PD-weighted and T1-weighted gradient echoes at no echo '
        'time (Helms et al. 2008, doi:10.1002/mrm.21542), with the transmit field where it was '
        'measured, and corrected for imperfect spoiling where the protocol is one of those '
        'published (Preibisch and Deichmann 2009, doi:10.1002/mrm.21776; Tabelow et al. 2019, '
        'doi:10.1016/j.neuroimage.2019.01.029).'
    ),
    figures=(
        Figure(
            name='mpmr1',
            draw=qmri_figure(Panel('mpm_r1', 'R1', '1/s', (0.2, 1.4))),
            needs=('mpm_r1', 'qmri_reference'),
            title='R1 of multi-parameter mapping',
            caption='At 3 T white matter has about 1.1 /s, grey matter 0.7 /s, fluid 0.25 /s. A '
            'gradient from the middle to the sides is an error of the transmit field.',
        ),
        Figure(
            name='mpmpd',
            draw=qmri_figure(density_panel('mpm_pd')),
            needs=('mpm_pd', 'qmri_reference'),
            title='Proton density of multi-parameter mapping',
            caption='Fluid is brighter than grey, and grey than white matter; the receive field '
            'of the coil is part of the map.',
        ),
        more_maps(
            'mpmmore', 'Outcome of multi-parameter mapping',
            'Every voxel of the mask has an outcome; those without a value have 2, 3 or 4.',
            outcome_panel('mpm_outcome'),
        ),
    ),
    minutes=0.4,
    memory_gb=4.0,
)  # fmt: skip
