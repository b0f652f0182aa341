"""The magnetisation transfer ratio."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.fit_outcome import Outcome
from mriderived.core.magnetisation_transfer import TRANSFER_BOUNDS, map_transfer_ratio
from mriderived.interfaces.qmri_acquisition import Setting
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_contrasts import obstacle_of
from mriderived.measures.qmri_figures import Panel, more_maps, outcome_panel, qmri_figure
from mriderived.measures.qmri_maps import (
    SIGNALS,
    chunks,
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
    outcome_output,
    quality_output,
)

REFERENCE = 'https://doi.org/10.1148/radiology.182.2.1732968'


class MtrFiles(NamedTuple):
    """The files that :func:`write_mtr` writes."""

    mtr_map: Path
    mtr_outcome: Path
    mtr_fit: Path


def write_mtr(
    qmri_series: Path, qmri_acquisition: Path, qmri_mask: Path, threads: int = 1
) -> MtrFiles:
    """Compare the signals without and with pulses of magnetisation transfer."""
    del threads  # one division per voxel
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask)
    off, on = need_states(voxels.settings)
    percent = np.empty(len(voxels.series), np.float32)
    outcome = np.zeros(len(percent), np.uint8)
    for part in chunks(len(percent)):
        pair = [voxels.series[part][:, places].mean(axis=1) for places in (off, on)]
        found = map_transfer_ratio(np.stack(pair, axis=1))
        percent[part], outcome[part] = found
    percent[outcome != Outcome.FITTED] = np.nan
    files = MtrFiles(
        save_values(percent, voxels, 'mtr', np.nan),
        save_outcome(outcome, voxels, 'outcome'),
        save_quality(percent, None, outcome, 'fit'),
    )
    write_remarks(
        files.mtr_map,
        notes=notes_on(outcome, 'magnetisation transfer ratio'),
        **settings_of(voxels.settings),
        **describe_outcome(outcome, TRANSFER_BOUNDS),
        TransmitFieldCorrection=False,
    )
    return files


#: What images of a ratio must have in common.
ALIKE = {
    'flip_angle': 'FlipAngle',
    'echo_time': 'EchoTime',
    'repetition_time': 'RepetitionTimeExcitation',
}


def need_states(images: Sequence[Setting]) -> tuple[list[int], list[int]]:
    """Return which images are without, and which are with, magnetisation transfer.

    Raises
    ------
    ValueError
        If there are none of one kind, or a sidecar does not tell, or other settings differ.
    """
    if any(image.mt is None for image in images):
        raise ValueError('it needs MTState of every image')
    places = [[place for place, image in enumerate(images) if image.mt is state]
              for state in (False, True)]  # fmt: skip
    if not all(places):
        raise ValueError('it needs images with and without magnetisation transfer')
    for key, name in ALIKE.items():
        if len({getattr(image, key) for image in images}) > 1:
            raise ValueError(f'its images differ in {name}, not in magnetisation transfer alone')
    return places[0], places[1]


def init_mtr_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_mtr, SIGNALS, threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': REFERENCE,
    'EstimationAlgorithm': 'Difference of the signals without and with pulses of transfer, over '
    'that without.',
}

MTR = Measure(
    name='mtr',
    title='Magnetisation transfer ratio',
    needs=SIGNALS,
    source='qmri',
    scope=Scope(collections=('MTR',), obstacle=partial(obstacle_of, need_states)),
    outputs=(
        map_output('mtr_map', 'MTRmap', 'mtr', 'Magnetisation transfer ratio',
                   'Share of the signal that pulses of magnetisation transfer take.', 'percent',
                   zero_counts=True, in_spaces=True, **METHOD),
        outcome_output('mtr_outcome', 'mtr'),
        quality_output('mtr_fit', 'mtr', 'Magnetisation transfer ratio',
                       'the magnetisation transfer ratio', 'percent', has_misfit=False),
    ),
    init_wf=init_mtr_wf,
    reference=REFERENCE,
    methods=(
        'The magnetisation transfer ratio is the difference of the signals without and with '
        'pulses of transfer, over that without (Dousset et al. 1992, '
        'doi:10.1148/radiology.182.2.1732968).'
    ),
    figures=(
        Figure(
            name='mtr',
            draw=qmri_figure(Panel('mtr_map', 'magnetisation transfer ratio', 'percent',
                                   (0.0, 60.0), zero_counts=True)),
            needs=('mtr_map', 'qmri_reference'),
            title='Magnetisation transfer ratio',
            caption='White matter is brightest (40 to 50 percent in many protocols), grey matter '
            'about 10 less, fluid nearly none.',
        ),
        more_maps(
            'mtrmore', 'Outcome of the magnetisation transfer ratio',
            'Every voxel of the mask has an outcome; those without a value have 2, 3 or 4.',
            outcome_panel('mtr_outcome'),
        ),
    ),
    minutes=0.1,
    memory_gb=2.0,
)  # fmt: skip
