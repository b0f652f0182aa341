"""The whole app against heads of which the truth is known, at full settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.phantom.dataset import write_dataset
from mriderived.phantom.head import HeadOptions
from mriderived.phantom.truth import Truth

pytestmark = pytest.mark.slow
TEMPORAL = ('superiortemporal', 'middletemporal', 'inferiortemporal', 'fusiform', 'temporalpole')
SPACE = 'MNI152NLin2009cAsym'
HEADS = {
    'plain': HeadOptions(),
    'flipped': HeadOptions(flip=True),
    'stored': HeadOptions(orientation='LPI'),
    'zoomed': HeadOptions(),
}
FIRST, OTHERS = ('plain', 'flipped'), ('stored', 'zoomed')
EACH = [*FIRST, *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)]


class Run(NamedTuple):
    truths: dict[str, Truth]
    out_dir: Path

    def table(self, head: str, name: str) -> pd.DataFrame:
        path = self.out_dir / f'sub-{head}' / 'anat' / f'sub-{head}_{name}.tsv'
        return pd.read_csv(path, sep='\t')

    def image(self, head: str, name: str) -> nb.Nifti1Image:
        return nb.load(self.out_dir / f'sub-{head}' / 'anat' / f'sub-{head}_{name}.nii.gz')

    def regions(self, head: str) -> pd.Series:
        return self.table(head, 'atlas-DesikanKilliany_morph').set_index('index')['volume']


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two scans at 1.5 mm of one anatomy: as it is, and mirrored."""
    return process(tmp_path_factory.mktemp('truth'), FIRST)


@pytest.fixture(scope='module')
def others(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same anatomy stored otherwise, and larger."""
    return process(tmp_path_factory.mktemp('others'), OTHERS)


@pytest.fixture
def runs(request: pytest.FixtureRequest) -> Callable[[str], Run]:
    """Return the run that a head is part of."""
    return lambda head: request.getfixturevalue('run' if head in FIRST else 'others')


def process(folder: Path, names: Iterable[str]) -> Run:
    bids_dir, truths = folder / 'bids', {}
    for name in names:
        truths[name] = write_dataset(
            folder / name,
            participants=1,
            voxel_mm=1.5,
            zoom=1.0 if name == 'zoomed' else 0.93,
            options=HEADS[name],
            threads=2,
        )[0]
        target = bids_dir / f'sub-{name}' / 'anat' / f'sub-{name}_T1w.nii.gz'
        target.parent.mkdir(parents=True)
        shutil.copy(truths[name].t1w, target)
    description = {'Name': 'Heads', 'BIDSVersion': '1.10.0'}
    (bids_dir / 'dataset_description.json').write_text(json.dumps(description))
    command = [sys.executable, '-m', 'mriderived', str(bids_dir), str(folder / 'out'),
               'participant', '--atlases', 'DesikanKilliany',
               '--measures', 'tissue_volume', 'regional_volume', 'vbm']  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    return Run(truths, folder / 'out')


@pytest.mark.parametrize('head', EACH)
def test_tissue_volumes_within_three_percent(runs: Callable[[str], Run], head: str) -> None:
    run = runs(head)
    found = run.table(head, 'desc-tissue_morph').iloc[0]
    truth = run.truths[head]
    assert found['gm_volume'] == pytest.approx(truth.volumes_mm3['GM'], rel=0.03)
    assert found['wm_volume'] == pytest.approx(truth.volumes_mm3['WM'], rel=0.03)
    assert found['tiv_volume'] == pytest.approx(truth.tiv_mm3, rel=0.03)


@pytest.mark.parametrize('head', EACH)
def test_brain_mask(runs: Callable[[str], Run], head: str) -> None:
    run = runs(head)
    truth = np.asarray(nb.as_closest_canonical(nb.load(run.truths[head].brain_mask)).dataobj) > 0
    found = np.asarray(run.image(head, 'desc-brain_mask').dataobj) > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


@pytest.mark.parametrize('head', EACH)
@pytest.mark.parametrize('tissue', ['GM', 'WM'])
def test_modulation_keeps_the_volume(runs: Callable[[str], Run], head: str, tissue: str) -> None:
    run = runs(head)
    native = run.image(head, f'label-{tissue}_probseg')
    modulated = run.image(head, f'space-{SPACE}_label-{tissue}_desc-modulated_probseg')
    volumes = [
        np.asarray(image.dataobj, dtype=np.float64).sum()
        * abs(np.linalg.det(image.affine[:3, :3]))
        for image in (modulated, native)
    ]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.005)


@pytest.mark.parametrize('head', EACH)
def test_the_mapping_never_folds(runs: Callable[[str], Run], head: str) -> None:
    run = runs(head)
    change = np.exp(np.asarray(run.image(head, f'space-{SPACE}_desc-log_jacobian').dataobj))
    assert change.min() > 0


def _temporal(run: Run, head: str, side: int) -> float:
    labels = run.table(head, 'atlas-DesikanKilliany_morph').set_index('index')
    mine = labels[[any(t in name for t in TEMPORAL) for name in labels['name']]]
    return float(mine[mine.index // 1000 == side]['volume'].sum())


def test_left_is_never_swapped_with_right(run: Run) -> None:
    """The phantom's temporal lobe is larger on the left; mirrored, on the right.

    The volumes agree only roughly: the template and the atlas are not symmetric.
    """
    left, right = _temporal(run, 'plain', 1), _temporal(run, 'plain', 2)
    mirrored_left, mirrored_right = _temporal(run, 'flipped', 1), _temporal(run, 'flipped', 2)
    assert left > right
    assert mirrored_right > mirrored_left
    assert mirrored_right == pytest.approx(left, rel=0.08)
    assert mirrored_left == pytest.approx(right, rel=0.08)


@pytest.mark.long
def test_the_order_of_the_axes_in_the_file_changes_nothing(run: Run, others: Run) -> None:
    plain = run.table('plain', 'desc-tissue_morph').iloc[0]
    stored = others.table('stored', 'desc-tissue_morph').iloc[0]
    assert stored['gm_volume'] == pytest.approx(plain['gm_volume'], rel=0.01)
    np.testing.assert_allclose(others.regions('stored'), run.regions('plain'), rtol=0.15)


@pytest.mark.long
def test_volumes_scale_with_the_zoom(run: Run, others: Run) -> None:
    ratio = (1.0 / 0.93) ** 3
    for column in ('gm_volume', 'wm_volume', 'tiv_volume'):
        plain = run.table('plain', 'desc-tissue_morph').iloc[0][column]
        zoomed = others.table('zoomed', 'desc-tissue_morph').iloc[0][column]
        assert zoomed / plain == pytest.approx(ratio, rel=0.02)
    regions = others.regions('zoomed') / run.regions('plain')
    assert regions.median() == pytest.approx(ratio, rel=0.02)
