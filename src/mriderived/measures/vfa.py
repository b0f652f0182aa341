"""T1 and proton density from spoiled gradient echoes of several flip angles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.fit_outcome import Outcome, Outcomes
from mriderived.core.multi_parameter import map_rates
from mriderived.core.spoiling import Pair, Spoiling, find_spoiling
from mriderived.core.variable_flip_angle import BOUNDS, fit_flip_angles
from mriderived.interfaces.qmri_acquisition import Setting
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_contrasts import (
    Contrast,
    extrapolate,
    find_contrasts,
    obstacle_of,
)
from mriderived.measures.qmri_figures import (
    Panel,
    density_panel,
    misfit_panel,
    more_maps,
    outcome_panel,
    qmri_figure,
)
from mriderived.measures.qmri_maps import (
    SIGNALS,
    Voxels,
    chunks,
    describe_outcome,
    describe_transmit,
    inverse_range,
    load_voxels,
    notes_on,
    save_outcome,
    save_quality,
    save_values,
    settings_of,
    without_range,
)
from mriderived.measures.qmri_outputs import (
    map_output,
    misfit_output,
    outcome_output,
    quality_output,
)

REFERENCE = 'https://doi.org/10.1002/mrm.10407'
NO_FIELD = (
    'There is no map of the transmit field (B1+): the error of T1 is about twice that of the '
    'field, and varies over the brain.'
)
TWO_ANGLES = 'two flip angles lie on every curve: a third would tell'
#: Sequences whose steady state keeps transverse magnetisation, which the model has spoiled.
BALANCED = ('SSFP', 'FISP')


class VfaFiles(NamedTuple):
    """The files that :func:`write_vfa` writes."""

    vfa_t1: Path
    vfa_r1: Path
    vfa_pd: Path
    vfa_misfit: Path
    vfa_outcome: Path
    vfa_fit: Path


class _Found(NamedTuple):
    time: NDArray[np.float32]
    density: NDArray[np.float32]
    misfit: NDArray[np.float32]
    outcome: Outcomes


def write_vfa(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_b1: Path | None = None,
    threads: int = 1,
) -> VfaFiles:
    """Fit T1 and proton density to the signals of each flip angle at no echo time."""
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask, qmri_b1)
    contrasts = need_flip_angles(voxels.settings)
    signals = extrapolate(voxels, contrasts, threads)
    spoiling = None
    if len(contrasts) == 2:
        spoiling = find_pair(contrasts[0], contrasts[1])
        found = _solve(signals.signals, contrasts, voxels, spoiling)
    else:
        found = _fit(signals.signals, contrasts, voxels, threads)
    found.outcome[signals.outcome == Outcome.NO_SOLUTION] = Outcome.NO_SOLUTION
    with np.errstate(divide='ignore'):
        rate = 1 / found.time
    files = VfaFiles(
        save_values(found.time, voxels, 't1'),
        save_values(rate, voxels, 'r1'),
        save_values(found.density, voxels, 'pd'),
        save_values(found.misfit, voxels, 'misfit'),
        save_outcome(found.outcome, voxels, 'outcome'),
        save_quality(found.time, found.misfit, found.outcome, 'fit', TWO_ANGLES),
    )
    said, notes = describe_transmit(voxels, NO_FIELD)
    common = {
        **settings_of(voxels.settings),
        **describe_outcome(found.outcome, BOUNDS),
        **said,
        'EchoTimeCorrection': signals.decay is not None,
        'SpoilingCorrection': spoiling is not None,
    }
    write_remarks(files.vfa_t1, notes=[*notes, *notes_on(found.outcome, 'T1')], **common)
    write_remarks(files.vfa_r1, **{**common, **inverse_range(BOUNDS)})
    write_remarks(files.vfa_pd, **without_range(common))
    return files


def _solve(
    signals: NDArray[np.float32],
    contrasts: Sequence[Contrast],
    voxels: Voxels,
    spoiling: Spoiling | None,
) -> _Found:
    """Solve two flip angles, whose repetition times may differ."""
    maps: list[list[Any]] = [[], [], []]
    for part in chunks(len(signals)):
        field = None if voxels.transmit is None else voxels.transmit[part]
        rates = map_rates(
            signals[part], contrasts[0].weighting, contrasts[1].weighting, transmit=field,
            spoiling=spoiling,
        )  # fmt: skip
        for kept, each in zip(maps, (rates.time, rates.density, rates.outcome), strict=True):
            kept.append(each)
    time, density, outcome = (np.concatenate(each) for each in maps)
    return _Found(time, density, np.full_like(time, np.nan), outcome)


def _fit(
    signals: NDArray[np.float32], contrasts: Sequence[Contrast], voxels: Voxels, threads: int
) -> _Found:
    weightings = [contrast.weighting for contrast in contrasts]
    found = fit_flip_angles(
        signals, [w.flip_angle for w in weightings], weightings[0].repetition_time,
        transmit=voxels.transmit, threads=threads,
    )  # fmt: skip
    return _Found(found.time, found.density, found.misfit, found.outcome)


def find_pair(pdw: Contrast, t1w: Contrast) -> Spoiling | None:
    """Return the published correction of the protocol of two contrasts, or None."""
    (angle, time), (other_angle, other_time) = pdw.weighting, t1w.weighting
    return find_spoiling(Pair(time, other_time, angle, other_angle))


def need_flip_angles(images: Sequence[Setting]) -> tuple[Contrast, ...]:
    """Return the contrasts of two flip angles or more.

    Raises
    ------
    ValueError
        If there are fewer, the sequence is not spoiled, or more than two differ in their times.
    """
    for image in images:
        kind = str(image.metadata.get('PulseSequenceType', ''))
        if any(word in kind.upper() for word in BALANCED):
            raise ValueError(f'it needs a spoiled sequence, and PulseSequenceType is {kind!r}')
    contrasts = find_contrasts(images)
    if len(contrasts) < 2:
        raise ValueError(f'it needs two flip angles or more, here is {len(contrasts)}')
    times = {contrast.weighting.repetition_time for contrast in contrasts}
    if len(contrasts) > 2 and len(times) > 1:
        raise ValueError(
            'it needs one repetition time for more than two flip angles, here are '
            + ', '.join(f'{time:g}' for time in sorted(times)) + ' s'
        )  # fmt: skip
    return contrasts


def init_vfa_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_vfa, (*SIGNALS, 'qmri_b1'), threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': REFERENCE,
    'EstimationAlgorithm': "Non-linear least squares on Ernst's equation; two angles are solved "
    'exactly.',
}

VFA = Measure(
    name='vfa',
    title='T1 of flip angles',
    needs=SIGNALS,
    optional=('qmri_b1',),
    source='qmri',
    scope=Scope(collections=('VFA',), obstacle=partial(obstacle_of, need_flip_angles)),
    outputs=(
        map_output('vfa_t1', 'T1map', 'vfa', 'T1 of flip angles',
                   'T1 of spoiled gradient echoes of several flip angles.', 's', **METHOD),
        map_output('vfa_r1', 'R1map', 'vfa', 'R1 of flip angles',
                   'R1, the inverse of T1, of spoiled gradient echoes of several flip angles.',
                   '1/s', **METHOD),
        map_output('vfa_pd', 'PDmap', 'vfa', 'Proton density of flip angles',
                   'Proton density times receive field, in units of the signals.', 'arbitrary',
                   in_spaces=False, **METHOD),
        misfit_output('vfa_misfit', 'vfa'),
        outcome_output('vfa_outcome', 'vfa'),
        quality_output('vfa_fit', 'vfa', 'T1 of flip angles', 'T1', 's'),
    ),
    init_wf=init_vfa_wf,
    reference=REFERENCE,
    methods=(
        "T1 and proton density were fitted to spoiled gradient echoes of several flip angles by "
        "Ernst's equation (Deoni et al. 2003, doi:10.1002/mrm.10407; Dathe and Helms 2010, "
        'doi:10.1088/0031-9155/55/15/003), with the transmit field where it was measured.'
    ),
    figures=(
        Figure(
            name='vfa',
            draw=qmri_figure(Panel('vfa_t1', 'T1', 's', (0.4, 2.5))),
            needs=('vfa_t1', 'qmri_reference'),
            title='T1 of flip angles',
            caption='At 3 T white matter has about 0.85 s, grey matter 1.4 s, and fluid more than '
            'the scale shows. A gradient from the middle to the sides is an error of the '
            'transmit field.',
        ),
        more_maps(
            'vfamore', 'Other maps of flip angles',
            'White matter has an R1 of about 1.2 /s and least protons; the receive field of the '
            'coil is part of proton density.',
            Panel('vfa_r1', 'R1', '1/s', (0.2, 1.4)),
            density_panel('vfa_pd'),
            misfit_panel('vfa_misfit'),
            outcome_panel('vfa_outcome'),
        ),
    ),
    minutes=0.3,
    memory_gb=3.0,
)  # fmt: skip
