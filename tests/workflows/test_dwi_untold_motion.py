"""Volumes whose motion was not told are counted in notes, in the table, and read back."""

from pathlib import Path

import numpy as np
import pandas as pd

from mriderived.core.eddy_terms import still_motion
from mriderived.interfaces.eddy_files import add_eddy, read_eddy, write_outliers
from mriderived.interfaces.volumes import save
from mriderived.workflows.dwi_motion import DWI_MOTION, tell_motion
from mriderived.workflows.func_motion import tabulate

UNTOLD = np.array([False, True, False, True, False])


def test_volumes_whose_motion_could_not_be_told_are_counted() -> None:
    motion = still_motion(5, np.ones((4, 4, 4), np.float32), 1)
    assert tell_motion(motion, 'j') == []
    notes = tell_motion(motion._replace(untold=UNTOLD), 'j')
    assert len(notes) == 1
    assert notes[0].startswith('Motion of 2 volumes could not be told')


def test_the_table_names_them_and_is_read_back(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shift = np.array([0.0, 0.5, -0.5, 0.25, 0.0])
    motion = still_motion(5, np.ones((4, 4, 4), np.float32), 1)
    motion = motion._replace(untold=UNTOLD, shift=shift)
    table = add_eddy(tabulate(motion, 0), motion)
    declared = [column.name for column in DWI_MOTION.output('dwi_motion').columns]
    assert sorted(table.columns) == sorted(declared)
    table.to_csv('motion.tsv', sep='\t', index=False, na_rep='n/a')
    reference = save(motion.reference, np.eye(4), 'reference.nii.gz')
    found = read_eddy(
        Path('motion.tsv'), write_outliers(motion.outliers, 'outliers.tsv'), reference
    )
    assert found.untold.tolist() == UNTOLD.tolist()
    np.testing.assert_allclose(found.shift, shift)
    assert pd.read_csv('motion.tsv', sep='\t')['untold'].tolist() == [0, 1, 0, 1, 0]
