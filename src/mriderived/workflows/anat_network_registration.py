"""Step ``registration`` by deepmriprep's network where it knows the space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mriderived.config import Config, Device
from mriderived.core.affine import Brain
from mriderived.interfaces.network_registration import align_by_network, knows_space
from mriderived.interfaces.space_files import load_template
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_registration import (
    NEEDS,
    REGISTRATION,
    RegistrationFiles,
    register_to_space,
    write_alignment,
)


def register_to_space_by_network(
    t1w: Path,
    brain_mask: Path,
    gm_probseg: Path,
    wm_probseg: Path,
    space_brain: Path,
    device: Device,
    threads: int,
    sloppy: bool,
    space_tissues: Path | None = None,
) -> RegistrationFiles:
    """Align an image with a space: by the network if it has learnt its template, else without."""
    if not knows_space(space_tissues):
        return register_to_space(
            t1w, brain_mask, gm_probseg, wm_probseg, space_brain, threads, sloppy, space_tissues
        )
    data, affine = load(t1w), load_affine(t1w)
    brain = Brain(np.where(load(brain_mask, bool), data, 0).astype(np.float32), affine)
    tissues = np.stack([load(gm_probseg), load(wm_probseg)])
    template = load_template(space_brain, space_tissues, threads)
    found = align_by_network(template, brain, tissues, device, threads)
    return write_alignment(found, data, brain, threads)


def init_network_registration_wf(config: Config) -> Any:
    """Build the workflow of the step ``registration`` with the network."""
    return one_node_wf(
        register_to_space_by_network,
        NEEDS,
        device=config.device,
        threads=config.omp_nthreads,
        sloppy=config.sloppy,
    )


NETWORK_REGISTRATION = replace(
    REGISTRATION,
    init_wf=init_network_registration_wf,
    reference='https://doi.org/10.48550/arXiv.2408.10656',
    methods=(
        'Images were registered to MNI152NLin2009cAsym with a 12-parameter affine transform and '
        'the diffeomorphic registration network of deepmriprep (Fisch et al. 2024, '
        'doi:10.48550/arXiv.2408.10656), and to other spaces, if any, with the affine transform '
        'and symmetric diffeomorphic normalisation (Avants et al. 2008, '
        'doi:10.1016/j.media.2007.06.004).'
    ),
    memory_gb=5.0,
)
