"""The chapter of group.html that shows the means of tasks."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest
from cohort_outputs import Participant, make_config, write_description
from scipy import stats

from mriderived.bids.stats_model import Condition, Contrast, StatsModel
from mriderived.group.stage import run_group
from mriderived.measures.registry import find_measures
from mriderived.reports.group import write_group_report

SPACE, SHAPE = 'MNI152NLin2009cAsym', (30, 34, 28)
MODEL = StatsModel(
    'm', ('faces',), ('trial_type',), (Condition('trial_type.a', 'spm'),), (),
    tuple(Contrast(name, name, ('trial_type.a',), (1.0,)) for name in ('a', 'b')),
)  # fmt: skip
MEASURES = find_measures(model=MODEL)
AFFINE = np.diag([6.0, 6, 6, 1])
AFFINE[:3, 3] = -90, -110, -70
PLACE = (20, 12, 15)


def write_participants(out_dir: Path, number: int) -> list[np.ndarray]:
    """Write maps of two contrasts: in the first, a ball stands out at ``PLACE``."""
    write_description(out_dir)
    rng = np.random.default_rng(0)
    away = sum((axis - p) ** 2 for axis, p in zip(np.indices(SHAPE), PLACE, strict=True))
    centre = sum((axis - n / 2) ** 2 for axis, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    maps = []
    for label in range(number):
        person = Participant(out_dir, f'{label:02d}')
        for contrast, height in (('a', 6.0), ('b', 0.0)):
            data = rng.normal(0, 1, SHAPE) + height * np.exp(-away / 6)
            data = np.where(centre < 150, data, 0).astype(np.float32)
            name = f'{person.folder}/sub-{label:02d}_{contrast}_effect.nii.gz'
            (out_dir / name).parent.mkdir(parents=True, exist_ok=True)
            nb.Nifti1Image(data, AFFINE).to_filename(out_dir / name)
            person.add(f'task_{contrast}_effect_in_space', SPACE, outputs=[name])
            maps += [data] * (contrast == 'a')
        person.write()
    return maps


@pytest.fixture
def out_dir(tmp_path: Path) -> Path:
    return tmp_path / 'out'


def test_every_contrast_has_a_picture_and_a_row(out_dir: Path) -> None:
    maps = write_participants(out_dir, 6)
    run_group(make_config(out_dir), MEASURES)
    listing = json.loads((out_dir / 'logs' / 'group.json').read_text())
    (chapter,) = [one for one in listing['chapters'] if one['key'] == 'tasks']
    assert [row[:4] for row in chapter['rows']] == [
        ['a', 'faces', SPACE, '6'], ['b', 'faces', SPACE, '6'],
    ]  # fmt: skip
    z = nb.load(out_dir / chapter['files'][2]).get_fdata()
    peak = np.unravel_index(z.argmax(), SHAPE)
    t = stats.ttest_1samp([each[peak] for each in maps], 0)
    assert float(chapter['rows'][0][4]) == pytest.approx(stats.norm.isf(t.pvalue / 2), abs=0.01)
    where = (AFFINE @ [*peak, 1])[:3]
    assert chapter['rows'][0][5] == ', '.join(f'{each:.0f}' for each in where)
    assert np.linalg.norm(np.subtract(peak, PLACE)) < 4
    for picture in chapter['pictures']:
        assert (out_dir / picture['path']).stat().st_size > 10_000
        assert picture['path'] in listing['files']
    assert len({picture['path'] for picture in chapter['pictures']}) == 2
    page = write_group_report(out_dir).read_text()
    assert '<h2 id="tasks">Tasks</h2>' in page
    assert f'alt="a (faces) in {SPACE}. Standard score of the mean over 6 participants' in page
    assert 'contrast-b_stat-z_statmap.nii.gz"' in page


def test_without_a_mean_there_is_no_chapter_and_no_old_picture(out_dir: Path) -> None:
    write_participants(out_dir, 3)
    run_group(make_config(out_dir), MEASURES)
    assert len(list((out_dir / 'figures').glob('group_task_*.svg'))) == 2
    run_group(make_config(out_dir, participant_labels=('00', '01')), MEASURES)
    listing = json.loads((out_dir / 'logs' / 'group.json').read_text())
    assert listing['chapters'] == []
    assert f'no mean of a in {SPACE}: 2 participants have it' in listing['warnings'][0]
    assert not list((out_dir / 'figures').glob('group_task_*.svg'))
