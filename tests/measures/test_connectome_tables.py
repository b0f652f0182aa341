"""The tables of a connectome, of streamlines whose lengths, weights and anisotropy are known."""

from __future__ import annotations

from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from mriderived.core.streamlines import make_streamlines
from mriderived.interfaces.tractograms import save_trx
from mriderived.measures.connectome import ConnectomeFiles, connect_by_streamlines

SHAPE = (20, 9, 9)
#: Voxels of 2 x 2.5 x 3 mm.
AFFINE = np.diag([2.0, 2.5, 3.0, 1.0])
VOXEL = 15.0
#: Of the three streamlines from region 3 to region 8 and of the one from 3 to 5.
WEIGHTS = (0.5, 0.25, 2.0, 4.0)


def _read(path: Path) -> NDArray[np.float64]:
    return pd.read_csv(path, sep='\t', na_values='n/a').to_numpy(np.float64)


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConnectomeFiles:
    """Regions 3 (left end) and 8 (right end), 5 at the side; white matter, 2, lies between."""
    monkeypatch.chdir(tmp_path)
    dseg = np.full(SHAPE, 2, np.int16)
    dseg[:2, :6], dseg[18:, :3], dseg[:2, 8:] = 3, 8, 5
    # half of the way has FA, the other half none
    fa = np.zeros(SHAPE, np.float32)
    fa[:10] = 0.6
    for name, data in (('dseg', dseg), ('fa', fa)):
        nb.Nifti1Image(data, AFFINE).to_filename(tmp_path / f'{name}.nii.gz')
    pd.DataFrame({
        'index': [2, 3, 5, 8], 'name': ['white', 'near', 'aside', 'far'],
        'tissue': ['white', 'cortex', 'cortex', 'subcortex'],
    }).to_csv(tmp_path / 'dseg.tsv', sep='\t', index=False)  # fmt: skip
    along = np.linspace([1.0, 2.5, 12], [37, 2.5, 12], 73)
    across = np.linspace([1.0, 2.5, 12], [1, 20, 12], 36)
    tractogram = save_trx(
        make_streamlines([along, along[::-1], along, across]), AFFINE, SHAPE, 'tracts.trx',
        {'length': np.array([36, 36, 36, 17.5]), 'weight': np.array(WEIGHTS)},
    )  # fmt: skip
    return connect_by_streamlines(
        tractogram, tmp_path / 'dseg.nii.gz', tmp_path / 'dseg.tsv', tmp_path / 'fa.nii.gz'
    )


def test_only_grey_regions_are_joined(found: ConnectomeFiles) -> None:
    counts = pd.read_csv(found.connectome_count, sep='\t')
    assert list(counts.columns) == ['near', 'aside', 'far']
    np.testing.assert_array_equal(counts.to_numpy(), [[0, 1, 3], [1, 0, 0], [3, 0, 0]])


def test_density_is_per_cubic_millimetre(found: ConnectomeFiles) -> None:
    near, aside, far = 2 * 6 * 9 * VOXEL, 2 * 1 * 9 * VOXEL, 2 * 3 * 9 * VOXEL
    density = _read(found.connectome_density)
    assert density[0, 2] == pytest.approx(3 / ((near + far) / 2), rel=1e-5)
    assert density[1, 0] == pytest.approx(1 / ((near + aside) / 2), rel=1e-5)


def test_strength_is_of_weights_and_degree_of_regions(found: ConnectomeFiles) -> None:
    weight = _read(found.connectome_weight)
    assert weight[0].tolist() == pytest.approx([0, 4, 2.75])
    nodes = pd.read_csv(found.connectome_nodes, sep='\t', na_values='n/a')
    assert nodes['strength'].tolist() == pytest.approx([6.75, 4, 2.75])
    assert nodes['degree'].tolist() == [2, 1, 1]


def test_where_there_is_no_anisotropy_counts_for_no_mean(found: ConnectomeFiles) -> None:
    mean = _read(found.connectome_meanfa)
    # with 0 as a value it would be 0.31
    assert mean[0, 2] == pytest.approx(0.6, abs=1e-4)
    assert mean[0, 1] == pytest.approx(0.6, abs=1e-4)
    assert np.isnan(mean[1, 2])
