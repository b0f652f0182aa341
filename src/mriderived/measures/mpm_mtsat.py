"""Magnetisation transfer saturation of multi-parameter mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.config import Config
from mriderived.core.magnetisation_transfer import HELMS, TRANSFER_BOUNDS
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.mpm_signals import (
    COLLECTIONS,
    NO_FIELD,
    load_signals,
    map_all,
    need_transfer,
    transfer_obstacle,
)
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_figures import Panel, more_maps, outcome_panel, qmri_figure
from mriderived.measures.qmri_maps import (
    SIGNALS,
    describe_outcome,
    describe_transmit,
    notes_on,
    save_outcome,
    save_quality,
    save_values,
    settings_of,
)
from mriderived.measures.qmri_outputs import (
    map_output,
    outcome_output,
    quality_output,
)

REFERENCE = 'https://doi.org/10.1002/mrm.21732'


class MtsatFiles(NamedTuple):
    """The files that :func:`write_mtsat` writes."""

    mpm_mtsat: Path
    mpm_mtsat_outcome: Path
    mpm_mtsat_fit: Path


def write_mtsat(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_b1: Path | None = None,
    threads: int = 1,
) -> MtsatFiles:
    """Return how much of the magnetisation one pulse of transfer saturates."""
    signals = load_signals(qmri_series, qmri_acquisition, qmri_mask, qmri_b1, threads)
    voxels = signals.voxels
    _, found = map_all(signals)
    if found is None:
        need_transfer(voxels.settings)
        raise ValueError('there is no contrast with magnetisation transfer')
    files = MtsatFiles(
        save_values(found.percent, voxels, 'mtsat'),
        save_outcome(found.outcome, voxels, 'outcome'),
        save_quality(found.percent, None, found.outcome, 'fit'),
    )
    said, notes = describe_transmit(voxels, NO_FIELD)
    if voxels.transmit is not None:
        said['TransmitFieldDependence'] = HELMS
    write_remarks(
        files.mpm_mtsat,
        notes=[*notes, *notes_on(found.outcome, 'MTsat')],
        **settings_of(voxels.settings),
        **describe_outcome(found.outcome, TRANSFER_BOUNDS),
        **said,
        **signals.describe(),
    )
    return files


def init_mpm_mtsat_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_mtsat, (*SIGNALS, 'qmri_b1'), threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': f'{REFERENCE} https://doi.org/10.3389/fnins.2013.00095',
    'EstimationAlgorithm': 'Saturation by one pulse of transfer, for small angles and rates, '
    'corrected for the transmit field where it is known.',
}

MPM_MTSAT = Measure(
    name='mpm_mtsat',
    title='Magnetisation transfer saturation',
    needs=SIGNALS,
    optional=('qmri_b1',),
    source='qmri',
    scope=Scope(collections=COLLECTIONS, obstacle=transfer_obstacle),
    outputs=(
        map_output('mpm_mtsat', 'MTsat', 'mpm', 'MTsat',
                   'Share of the magnetisation that one pulse of magnetisation transfer '
                   'saturates, in percent units (p.u.).', 'percent', **METHOD),
        outcome_output('mpm_mtsat_outcome', 'mpmmtsat'),
        quality_output('mpm_mtsat_fit', 'mpmmtsat', 'MTsat', 'MTsat', 'percent',
                       has_misfit=False),
    ),
    init_wf=init_mpm_mtsat_wf,
    reference=REFERENCE,
    methods=(
        'Magnetisation transfer saturation followed from the MT-weighted signal, R1 and proton '
        'density (Helms et al. 2008, doi:10.1002/mrm.21732), corrected for the transmit field '
        'where it was measured (Weiskopf et al. 2013, doi:10.3389/fnins.2013.00095).'
    ),
    figures=(
        Figure(
            name='mtsat',
            draw=qmri_figure(Panel('mpm_mtsat', 'MTsat', 'p.u.', (0.0, 2.5))),
            needs=('mpm_mtsat', 'qmri_reference'),
            title='Magnetisation transfer saturation',
            caption='White matter has 1.5 to 2 p.u., grey matter half of it, fluid nearly none.',
        ),
        more_maps(
            'mtsatmore', 'Outcome of magnetisation transfer saturation',
            'Every voxel of the mask has an outcome; those without a value have 2, 3 or 4.',
            outcome_panel('mpm_mtsat_outcome'),
        ),
    ),
    minutes=0.4,
    memory_gb=4.0,
)  # fmt: skip
