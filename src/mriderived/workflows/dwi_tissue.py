"""Step ``dwi_tissue``: the tissues of the T1w on the grid of a diffusion series."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_mask import bring_from_t1w

TISSUES = {'gm': 'GM', 'wm': 'WM', 'csf': 'CSF'}
NEEDS = ('dwi_mask', 'xfm_dwi_to_t1w', *(f'{tissue}_probseg' for tissue in TISSUES))


class TissueFiles(NamedTuple):
    """The files that :func:`bring_tissues` writes."""

    dwi_gm: Path
    dwi_wm: Path
    dwi_csf: Path


def bring_tissues(
    dwi_mask: Path, xfm_dwi_to_t1w: Path, gm_probseg: Path, wm_probseg: Path, csf_probseg: Path
) -> TissueFiles:
    """Average the shares of tissues over the voxels of the series."""
    affine, shape = load_affine(dwi_mask), load(dwi_mask).shape
    files = [
        save(
            np.clip(bring_from_t1w(path, xfm_dwi_to_t1w, affine, shape), 0, 1),
            affine,
            f'{tissue}.nii.gz',
        )
        for tissue, path in zip(TISSUES, (gm_probseg, wm_probseg, csf_probseg), strict=True)
    ]
    return TissueFiles(*files)


def init_dwi_tissue_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    del config  # nothing in the settings changes it
    return one_node_wf(bring_tissues, NEEDS)


DWI_TISSUE = Measure(
    name='dwi_tissue',
    title='Tissues of diffusion',
    needs=NEEDS,
    source='dwi',
    outputs=tuple(
        Output(
            field=f'dwi_{tissue}',
            datatype='dwi',
            suffix='probseg',
            entities={'label': label},
            description=f'Share of {label} in the voxels of the diffusion series.',
            unit='1',
        )
        for tissue, label in TISSUES.items()
    ),
    init_wf=init_dwi_tissue_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
    methods='Tissues of the T1w image were averaged over the voxels of the diffusion series.',
    is_preprocessing=True,
    minutes=0.05,
    memory_gb=1.0,
)
