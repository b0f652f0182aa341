"""White-matter hyperintensities on the grid of the T1w image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.interfaces.contrast_grid import bring_to_t1w
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('wmh_probseg', 'wmh_flair_mask', 'xfm_flair_to_t1w', 'brain_mask')


class WmhT1wFiles(NamedTuple):
    """The files that :func:`bring_wmh` writes."""

    wmh_t1w_probseg: Path
    wmh_mask: Path


def bring_wmh(
    wmh_probseg: Path,
    wmh_flair_mask: Path,
    xfm_flair_to_t1w: Path,
    brain_mask: Path,
    threads: int,
) -> WmhT1wFiles:
    """Interpolate probability and mask at the voxels of the T1w."""
    affine, shape = load_affine(brain_mask), load(brain_mask).shape
    probability, share = (
        bring_to_t1w(path, xfm_flair_to_t1w, brain_mask, shape, threads)
        for path in (wmh_probseg, wmh_flair_mask)
    )
    mask = (share > 0.5).astype(np.uint8)
    return WmhT1wFiles(
        save(probability, affine, 'probability.nii.gz'), save(mask, affine, 'mask.nii.gz')
    )


def init_wmh_t1w_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(bring_wmh, NEEDS, threads=config.omp_nthreads)


WMH_T1W = Measure(
    name='wmh_t1w',
    title='White-matter hyperintensities on the T1w',
    needs=NEEDS,
    source='FLAIR',
    outputs=(
        Output(
            field='wmh_t1w_probseg',
            datatype='anat',
            suffix='probseg',
            entities={'space': 'T1w', 'label': 'WMH'},
            description='Probability of a white-matter hyperintensity on the grid of the '
            'preprocessed T1w, interpolated linearly.',
            unit='1',
            title='Probability of a white-matter hyperintensity',
            regions=True,
            tissues=('subcortex', 'white', 'cerebellum', 'brainstem'),
        ),
        Output(
            field='wmh_mask',
            datatype='anat',
            suffix='mask',
            entities={'space': 'T1w', 'label': 'WMH'},
            description='White-matter hyperintensities on the grid of the preprocessed T1w. '
            'Volumes are those of the grid of the FLAIR.',
            unit='1',
            sidecar={'Type': 'Lesion'},
        ),
    ),
    init_wf=init_wmh_t1w_wf,
    reference='https://doi.org/10.1109/42.938237',
    methods='',
    minutes=0.1,
    memory_gb=1.0,
)
