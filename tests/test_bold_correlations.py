"""Planted correlations, found by all steps in a long run with little noise.

What is expected are the correlations of the planted courses after the projection that the run
went through: that is what this run holds. The projection itself takes half of the volumes'
degrees of freedom or more, and with them some of what was planted.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from nibabel.affines import voxel_sizes

from bold_steps import Processed, process
from mriderived.core.denoising import denoise, make_design
from mriderived.core.strategies import select_confounds
from mriderived.interfaces.denoising import read_confounds
from mriderived.interfaces.series import repetition_time
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.connectivity import connect_regions
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.dataset import bold_truth, write_dataset
from mriderived.workflows.func_denoising import remove_confounds

pytestmark = pytest.mark.slow
BAND = (0.01, 0.1)
#: Root mean square and largest difference from what is expected.
CLOSE, CLOSEST = 0.02, 0.02
#: A voxel is of a region if as much of it is grey matter of the network.
PURE = 0.6
EDGES = np.triu_indices(5, 1)


class Found(NamedTuple):
    """Correlations by edge: measured, expected, of the courses in the band, and planted."""

    measured: np.ndarray
    expected: np.ndarray
    in_band: np.ndarray
    planted: np.ndarray


def draw(folder: Path, volumes: int, **options: float) -> Processed:
    """Write a run of tSNR 100 and take it through the steps."""
    wanted = BoldOptions(voxel_mm=(4.0, 4.0, 4.0), volumes=volumes, tsnr=100.0, **options)
    (head,) = write_dataset(
        folder / 'bids', participants=1, voxel_mm=2.0, bold=True, bold_options=wanted, threads=2
    )
    truth = bold_truth(folder / 'bids', '01')
    return Processed(process(folder, truth, head), truth, head, folder)


def connect(run: Processed, strategy: str) -> Found:
    """Denoise the run, correlate the regions, and say what there is to find."""
    files = run.files
    denoised = remove_confounds(
        files['series'], files['mask'], files['confounds'], strategy, BAND, 2
    ).bold_denoised
    regions = connect_regions(denoised, files['mask'], *_write_regions(run))
    table, metadata = read_confounds(files['confounds'])
    selection = select_confounds(strategy, table, metadata)
    courses = np.ascontiguousarray(run.bold.load_courses().T, dtype=np.float32)
    period = repetition_time(files['series'])

    def project(confounds: pd.DataFrame) -> np.ndarray:
        left = denoise(courses, make_design(confounds, selection.keep, period, BAND)).series
        return np.asarray(np.corrcoef(left)[EDGES])

    return Found(
        pd.read_csv(regions.pearson, sep='\t').to_numpy()[EDGES],
        project(selection.confounds),
        project(selection.confounds[:, :0]),
        np.array(run.bold.correlation)[EDGES],
    )


def _write_regions(run: Processed) -> tuple[Path, Path]:
    """Write the networks as an atlas on the grid of the run."""
    shares = run.bold.load('networks')
    labels = np.where(shares.max(axis=-1) > PURE, shares.argmax(axis=-1) + 1, 0)
    table = pd.DataFrame({
        'index': range(1, len(run.bold.names) + 1), 'name': run.bold.names, 'tissue': 'cortex',
        'coverage': 1.0,
    })  # fmt: skip
    path = run.folder / 'labels.tsv'
    table.to_csv(path, sep='\t', index=False)
    affine = load_affine(run.files['mask'])
    assert voxel_sizes(affine) == pytest.approx([4.0] * 3)
    assert load(run.files['mask'])[labels > 0].mean() > 0.99
    return save(labels.astype(np.int32), affine, str(run.folder / 'regions.nii.gz')), path


def root_mean_square(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def tell(name: str, found: Found) -> None:
    away = found.measured - found.expected
    print(
        f'{name}: {root_mean_square(found.measured, found.expected):.4f} '
        f'(largest {np.abs(away).max():.4f}) from what is expected, which is '
        f'{root_mean_square(found.expected, found.planted):.4f} from what was planted, '
        f'the band alone {root_mean_square(found.in_band, found.planted):.4f}; measured from '
        f'planted {root_mean_square(found.measured, found.planted):.4f}'
    )


def test_planted_correlations_are_found_within_two_hundredths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fluid that pulsates in the voxels of all regions is what 24P leaves, and aCompCor takes."""
    monkeypatch.chdir(tmp_path)
    run = draw(tmp_path, 600)
    found = connect(run, '24P+aCompCor')
    tell('24P+aCompCor', found)
    assert root_mean_square(found.measured, found.expected) < CLOSE / 2
    assert np.abs(found.measured - found.expected).max() < CLOSEST
    # a filter of 20 minutes leaves the planted matrix; confounds take another two hundredths
    assert root_mean_square(found.in_band, found.planted) < 0.005
    assert root_mean_square(found.expected, found.planted) < 0.03
    plain = connect(run, '24P')
    tell('24P', plain)
    away = plain.measured - plain.expected
    assert root_mean_square(plain.measured, plain.expected) < 0.03
    assert away.mean() > 0.01  # one course in all regions makes them more alike


def test_without_pulsation_no_component_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = draw(tmp_path, 600, csf_percent=0.0, white_percent=0.0)
    for strategy in ('24P', '36P'):
        found = connect(run, strategy)
        tell(f'no pulsation, {strategy}', found)
        assert root_mean_square(found.measured, found.expected) < CLOSE / 2
        assert np.abs(found.measured - found.expected).max() < CLOSEST
