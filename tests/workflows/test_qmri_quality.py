"""The summary of how a collection was aligned, for the cohort table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mriderived.core.rigid import rigid_matrix
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import remarks_file
from mriderived.interfaces.volumes import save
from mriderived.workflows.func_registration import tabulate_fit
from mriderived.workflows.qmri_quality import (
    NO_T1W,
    NOT_BELIEVED,
    ONE_ACQUISITION,
    THIN,
    summarise_alignment,
)

SHAPE, AFFINE = (11, 11, 11), np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files(acquisitions: tuple[int, ...], information: float = 0.2) -> tuple[Path, Path]:
    table = pd.DataFrame({
        'acquisition': acquisitions,
        'displacement': [0.4 * number for number in acquisitions],
        'information_after': information,
    })  # fmt: skip
    path = Path.cwd() / 'motion.tsv'
    table.to_csv(path, sep='\t', index=False, na_rep='n/a')
    return save(np.ones(SHAPE, np.float32), AFFINE, 'reference.nii.gz'), path


def row(path: Path) -> pd.Series:
    return pd.read_csv(path, sep='\t', na_values='n/a').iloc[0]


def missing(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(remarks_file(path).read_text())['MissingReasons']
    return found


def test_motion_and_the_shift_to_the_t1w_are_those_of_the_files() -> None:
    centre = np.full(3, 10.0)
    matrix = rigid_matrix(np.array([3.0, 0, 4.0, 0, 0, 0.1]), centre)
    found = row(
        summarise_alignment(
            *files((0, 1, 2)), save_rigid(matrix, 'xfm.h5'), tabulate_fit((0.4, 12.0, 1.1))
        ).qmri_quality
    )
    assert found['displacement'] == pytest.approx(0.8)
    assert found['shift'] == pytest.approx(5, abs=1e-4)
    assert found['turn'] == pytest.approx(0.1, abs=1e-5)
    assert found[['boundary_cost', 'boundary_contrast', 'mutual_information']].tolist() == [
        0.4, 12.0, 1.1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('acquisitions', 'information', 'reason'),
    [((0, 0), 0.2, ONE_ACQUISITION), ((0, 1), np.nan, THIN)],
)
def test_what_is_missing_has_its_reason(
    acquisitions: tuple[int, ...], information: float, reason: str
) -> None:
    path = summarise_alignment(*files(acquisitions, information)).qmri_quality
    assert row(path).isna().all()
    reasons = missing(path)
    assert reasons.pop('displacement') == reason
    assert set(reasons.values()) == {NO_T1W} and len(reasons) == 5


def test_boundaries_that_were_not_believed_have_no_cost() -> None:
    rigid, fit = save_rigid(np.eye(4), 'xfm.h5'), tabulate_fit((np.nan, 1.0, 1.1))
    path = summarise_alignment(*files((0, 1)), rigid, fit).qmri_quality
    assert np.isnan(row(path)['boundary_cost'])
    assert json.loads(remarks_file(path).read_text())['MissingReasons'] == {
        'boundary_cost': NOT_BELIEVED
    }
