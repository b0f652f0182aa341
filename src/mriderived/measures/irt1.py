"""T1 from images after an inversion, of the brain or of the heart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.inversion_recovery import BOUNDS, fit_inversion_recovery
from mriderived.core.look_locker import correct_readout, restore_sign
from mriderived.core.recovery_sign import fit_magnitudes
from mriderived.interfaces.qmri_acquisition import Setting
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_contrasts import need_value, obstacle_of
from mriderived.measures.qmri_figures import (
    Panel,
    misfit_panel,
    more_maps,
    outcome_panel,
    qmri_figure,
)
from mriderived.measures.qmri_maps import (
    SIGNALS,
    Voxels,
    describe_outcome,
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

REFERENCE = 'https://doi.org/10.1002/mrm.22497'
#: What is said where nothing tells the sign.
MAGNITUDE = 'magnitude'
THREE_TIMES = 'three inversion times lie on every curve: a fourth would tell'


class Irt1Files(NamedTuple):
    """The files that :func:`write_irt1` writes."""

    ir_t1: Path
    ir_r1: Path
    ir_efficiency: Path
    ir_misfit: Path
    ir_outcome: Path
    ir_fit: Path


def write_irt1(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_phase: Path | None = None,
    threads: int = 1,
) -> Irt1Files:
    """Fit three parameters to the recovery; T1 of readouts that drive it is corrected for them."""
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask)
    times = need_inversion_times(voxels.settings)
    series, sign = _signals(voxels, qmri_phase, times)
    if sign == MAGNITUDE:
        recovery = fit_magnitudes(series, times, threads=threads)
    else:
        recovery = fit_inversion_recovery(series, times, is_magnitude=False, threads=threads)
    is_driven = drives_recovery(voxels.settings)
    found = correct_readout(recovery) if is_driven else recovery
    fitted = found.outcome == 0
    misfit = np.where(fitted, recovery.misfit, np.nan).astype(np.float32)
    efficiency = np.where(fitted, recovery.efficiency, np.nan)
    files = Irt1Files(
        save_values(found.time, voxels, 't1'),
        save_values(found.rate, voxels, 'r1'),
        save_values(efficiency, voxels, 'efficiency'),
        save_values(misfit, voxels, 'misfit'),
        save_outcome(found.outcome, voxels, 'outcome'),
        save_quality(found.time, misfit, found.outcome, 'fit', THREE_TIMES),
    )
    common = {
        **settings_of(voxels.settings),
        **describe_outcome(found.outcome, BOUNDS),
        'LookLocker': is_driven,
        'SignOfSignal': sign,
    }
    write_remarks(files.ir_t1, notes=notes_on(found.outcome, 'T1'), **common)
    write_remarks(files.ir_r1, **{**common, **inverse_range(BOUNDS)})
    return files


def _signals(
    voxels: Voxels, qmri_phase: Path | None, times: list[float]
) -> tuple[NDArray[np.float32], str]:
    """Return signals with their sign where something tells it, and what did."""
    if all(image.is_signed for image in voxels.settings):
        return voxels.series, 'real part'
    if qmri_phase is None or not voxels.has_phase:
        return voxels.series, MAGNITUDE
    phases = load_masked(qmri_phase, voxels.mask)
    reference = phases[:, int(np.argmax(times))]
    return restore_sign(voxels.series, phases, reference), 'phase against the longest recovery'


def drives_recovery(images: Sequence[Setting]) -> bool:
    """Tell whether excitations between the images disturb the recovery, as sidecars say."""
    return any(image.metadata.get('LookLocker') is True for image in images)


def need_inversion_times(images: Sequence[Setting]) -> list[float]:
    """Return the inversion times in s, of which magnitudes need four, and others three.

    Raises
    ------
    ValueError
        If there are fewer, or some are real parts and others magnitudes.
    """
    signed = [image.path.name for image in images if image.is_signed]
    if signed and len(signed) < len(images):
        raise ValueError(
            f'it needs images of one kind: of {signed[0]} there is the real part alone, of others '
            'the magnitude. Add part-imag, or the magnitudes that are missing'
        )
    times = [need_value(image, 'inversion_time', 'InversionTime') for image in images]
    has_sign = bool(signed) or all(image.has_phase for image in images)
    least = 3 if has_sign else 4
    if len(set(times)) < least:
        kind = 'images with their sign' if has_sign else 'magnitudes'
        raise ValueError(f'it needs {kind} at {least} inversion times, here are {len(set(times))}')
    return times


def init_irt1_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_irt1, (*SIGNALS, 'qmri_phase'), threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': REFERENCE,
    'EstimationAlgorithm': 'Three parameters by non-linear least squares with variable '
    'projection; the sign of magnitudes by trying every place of its change, and of those that '
    'leave little by the efficiency of most voxels.',
}

IRT1 = Measure(
    name='irt1',
    title='T1 of inversion recovery',
    needs=SIGNALS,
    optional=('qmri_phase',),
    source='qmri',
    scope=Scope(collections=('IRT1',), obstacle=partial(obstacle_of, need_inversion_times)),
    outputs=(
        map_output('ir_t1', 'T1map', 'ir', 'T1 of inversion recovery',
                   'T1 of images at several times after an inversion.', 's', **METHOD),
        map_output('ir_r1', 'R1map', 'ir', 'R1 of inversion recovery',
                   'R1, the inverse of T1, of images at several times after an inversion.',
                   '1/s', **METHOD),
        map_output('ir_efficiency', 'qmrimap', 'ir', 'Inversion and plateau',
                   'How far the inversion takes the signal below its plateau, over the plateau: '
                   '2 for a perfect inversion of a recovery that nothing drives.', '1',
                   param='efficiency', in_spaces=False),
        misfit_output('ir_misfit', 'ir'),
        outcome_output('ir_outcome', 'ir'),
        quality_output('ir_fit', 'ir', 'T1 of inversion recovery', 'T1', 's'),
    ),
    init_wf=init_irt1_wf,
    reference=REFERENCE,
    methods=(
        'T1 was fitted to images at several times after an inversion, with offset and slope free '
        '(Barral et al. 2010, doi:10.1002/mrm.22497). Where sidecars say that excitations drive '
        'the recovery (LookLocker), T1 was corrected for them (Deichmann and Haase 1992, '
        'doi:10.1016/0022-2364(92)90347-A; Messroghli et al. 2004, doi:10.1002/mrm.20110).'
    ),
    figures=(
        Figure(
            name='ir',
            draw=qmri_figure(Panel('ir_t1', 'T1', 's', (0.4, 2.5))),
            needs=('ir_t1', 'qmri_reference'),
            title='T1 of inversion recovery',
            caption='At 3 T white matter has about 0.85 s, grey matter 1.4 s, myocardium 1.2 s, '
            'and fluid more than the scale shows.',
        ),
        more_maps(
            'irmore', 'Other maps of inversion recovery',
            'The inversion is nearly as good everywhere: 2 is a perfect one of a recovery '
            'that nothing drives.',
            Panel('ir_r1', 'R1', '1/s', (0.2, 1.4)),
            Panel('ir_efficiency', 'inversion and plateau', '1', (1.0, 2.2)),
            misfit_panel('ir_misfit'),
            outcome_panel('ir_outcome'),
        ),
    ),
    minutes=0.3,
    memory_gb=3.0,
)  # fmt: skip
