"""Planted correlations, found by all steps in a long run with little noise.

Without pulsation, two hundredths are reached with less: see ``group/test_planted_components.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bold_steps import Processed, process
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.dataset import bold_truth, write_dataset
from planted_correlations import check_close, connect, root_mean_square, tell

pytestmark = [pytest.mark.slow, pytest.mark.long]
OPTIONS = BoldOptions(voxel_mm=(4.0, 4.0, 4.0), volumes=600, tsnr=100.0)
#: Of the voxels of a region so much is grey matter of the network: fluid pulsates in the rest.
PURE = 0.6


def test_planted_correlations_are_found_within_two_hundredths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fluid that pulsates in the voxels of all regions is what 24P leaves, and aCompCor takes."""
    monkeypatch.chdir(tmp_path)
    (head,) = write_dataset(
        tmp_path / 'bids', participants=1, voxel_mm=2.0, bold=True, bold_options=OPTIONS, threads=2
    )
    truth = bold_truth(tmp_path / 'bids', '01')
    run = Processed(process(tmp_path, truth, head), truth, head, tmp_path)
    found = connect(run, '24P+aCompCor', PURE)
    tell('24P+aCompCor', found)
    check_close(found)
    # a filter of 20 minutes leaves the planted matrix; confounds take another two hundredths
    assert root_mean_square(found.in_band, found.planted) < 0.005
    assert root_mean_square(found.expected, found.planted) < 0.03
    plain = connect(run, '24P', PURE)
    tell('24P', plain)
    assert root_mean_square(plain.measured, plain.expected) < 0.03
    assert plain.away.mean() > 0.01  # one course in all regions makes them more alike
