"""Step ``tissue``: fractions of grey matter, white matter and CSF in every voxel of the brain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from mriderived.config import Config
from mriderived.core.affine import Brain
from mriderived.core.masks import find_box
from mriderived.core.partial_volume import Fractions, segmentation, tissue_map
from mriderived.core.registration import COARSE, SLOPPY, align, to_brain
from mriderived.core.tissue import segment
from mriderived.interfaces.call import Call
from mriderived.interfaces.space_grid import load_template, load_tissues
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Measure, Output


class TissueFiles(NamedTuple):
    """What the step writes."""

    gm_probseg: Path
    wm_probseg: Path
    csf_probseg: Path
    dseg: Path
    tissue_map: Path


def segment_t1w(
    t1w: Path,
    brain_mask: Path,
    space_brain: Path,
    space_tissues: Path,
    threads: int,
    sloppy: bool,
) -> TissueFiles:
    """Estimate tissue fractions with the priors of the brain template."""
    mask, affine = load(brain_mask, bool), load_affine(t1w)
    box = find_box(mask, (3, 3, 3))
    inside = np.ascontiguousarray(mask[box])
    brain = Brain(np.where(inside, load(t1w)[box], 0).astype(np.float32), affine.copy())
    brain.affine[:3, 3] = (affine @ [*(part.start for part in box), 1])[:3]
    template = load_template(space_brain, space_tissues, threads)
    found = align(template, brain, schedule=SLOPPY if sloppy else COARSE, threads=threads)
    priors = np.stack(
        [
            to_brain(prior, brain.affine, inside.shape, found, threads)
            for prior in load_tissues(space_tissues, ('csf', 'gm', 'wm'))
        ]
    )
    fractions = segment(brain.data, inside, priors, voxel_size(affine), threads=threads)
    whole = Fractions(*(_place(part, mask.shape, box) for part in fractions))
    return TissueFiles(
        gm_probseg=save(whole.gm, affine, 'gm_probseg.nii.gz'),
        wm_probseg=save(whole.wm, affine, 'wm_probseg.nii.gz'),
        csf_probseg=save(whole.csf, affine, 'csf_probseg.nii.gz'),
        dseg=save(segmentation(whole), affine, 'dseg.nii.gz'),
        tissue_map=save(tissue_map(whole), affine, 'tissue_map.nii.gz'),
    )
