"""Planted correlations of a run that went through all steps: what is found, what is expected.

What is expected are the correlations of the planted courses after the projection that the run
went through: that is what this run holds. The projection itself takes half of the volumes'
degrees of freedom or more, and with them some of what was planted.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bold_steps import Processed
from mriderived.core.denoising import denoise, make_design
from mriderived.core.strategies import select_confounds
from mriderived.interfaces.denoising import read_confounds
from mriderived.interfaces.series import repetition_time
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.connectivity import connect_regions
from mriderived.workflows.func_denoising import remove_confounds

BAND = (0.01, 0.1)
#: Root mean square and largest difference from what is expected.
CLOSE, CLOSEST = 0.01, 0.02
EDGES = np.triu_indices(5, 1)


class Found(NamedTuple):
    """Correlations by edge: measured, expected, of the courses in the band, and planted."""

    measured: np.ndarray
    expected: np.ndarray
    in_band: np.ndarray
    planted: np.ndarray

    @property
    def away(self) -> np.ndarray:
        """What is measured, less what is expected."""
        return self.measured - self.expected


def connect(run: Processed, strategy: str, pure: float) -> Found:
    """Denoise the run, correlate the regions, and say what there is to find.

    A voxel is of a region if more than ``pure`` of it is grey matter of the network.
    """
    files = run.files
    denoised = remove_confounds(
        files['series'], files['mask'], files['confounds'], strategy, BAND, 2
    ).bold_denoised
    regions = connect_regions(denoised, files['mask'], *_write_regions(run, pure))
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


def _write_regions(run: Processed, pure: float) -> tuple[Path, Path]:
    """Write the networks as an atlas on the grid of the run."""
    shares = run.bold.load('networks')
    labels = np.where(shares.max(axis=-1) > pure, shares.argmax(axis=-1) + 1, 0)
    table = pd.DataFrame({
        'index': range(1, len(run.bold.names) + 1), 'name': run.bold.names, 'tissue': 'cortex',
        'coverage': 1.0,
    })  # fmt: skip
    path = run.folder / 'labels.tsv'
    table.to_csv(path, sep='\t', index=False)
    assert load(run.files['mask'])[labels > 0].mean() > 0.99
    affine = load_affine(run.files['mask'])
    return save(labels.astype(np.int32), affine, str(run.folder / 'regions.nii.gz')), path


def root_mean_square(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def tell(name: str, found: Found) -> None:
    """Print how far each is from the next."""
    print(
        f'{name}: {root_mean_square(found.measured, found.expected):.4f} '
        f'(largest {np.abs(found.away).max():.4f}) from what is expected, which is '
        f'{root_mean_square(found.expected, found.planted):.4f} from what was planted, '
        f'the band alone {root_mean_square(found.in_band, found.planted):.4f}; measured from '
        f'planted {root_mean_square(found.measured, found.planted):.4f}'
    )


def check_close(found: Found) -> None:
    """Hold what is measured against what is expected."""
    assert root_mean_square(found.measured, found.expected) < CLOSE
    assert np.abs(found.away).max() < CLOSEST
