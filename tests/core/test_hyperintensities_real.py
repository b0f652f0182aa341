"""Hyperintensities of a patient with multiple sclerosis, against the consensus of experts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.affine import Brain
from mriderived.core.hyperintensities import Scan, find_hyperintensities
from mriderived.core.registration import COARSE, align, to_brain
from mriderived.interfaces.space_files import load_template, load_tissues
from mriderived.interfaces.volumes import load_ras
from mriderived.spaces import DEFAULT_SPACE, get_space

pytestmark = pytest.mark.real


def read(folder: Path, beginning: str) -> tuple[np.ndarray, np.ndarray]:
    return load_ras(next(folder.glob(f'{beginning}*.nii.gz')))


def test_overlap_with_experts_from_flair_alone(test_data: Path) -> None:
    """The template comes by a coarse registration of the T1w, whose tissues are not used."""
    folder = test_data / 'open-ms' / 'cross_sectional' / 'MNI' / 'patient26'
    if not folder.is_dir():
        pytest.skip('the scans of open-ms are not there')
    flair, affine = read(folder, 'FLAIR')
    t1w = read(folder, 'T1')[0]
    truth = read(folder, 'GOLD')[0] > 0
    brain = flair != 0
    space = get_space(DEFAULT_SPACE)
    assert space.tissues is not None
    template = load_template(space.brain, space.tissues, 1)
    found = align(template, Brain(np.where(brain, t1w, 0), affine), schedule=COARSE)
    tissues = load_tissues(space.tissues, ('csf', 'gm', 'wm'))
    priors = np.stack([to_brain(each, affine, flair.shape, found) for each in tissues])
    deep = ndimage.distance_transform_edt(brain) > 20
    dark = flair < 0.5 * np.median(flair[priors[2] > 0.9])
    ventricles = brain & deep & dark
    mask = find_hyperintensities(Scan(flair, brain, priors, ventricles, (1.0, 1.0, 1.0))).mask
    dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    assert dice > 0.6  # the best threshold reaches 0.36
    assert mask.sum() == pytest.approx(truth.sum(), rel=0.25)
    far = ndimage.distance_transform_edt(~truth) > 5
    assert (mask & far).sum() < 500  # half a millilitre
