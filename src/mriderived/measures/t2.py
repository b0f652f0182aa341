"""T2 from trains of spin echoes, stimulated echoes included."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.epg import USUAL_T1
from mriderived.core.spin_echo_t2 import BOUNDS, fit_spin_echoes
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
    signal_panel,
)
from mriderived.measures.qmri_maps import (
    SIGNALS,
    describe_outcome,
    describe_transmit,
    estimate_noise,
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

REFERENCE = 'https://doi.org/10.1002/mrm.22487'
LEAST_ECHOES = 4
FIELD_FITTED = 'There is no map of the transmit field: it was fitted to the echoes.'


class T2Files(NamedTuple):
    """The files that :func:`write_t2` writes."""

    t2_map: Path
    t2_s0: Path
    t2_refocusing: Path
    t2_misfit: Path
    t2_outcome: Path
    t2_fit: Path


def write_t2(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_b1: Path | None = None,
    threads: int = 1,
) -> T2Files:
    """Fit T2 by extended phase graphs, with the transmit field given or fitted."""
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask, qmri_b1)
    order, spacing, nominal = read_train(voxels.settings)
    series = np.ascontiguousarray(voxels.series[:, order])
    fit = partial(fit_spin_echoes, spacing=spacing, nominal=nominal, threads=threads)
    free = 3 if voxels.transmit is None else 2
    # the noise of a train tells itself with the angle fitted, whatever the field is
    noise = estimate_noise(lambda some: fit(some).misfit, series, 3)
    found = fit(series, transmit=voxels.transmit, noise=noise)
    if voxels.transmit is not None:
        bare = ~(voxels.transmit > 0)  # beyond the map, echoes tell the field
        beyond = fit(series[bare], noise=noise)
        for field in found._fields:
            getattr(found, field)[bare] = getattr(beyond, field)
    misfit = found.misfit if series.shape[1] > free else np.full_like(found.misfit, np.nan)
    said, notes = describe_transmit(voxels, FIELD_FITTED)
    files = T2Files(
        save_values(found.time, voxels, 't2'),
        save_values(found.amplitude, voxels, 's0'),
        save_values(found.refocusing, voxels, 'refocusing'),
        save_values(misfit, voxels, 'misfit'),
        save_outcome(found.outcome, voxels, 'outcome'),
        save_quality(found.time, misfit, found.outcome, 'fit'),
    )
    write_remarks(
        files.t2_map,
        notes=[*notes, *notes_on(found.outcome, 'T2')],
        **settings_of([voxels.settings[place] for place in order]),
        **describe_outcome(found.outcome, BOUNDS),
        **said,
        RefocusingFlipAngle=nominal,
        AssumedT1=USUAL_T1,
        NoiseStandardDeviation=noise,
    )
    return files


def init_t2_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_t2, (*SIGNALS, 'qmri_b1'), threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': REFERENCE,
    'EstimationAlgorithm': 'Extended phase graphs with stimulated echoes, non-linear least '
    'squares (Levenberg-Marquardt) with a Rician noise floor.',
}

T2 = Measure(
    name='t2',
    title='T2 of spin echoes',
    needs=SIGNALS,
    optional=('qmri_b1',),
    source='qmri',
    scope=Scope(
        collections=('MESE',), obstacle=partial(train_obstacle, least=LEAST_ECHOES)
    ),
    outputs=(
        map_output('t2_map', 'T2map', 'epg', 'T2',
                   'T2: time constant of the decay over spin echoes, stimulated echoes accounted '
                   'for.', 's', **METHOD),
        map_output('t2_s0', 'S0map', 'epg', 'Signal at no echo time',
                   'Signal of a perfect excitation at no echo time.', 'arbitrary',
                   in_spaces=False, **METHOD),
        map_output('t2_refocusing', 'qmrimap', 'epg', 'Angle of refocusing',
                   'Angle of the refocusing pulses in the voxel: given by the transmit field, or '
                   'fitted, up to 180 degrees.', 'degree', param='refocusing',
                   in_spaces=False),
        misfit_output('t2_misfit', 'epg'),
        outcome_output('t2_outcome', 'epg'),
        quality_output('t2_fit', 'epg', 'T2', 'T2', 's'),
    ),
    init_wf=init_t2_wf,
    reference=REFERENCE,
    methods=(
        'T2 was fitted to trains of spin echoes by extended phase graphs, which account for '
        'stimulated echoes of imperfect refocusing; where no map of the transmit field was '
        'there, the angle of refocusing was fitted as well (Lebel and Wilman 2010, '
        'doi:10.1002/mrm.22487).'
    ),
    figures=(
        Figure(
            name='t2',
            draw=qmri_figure(Panel('t2_map', 'T2', 's', (0.02, 0.15))),
            needs=('t2_map', 'qmri_reference'),
            title='T2',
            caption='At 3 T white matter has about 0.07 s, grey matter 0.09 s, and fluid more '
            'than the scale shows. Shades that follow the coil, or rings, are no tissue.',
        ),
        more_maps(
            't2more', 'Other maps of T2 of spin echoes',
            'Rings or patches of misfit are echoes that no single T2 explains, such as those of '
            'fluid that pulses.',
            signal_panel('t2_s0'),
            Panel('t2_refocusing', 'angle of refocusing', 'degree', (120.0, 180.0)),
            misfit_panel('t2_misfit'),
            outcome_panel('t2_outcome'),
        ),
    ),
    minutes=2.0,
    memory_gb=3.0,
)  # fmt: skip
