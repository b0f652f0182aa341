"""White-matter hyperintensities by a network that was given (``--wmh-model``)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mriderived.config import Config, Device
from mriderived.core.hyperintensities import judge_hyperintensities
from mriderived.interfaces.lesion_model import read_lesion_model
from mriderived.interfaces.lesion_network import run_lesion_network
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.wmh import (
    GIVEN,
    NEEDS,
    WMH,
    WmhFiles,
    bring_tissues,
    read_scan,
    take_given,
    write_wmh,
)
from mriderived.measures.wmh import (
    OPTIONAL as USUAL,
)

OPTIONAL = (*USUAL, 't1w')


def find_wmh_by_network(
    flair: Path,
    flair_mask: Path,
    flair_priors: Path,
    flair_structures: Path,
    flair_lobes: Path,
    model_file: str,
    device: Device,
    threads: int,
    xfm_flair_to_t1w: Path | None = None,
    gm_probseg: Path | None = None,
    wm_probseg: Path | None = None,
    csf_probseg: Path | None = None,
    raw_flair_lesion_mask: Path | None = None,
    t1w: Path | None = None,
) -> WmhFiles:
    """Let a network find hyperintensities, or take the mask that was given."""
    maps = (gm_probseg, wm_probseg, csf_probseg)
    tissues = bring_tissues(flair, xfm_flair_to_t1w, maps, threads)
    scan = read_scan(flair, flair_mask, flair_priors, flair_structures, tissues)
    if raw_flair_lesion_mask is not None:
        found = take_given(raw_flair_lesion_mask, flair, flair_mask)
        return write_wmh(found, scan, flair, flair_lobes, GIVEN)
    model = read_lesion_model(Path(model_file))
    probability = run_lesion_network(
        model, flair, flair_mask, device, threads, t1w, xfm_flair_to_t1w
    )
    found = judge_hyperintensities(scan, probability, threads)
    method = f'network {model.name} ({model.inputs.replace("+", " and ")})'
    return write_wmh(found, scan, flair, flair_lobes, method, SegmentationModel=model.to_json())


def init_wmh_network_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(
        find_wmh_by_network,
        (*NEEDS, *OPTIONAL),
        model_file=str(config.wmh_model),
        device=config.device,
        threads=config.omp_nthreads,
    )


WMH_BY_NETWORK = replace(
    WMH,
    optional=OPTIONAL,
    init_wf=init_wmh_network_wf,
    methods=(
        'White-matter hyperintensities were found in the FLAIR by a network that was given '
        '(SegmentationModel in the sidecars of the masks). Its odds were multiplied by what the '
        'template expects (white matter; a tenth below the tentorium); what exceeded 0.5 counted '
        'away from the septum, the choroid plexus and the rim of the brain, from 10 mm3 on. Those '
        'within 10 mm of a ventricle counted as periventricular (DeCarli et al. 2005, '
        'doi:10.1161/01.STR.0000150668.58689.f2). Masks that were given took the place of the '
        'search.'
    ),
    minutes=1.0,
    memory_gb=5.0,
)
