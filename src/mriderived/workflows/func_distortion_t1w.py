"""Step ``bold_distortion`` with ``--use-syn-sdc``: runs without a field map lean on the T1w."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mriderived.config import Config
from mriderived.interfaces.epi_anatomy import gather_head, undo_anyway
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_distortion import (
    BOLD_DISTORTION,
    NEEDS,
    DistortionFiles,
    read_epi_run,
)

OPTIONAL = ('t1w', 'brain_mask', 'gm_probseg', 'wm_probseg')
METHODS = (
    'were registered to the T1w image of inverted contrast along the phase-encode axis (Wang et '
    'al. 2017, doi:10.3389/fninf.2017.00017).'
)


def find_distortion_anyway(
    bold_distorted: Path,
    bold_acquisition: Path,
    t1w: Path | None = None,
    brain_mask: Path | None = None,
    gm_probseg: Path | None = None,
    wm_probseg: Path | None = None,
    threads: int = 1,
) -> DistortionFiles:
    """Use the field map of a run; without one, tell the displacement from the T1w."""
    head = gather_head(t1w, brain_mask, gm_probseg, wm_probseg)
    run = read_epi_run(bold_acquisition)
    return DistortionFiles(*undo_anyway(bold_distorted, run, head, 'boldref', threads))


def init_bold_distortion_t1w_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(find_distortion_anyway, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads)


BOLD_DISTORTION_T1W = replace(
    BOLD_DISTORTION,
    optional=OPTIONAL,
    init_wf=init_bold_distortion_t1w_wf,
    methods=f'{BOLD_DISTORTION.methods} Runs without a field map {METHODS}',
    minutes=0.5,
)
