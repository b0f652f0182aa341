"""Step ``dwi_distortion`` with ``--use-syn-sdc``: series without a field map lean on the T1w."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mriderived.config import Config
from mriderived.interfaces.epi_anatomy import gather_head, undo_anyway
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.dwi_distortion import (
    DWI_DISTORTION,
    NEEDS,
    DistortionFiles,
    read_epi_series,
    require_displacement,
)
from mriderived.workflows.func_distortion_t1w import METHODS, OPTIONAL


def find_dwi_distortion_anyway(
    dwi_distorted: Path,
    dwi_acquisition: Path,
    t1w: Path | None = None,
    brain_mask: Path | None = None,
    gm_probseg: Path | None = None,
    wm_probseg: Path | None = None,
    threads: int = 1,
) -> DistortionFiles:
    """Use the field map of a series; without one, tell the displacement from the T1w."""
    head = gather_head(t1w, brain_mask, gm_probseg, wm_probseg)
    run = read_epi_series(dwi_acquisition)
    files = DistortionFiles(*undo_anyway(dwi_distorted, run, head, 'dwiref', threads))
    require_displacement(files.dwi_displacement, dwi_acquisition)
    return files


def init_dwi_distortion_t1w_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(
        find_dwi_distortion_anyway, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads
    )


DWI_DISTORTION_T1W = replace(
    DWI_DISTORTION,
    optional=OPTIONAL,
    init_wf=init_dwi_distortion_t1w_wf,
    methods=f'{DWI_DISTORTION.methods} Series without a field map {METHODS}',
    minutes=0.6,
)
