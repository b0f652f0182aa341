"""Quality metrics of a BOLD run: the set of MRIQC."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.bold_quality import BoldRun, measure_bold_quality
from mriderived.core.masks import find_signal
from mriderived.interfaces.denoising import count_unsteady, read_confounds
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load
from mriderived.measures.base import Measure, Output
from mriderived.measures.bold_quality_columns import COLUMNS
from mriderived.measures.one_node import one_node_wf

NEEDS = ('bold_preproc', 'bold_reference', 'bold_mask', 'bold_confounds')
#: Air is what lies this many voxels and more from the head.
AIR_VOXELS = 3


class BoldQc(NamedTuple):
    """The file that :func:`measure_run` writes."""

    bold_qc: Path


def measure_run(
    bold_preproc: Path,
    bold_reference: Path,
    bold_mask: Path,
    bold_confounds: Path,
    threads: int = 1,
) -> BoldQc:
    """Measure the quality of a run."""
    brain = load(bold_mask) > 0
    reference = load(bold_reference)
    head = ndimage.binary_dilation(find_signal(reference) | brain, iterations=AIR_VOXELS)
    table, _ = read_confounds(bold_confounds)
    found = measure_bold_quality(
        BoldRun(
            series=load_masked(bold_preproc, brain),
            mean=reference,
            brain=brain,
            air=~head,
            dummies=count_unsteady(table),
            displacement=table['framewise_displacement'].to_numpy(np.float64),
        ),
        threads,
    )
    names = [column.name for column in COLUMNS]
    out_file = Path.cwd() / 'bold_qc.tsv'
    row = pd.DataFrame([{name: found.values[name] for name in names}])
    row.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.8g')
    reasons = {name: why for name, why in found.reasons.items() if name in names}
    notes = [
        f'{count} quality metrics of BOLD have no value: {reason}.'
        for reason, count in Counter(reasons.values()).items()
    ]
    write_remarks(out_file, notes=notes, MissingReasons=reasons)
    return BoldQc(out_file)


def init_bold_quality_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(measure_run, NEEDS, threads=config.omp_nthreads)


BOLD_QUALITY = Measure(
    name='bold_quality',
    title='Image quality of the BOLD run',
    needs=NEEDS,
    source='bold',
    outputs=(
        Output(
            field='bold_qc',
            datatype='func',
            suffix='qc',
            extension='.tsv',
            entities={'desc': 'bold'},
            description='Image quality metrics of the BOLD run.',
            columns=COLUMNS,
            draft='mriderived',
        ),
    ),
    init_wf=init_bold_quality_wf,
    reference='https://doi.org/10.1371/journal.pone.0184661',
    methods=(
        'Quality metrics of BOLD were those of MRIQC (Esteban et al. 2017, '
        'doi:10.1371/journal.pone.0184661), on the preprocessed series.'
    ),
    minutes=0.1,
    memory_gb=2.0,
)
