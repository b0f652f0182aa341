"""The transmit field (B1+) in the voxels of a collection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.fit_outcome import judge
from mriderived.core.transmit_field import BOUNDS, as_percent
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.transmit_maps import REFERENCES
from mriderived.measures.base import COLLECTION, Measure, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_figures import Panel, more_maps, outcome_panel
from mriderived.measures.qmri_maps import (
    SIGNALS,
    describe_outcome,
    describe_transmit,
    load_voxels,
    notes_on,
    save_outcome,
    save_quality,
    save_values,
)
from mriderived.measures.qmri_outputs import (
    map_output,
    outcome_output,
    quality_output,
)

REFERENCE = 'https://doi.org/10.1002/mrm.21120'


class B1Files(NamedTuple):
    """The files that :func:`write_b1` writes."""

    b1_map: Path
    b1_outcome: Path
    b1_fit: Path


def write_b1(
    qmri_series: Path, qmri_acquisition: Path, qmri_mask: Path, qmri_b1: Path, threads: int = 1
) -> B1Files:
    """Write the transmit field that T1, R1 and the like were corrected with."""
    del threads  # nothing is fitted
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask, qmri_b1)
    field = voxels.transmit
    assert field is not None  # it was given
    outcome = judge(field, BOUNDS, np.ones((len(field), 1)))
    percent = np.where(outcome == 0, as_percent(field), np.nan)
    files = B1Files(
        save_values(percent, voxels, 'b1'),
        save_outcome(outcome, voxels, 'outcome'),
        save_quality(percent, None, outcome, 'fit'),
    )
    said, _ = describe_transmit(voxels, '')
    write_remarks(
        files.b1_map,
        notes=notes_on(outcome, 'transmit field'),
        **describe_outcome(outcome, (100 * BOUNDS[0], 100 * BOUNDS[1])),
        TransmitFieldMethod=said['TransmitFieldMethod'],
        EstimationReference=REFERENCES[said['TransmitFieldMethod']],
    )
    return files


def init_b1_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_b1, (*SIGNALS, 'qmri_b1'), threads=config.omp_nthreads)


B1 = Measure(
    name='b1',
    title='Transmit field (B1+)',
    needs=(*SIGNALS, 'qmri_b1'),
    source='qmri',
    scope=Scope(needs_transmit_field=True),
    outputs=(
        replace(
            map_output(
                'b1_map',
                'TB1map',
                'brain',
                'Transmit field',
                'Flip angle in the voxel over the nominal one, within the mask.',
                'percent',
                datatype='fmap',
            ),
            entities={'space': COLLECTION, 'desc': 'brain'},
            in_spaces=False,
        ),
        outcome_output('b1_outcome', f'b1{COLLECTION}'),
        quality_output('b1_fit', f'b1{COLLECTION}', 'Transmit field', 'the transmit field',
                       'percent', has_misfit=False),
    ),
    init_wf=init_b1_wf,
    reference=REFERENCE,
    methods='',
    figures=(
        more_maps(
            'b1maps', 'Transmit field in the brain',
            'The flip angle over its nominal value is smooth, and most often highest in the '
            'middle of the head.',
            Panel('b1_map', 'transmit field', 'percent', (60.0, 140.0)),
            outcome_panel('b1_outcome'),
        ),
    ),
    minutes=0.1,
    memory_gb=2.0,
)  # fmt: skip
