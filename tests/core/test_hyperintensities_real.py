"""Hyperintensities of a patient with multiple sclerosis, against the consensus of experts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage

from mriderived.core.affine import Brain
from mriderived.core.hyperintensities import Hyperintensities, Scan, find_hyperintensities
from mriderived.core.hyperintensity_territory import distance_mm
from mriderived.core.registration import COARSE, align, to_brain
from mriderived.interfaces.space_files import load_template, load_tissues
from mriderived.interfaces.volumes import load_ras
from mriderived.spaces import DEFAULT_SPACE, get_space

pytestmark = pytest.mark.real
#: Of planted balls, in mm.
RADII = (4, 4, 3.5, 3.5, 3, 3, 2.5, 2.5, 2.5, 2, 2, 2, 1.5, 1.5, 1.5)


def read(folder: Path, beginning: str) -> tuple[np.ndarray, np.ndarray]:
    return load_ras(next(folder.glob(f'{beginning}*.nii.gz')))


class Patient(NamedTuple):
    """The scan of a patient, what experts marked in it, and what is found."""

    scan: Scan
    truth: np.ndarray
    found: Hyperintensities


@pytest.fixture(scope='module')
def patient(test_data: Path) -> Patient:
    """Bring the template by a coarse registration of the T1w, whose tissues are not used."""
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
    scan = Scan(flair, brain, priors, brain & deep & dark, (1.0, 1.0, 1.0))
    return Patient(scan, truth, find_hyperintensities(scan))


def test_overlap_with_experts_from_flair_alone(patient: Patient) -> None:
    mask, truth = patient.found.mask, patient.truth
    dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    assert dice > 0.6  # the best threshold reaches 0.36
    assert mask.sum() == pytest.approx(truth.sum(), rel=0.25)
    far = ndimage.distance_transform_edt(~truth) > 5
    assert (mask & far).sum() < 500  # half a millilitre


def draw_small(patient: Patient) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw balls of 1.5 to 4 mm in white matter: their share of voxels, and what is near each."""
    rng = np.random.default_rng(0)
    scan = patient.scan
    white = (scan.priors[2] > 0.9) & scan.brain
    free = distance_mm(~white, scan.spacing) > 3
    places = np.argwhere(free & (distance_mm(patient.found.mask, scan.spacing) > 12))
    share = np.zeros(white.shape, np.float32)
    balls: list[tuple[np.ndarray, float]] = []
    near = []
    for radius in RADII:
        for _ in range(500):
            centre = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 3)
            if all(np.linalg.norm(centre - p) > radius + r + 6 for p, r in balls):
                x, y, z = (
                    (np.arange(n) - c) ** 2 for n, c in zip(white.shape, centre, strict=True)
                )
                away = np.sqrt(x[:, None, None] + y[:, None] + z)
                share = np.maximum(share, np.clip(radius - away + 0.5, 0, 1))
                balls.append((centre, radius))
                near.append(away < radius + 3)
                break
    return share.astype(np.float32), near


@pytest.mark.parametrize(('contrast', 'by_mask', 'by_probability'), [
    (0.35, (0.75, 1.05), (0.4, 0.7)), (0.5, (0.85, 1.1), (0.6, 0.85)),
])  # fmt: skip
def test_volumes_of_small_lesions_come_from_the_mask(
    contrast: float,
    by_mask: tuple[float, float],
    by_probability: tuple[float, float],
    patient: Patient,
) -> None:
    """Sums of probabilities were tried: those of small lesions are no nearer to the truth."""
    share, near = draw_small(patient)
    scan = patient.scan
    level = float(np.median(scan.flair[(scan.priors[2] > 0.9) & scan.brain]))
    added = contrast * level * ndimage.gaussian_filter(share, 0.6)
    found = find_hyperintensities(scan._replace(flair=scan.flair + added))
    gained = np.maximum(found.probability - patient.found.probability, 0)
    wanted = [share[each].sum() for each in near]
    slopes = [
        np.polyfit(wanted, [values[each].sum() for each in near], 1)[0]
        for values in (found.mask, gained)
    ]
    assert by_mask[0] < slopes[0] < by_mask[1]
    assert by_probability[0] < slopes[1] < by_probability[1]
