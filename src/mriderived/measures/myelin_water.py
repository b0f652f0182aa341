"""Myelin water: the spectrum of T2 of trains of spin echoes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.epg import USUAL_T1
from mriderived.core.myelin_water import EXCESS, TIMES, WINDOWS, fit_myelin_water
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.echo_trains import read_train, train_obstacle
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

REFERENCE = 'https://doi.org/10.1002/mrm.1910310614'
LEAST_ECHOES = 8
#: Of myelin water with a T2 of 20 ms, a third is left after a spacing of this, in s.
LONGEST_SPACING = 0.02
#: Trains with fewer echoes, or another end, tell peaks of the spectrum badly apart.
USUAL_ECHOES, USUAL_SPACING, USUAL_END = 24, 0.012, 0.25


class MyelinWaterFiles(NamedTuple):
    """The files that :func:`write_myelin_water` writes."""

    mwf_map: Path
    mwf_iewf: Path
    mwf_gmt2: Path
    mwf_iet2: Path
    mwf_refocusing: Path
    mwf_misfit: Path
    mwf_outcome: Path
    mwf_fit: Path


def write_myelin_water(
    qmri_series: Path, qmri_acquisition: Path, qmri_mask: Path, threads: int = 1
) -> MyelinWaterFiles:
    """Fit a smooth, non-negative spectrum of T2, and the angle of refocusing of each voxel."""
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask)
    order, spacing, nominal = read_train(voxels.settings)
    series = np.ascontiguousarray(voxels.series[:, order])
    found = fit_myelin_water(series, spacing, nominal=nominal, threads=threads)
    files = MyelinWaterFiles(
        save_values(found.myelin, voxels, 'mwf', np.nan),
        save_values(found.intra_extra, voxels, 'iewf', np.nan),
        save_values(found.mean_time, voxels, 'gmt2'),
        save_values(found.intra_extra_time, voxels, 'iet2'),
        save_values(found.refocusing, voxels, 'refocusing'),
        save_values(found.misfit, voxels, 'misfit'),
        save_outcome(found.outcome, voxels, 'outcome'),
        save_quality(found.myelin, found.misfit, found.outcome, 'fit'),
    )
    write_remarks(
        files.mwf_map,
        notes=[*_judge_train(len(order), spacing), *notes_on(found.outcome, 'spectrum of T2')],
        **settings_of([voxels.settings[place] for place in order]),
        **describe_outcome(found.outcome, (0.0, 100.0)),
        TransmitFieldCorrection=True,
        TransmitFieldMethod='angle of refocusing, fitted in each voxel',
        RefocusingFlipAngle=nominal,
        SpectrumRange=[float(TIMES[0]), float(TIMES[-1])],
        SpectrumWindows=list(WINDOWS),
        Regularisation=f'penalty that leaves {EXCESS} times the squares of the best fit',
        AssumedT1=USUAL_T1,
    )
    return files


def _judge_train(echoes: int, spacing: float) -> list[str]:
    is_usual = echoes >= USUAL_ECHOES and spacing <= USUAL_SPACING
    if is_usual and echoes * spacing >= USUAL_END:
        return []
    return [
        f'{echoes} echoes every {1000 * spacing:g} ms tell myelin water badly from other water: '
        f'{USUAL_ECHOES} or more, every {1000 * USUAL_SPACING:g} ms or less, up to '
        f'{1000 * USUAL_END:g} ms are usual.'
    ]


def spectrum_obstacle(acquisition: Mapping[str, Any]) -> str:
    """Say why a collection tells nothing of myelin water, or nothing."""
    fault = train_obstacle(acquisition, LEAST_ECHOES)
    first = min((image.get('echo_time') or 0.0) for image in acquisition['images'])
    if not fault and first > LONGEST_SPACING:
        return (
            f'its first echo is at {1000 * first:g} ms, when most of the myelin water has '
            f'decayed; {1000 * LONGEST_SPACING:g} ms are the most'
        )
    return fault


def init_myelin_water_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_myelin_water, SIGNALS, threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': f'{REFERENCE} https://doi.org/10.1002/mrm.23157',
    'EstimationAlgorithm': 'Extended phase graphs, non-negative least squares with a penalty on '
    'squares.',
}

MYELIN_WATER = Measure(
    name='myelin_water',
    title='Myelin water',
    needs=SIGNALS,
    source='qmri',
    scope=Scope(collections=('MESE',), obstacle=spectrum_obstacle),
    outputs=(
        map_output('mwf_map', 'MWFmap', 'epg', 'Myelin water fraction',
                   'Share of the water with a T2 of 10 to 40 ms, between the layers of myelin.',
                   'percent', zero_counts=True, **METHOD),
        map_output('mwf_iewf', 'qmrimap', 'mwf', 'Intra- and extracellular water fraction',
                   'Share of the water with a T2 of 40 to 200 ms, in and around cells.',
                   'percent', param='iewf', zero_counts=True, **METHOD),
        map_output('mwf_gmt2', 'qmrimap', 'mwf', 'Geometric mean T2',
                   'Geometric mean of the spectrum of T2.', 's', param='gmt2', **METHOD),
        map_output('mwf_iet2', 'qmrimap', 'mwf', 'T2 of intra- and extracellular water',
                   'Geometric mean of the spectrum of T2 from 40 to 200 ms.', 's', param='iet2',
                   **METHOD),
        map_output('mwf_refocusing', 'qmrimap', 'mwf', 'Angle of refocusing',
                   'Angle of the refocusing pulses in the voxel, fitted, up to 180 degrees.',
                   'degree', param='refocusing', in_spaces=False),
        misfit_output('mwf_misfit', 'mwf'),
        outcome_output('mwf_outcome', 'mwf'),
        quality_output('mwf_fit', 'mwf', 'Myelin water', 'the myelin water fraction', 'percent'),
    ),
    init_wf=init_myelin_water_wf,
    reference=REFERENCE,
    methods=(
        'Myelin water is the share of T2 from 10 to 40 ms in a smooth, non-negative spectrum of '
        'the trains of spin echoes (MacKay et al. 1994, doi:10.1002/mrm.1910310614), with '
        'stimulated echoes and the angle of refocusing of each voxel (Prasloski et al. 2012, '
        'doi:10.1002/mrm.23157).'
    ),
    figures=(
        Figure(
            name='mwf',
            draw=qmri_figure(Panel('mwf_map', 'myelin water fraction', 'percent', (0.0, 25.0),
                                   zero_counts=True)),
            needs=('mwf_map', 'qmri_reference'),
            title='Myelin water fraction',
            caption='White matter has 8 to 15 percent, most in the corticospinal tract and the '
            'splenium, the cortex little and fluid none. Bright rims at the skull are no myelin.',
        ),
        more_maps(
            'mwfmore', 'Other maps of myelin water',
            'White and grey matter have 80 to 95 percent of intra- and extracellular water; '
            'fluid has a long T2 and none of it.',
            Panel('mwf_iewf', 'intra- and extracellular water', 'percent', (50.0, 100.0),
                  zero_counts=True),
            Panel('mwf_gmt2', 'geometric mean T2', 's', (0.02, 0.15)),
            Panel('mwf_iet2', 'T2 of intra- and extracellular water', 's', (0.02, 0.15)),
            Panel('mwf_refocusing', 'angle of refocusing', 'degree', (120.0, 180.0)),
            misfit_panel('mwf_misfit'),
            outcome_panel('mwf_outcome'),
        ),
    ),
    minutes=4.0,
    memory_gb=3.0,
)  # fmt: skip
