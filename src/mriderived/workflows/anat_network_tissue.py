"""Step ``tissue`` by deepmriprep's networks: the same files from other means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mriderived.config import Config, Device
from mriderived.core.affine import Brain
from mriderived.core.masks import find_box
from mriderived.core.partial_volume import Fractions, segmentation, tissue_map
from mriderived.interfaces.network_segmentation import segment_brain
from mriderived.interfaces.network_weights import NO_GREY, PATCHES, WHOLE, digest_weights
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_tissue import TISSUE, TissueFiles, place, write_labels

NEEDS = ('t1w', 'brain_mask')
#: A larger share of the brain mask that the networks take for background is noted.
NOTED_BACKGROUND = 0.02


def segment_t1w_by_networks(
    t1w: Path, brain_mask: Path, device: Device, threads: int
) -> TissueFiles:
    """Estimate tissue fractions with networks."""
    mask, affine = load(brain_mask, bool), load_affine(t1w)
    box = find_box(mask, (3, 3, 3))
    inside = np.ascontiguousarray(mask[box])
    brain = Brain(np.where(inside, load(t1w)[box], 0).astype(np.float32), affine.copy())
    brain.affine[:3, 3] = (affine @ [*(part.start for part in box), 1])[:3]
    found = segment_brain(brain, inside, device, threads)
    whole = Fractions(*(place(part, mask.shape, box) for part in found.fractions))
    label = save(tissue_map(whole), affine, 'tissue_map.nii.gz')
    write_remarks(
        label,
        notes=_notes(found.background),
        NetworkBackground=round(found.background, 4),
        NetworkWeightsSHA256=digest_weights((WHOLE, *PATCHES, NO_GREY)),
    )
    return TissueFiles(
        gm_probseg=save(whole.gm, affine, 'gm_probseg.nii.gz'),
        wm_probseg=save(whole.wm, affine, 'wm_probseg.nii.gz'),
        csf_probseg=save(whole.csf, affine, 'csf_probseg.nii.gz'),
        dseg=save(segmentation(whole), affine, 'dseg.nii.gz'),
        dseg_labels=write_labels(),
        tissue_map=label,
    )


def _notes(background: float) -> list[str]:
    if background <= NOTED_BACKGROUND:
        return []
    return [
        f'The networks take {background:.1%} of the brain mask for background; it is CSF here.'
    ]


def init_network_tissue_wf(config: Config) -> Any:
    """Build the workflow of the step ``tissue`` with networks."""
    return one_node_wf(
        segment_t1w_by_networks, NEEDS, device=config.device, threads=config.omp_nthreads
    )


NETWORK_TISSUE = replace(
    TISSUE,
    needs=NEEDS,
    optional=(),  # lesions are not filled for networks
    init_wf=init_network_tissue_wf,
    reference='https://doi.org/10.48550/arXiv.2408.10656',
    methods=(
        'Fractions of grey matter, white matter and cerebrospinal fluid were estimated by the '
        'segmentation networks of deepmriprep (Fisch et al. 2024, '
        'doi:10.48550/arXiv.2408.10656), after an affine registration to their brain template. '
        'What they took for background inside the brain mask was counted as cerebrospinal fluid.'
    ),
    minutes=3.0,
    memory_gb=10.0,
)
