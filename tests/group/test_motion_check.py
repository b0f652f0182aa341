"""QC-FC of a made-up cohort: what motion drives is found, and what cannot be told is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from cohort_outputs import make_config, write_description
from functional_outputs import ATLAS, SPACE, STEP, BoldParticipant, describe_atlas, square

from mriderived.bids.names import bidsignore
from mriderived.bids.validate import validate_dataset
from mriderived.group.stage import run_group
from mriderived.measures.connectivity import CONNECTIVITY

REGIONS = 20
NAMES = [f'region-{place}' for place in range(REGIONS)]
UPPER = np.triu_indices(REGIONS, 1)
EDGES = len(UPPER[0])
#: Motion drives the edges of neighbours.
DRIVEN = UPPER[1] - UPPER[0] <= 4
STEM = f'tpl-{SPACE}_task-rest_atlas-{ATLAS}_stat-qcfc'
FILE = f'tpl-{SPACE}/func/{STEM}_desc-pearsoncorrelation_relmat'


@pytest.fixture
def out_dir(tmp_path):
    write_description(tmp_path / 'out')
    return tmp_path / 'out'


def write(out_dir, motion, slope=0.75, session=None, seed=0):
    """Write participants; neighbours' edges rise with motion, in units of their own noise."""
    rng = np.random.default_rng(seed)
    unit = (motion - np.mean(motion)) / max(np.std(motion), 1e-9)
    edges = 0.2 + 0.1 * (rng.normal(size=(len(motion), EDGES)) + slope * np.outer(unit, DRIVEN))
    for place, (moved, own) in enumerate(zip(motion, edges, strict=True)):
        person = BoldParticipant(out_dir, f'{place:02d}', session).moved(float(moved))
        person.regions(NAMES).connectivity(NAMES, square(own, REGIONS)).write()
    return edges


def run(out_dir, **settings):
    return run_group(make_config(out_dir, **settings), (CONNECTIVITY,))


def chapter(out_dir):
    (found,) = json.loads((out_dir / 'logs/group.json').read_text())['chapters']
    return found


def test_planted_effect_is_recovered(out_dir):
    motion = np.random.default_rng(1).gamma(2, 0.1, 60)
    edges = write(out_dir, motion)
    result = run(out_dir)
    assert str(result.files[0]) == f'{FILE}.tsv'
    table = pd.read_csv(out_dir / f'{FILE}.tsv', sep='\t')
    said = json.loads((out_dir / f'{FILE}.json').read_text())
    naive = [np.corrcoef(motion, one)[0, 1] for one in edges.T]
    assert table['r'].to_numpy() == pytest.approx(naive, abs=1e-5)
    assert table['r'][DRIVEN].mean() == pytest.approx(0.6, abs=0.03)
    assert said['ShareBelowAlphaFDR'] == pytest.approx(DRIVEN.mean(), abs=0.04)
    assert said['MedianAbsoluteCorrelation'] == pytest.approx(np.median(np.abs(naive)), abs=1e-5)
    assert said['DistanceDependence'] < -0.4
    assert len(said['Participants']) == 60
    # Region n lies n voxels along x.
    assert table['distance'].to_numpy() == pytest.approx(STEP * (UPPER[1] - UPPER[0]), abs=1e-5)
    assert list(table[['region_a', 'region_b']].iloc[1]) == ['region-0', 'region-2']


def test_participants_that_stand_apart_are_named(out_dir):
    motion = np.linspace(0.1, 0.3, 12)
    write(out_dir, motion, slope=0)
    odd = BoldParticipant(out_dir, 'odd').moved(0.2).regions(NAMES)
    rng = np.random.default_rng(5)
    odd.connectivity(NAMES, square(0.9 + 0.1 * rng.normal(size=EDGES), REGIONS)).write()
    result = run(out_dir)
    assert all('sub-odd' in row[-1].split(', ') for row in chapter(out_dir)['rows'])
    assert f'phenotype/edges_atlas-{ATLAS}.tsv' in map(str, result.tables)
    table = pd.read_csv(out_dir / f'phenotype/edges_atlas-{ATLAS}.tsv', sep='\t', index_col=0)
    assert table['pearsoncorrelation_mean']['sub-odd'] == pytest.approx(0.9, abs=0.03)
    assert table['mean_fd']['sub-00'] == pytest.approx(0.1)
    picture = (out_dir / chapter(out_dir)['pictures'][0]['path']).read_text()
    assert 'sub-odd' in picture


def test_few_participants_are_refused_with_a_reason(out_dir):
    write(out_dir, np.linspace(0.1, 0.3, 9))
    result = run(out_dir)
    assert result.files == () and result.warnings == ()
    (note,) = chapter(out_dir)['notes']
    assert note == (
        f'{ATLAS}: No QC-FC, for it wants 10 participants with a mean framewise displacement, '
        'and there are 9.'
    )
    # The edges are shown all the same.
    assert len(chapter(out_dir)['pictures']) == 1


def test_who_lacks_what_is_left_out_with_a_reason(out_dir):
    write(out_dir, np.linspace(0.1, 0.3, 11))
    still = BoldParticipant(out_dir, 'still').regions(NAMES)
    still.connectivity(NAMES, square(np.full(EDGES, 0.2), REGIONS)).write()
    other = BoldParticipant(out_dir, 'other').moved(0.2)
    other.connectivity(NAMES[:-1], square(np.full(171, 0.2), REGIONS - 1)).write()
    failed = BoldParticipant(out_dir, 'failed')
    failed.add('connectivity', ATLAS, 'failed', 'no memory').write()
    (out_dir / f'sub-03/func/sub-03_task-rest_atlas-{ATLAS}_stat-pearsoncorrelation_relmat.tsv'
     ).write_text('\t'.join(NAMES) + '\nhalf')  # fmt: skip
    result = run(out_dir)
    said = json.loads((out_dir / f'{FILE}.json').read_text())
    assert len(said['Participants']) == 10
    table = pd.read_csv(out_dir / f'phenotype/edges_atlas-{ATLAS}.tsv', sep='\t', index_col=0)
    reasons = table['reason'].dropna()
    assert 'other regions' in reasons['sub-other']
    assert reasons['sub-failed'] == 'failed: no memory'
    assert 'displacement' in reasons['sub-still']
    assert 'cannot be read' in reasons['sub-03']
    assert any(warning.startswith('sub-03') for warning in result.warnings)


def test_sessions_are_checked_apart(out_dir):
    write(out_dir, np.linspace(0.1, 0.3, 12), session='a')
    write(out_dir, np.linspace(0.1, 0.3, 11), session='b', seed=1)
    files = [str(path) for path in run(out_dir).files]
    assert len(files) == 4 and sum('_ses-b_' in file for file in files) == 2
    assert [row[1] for row in chapter(out_dir)['rows']] == ['a', 'a', 'b', 'b']


def test_what_a_former_cohort_had_is_removed(out_dir):
    write(out_dir, np.linspace(0.1, 0.3, 12))
    run(out_dir)
    assert (out_dir / f'{FILE}.json').exists()
    run(out_dir, participant_labels=('00', '01'))
    assert not (out_dir / f'{FILE}.tsv').exists()
    assert not (out_dir / f'{FILE}.json').exists()


def test_sloppy_files_are_marked(out_dir):
    write(out_dir, np.linspace(0.1, 0.3, 12))
    write_description(out_dir, sloppy=True)
    run(out_dir)
    assert 'Sloppy' in json.loads((out_dir / f'{FILE}.json').read_text())


@pytest.mark.parametrize('strict', [False, True])
def test_the_validator_does_not_mind(out_dir, strict):
    write(out_dir, np.linspace(0.1, 0.3, 12), session='a')
    result = run(out_dir)
    describe_atlas(out_dir)
    (out_dir / '.bidsignore').write_text(bidsignore())
    judged = validate_dataset(out_dir, kind='derivatives', strict=strict)
    found = [str(issue) for issue in (*judged.errors, *judged.warnings)]
    names = [path.name for path in (*result.files, *result.tables)]
    assert [issue for issue in found for name in names if name.split('.')[0] in issue] == []


@pytest.mark.parametrize('rows', ['n\t1\n0.2\t1\n', 'n/a\t1\n0.2'])
def test_a_word_among_the_displacements_is_a_reason(out_dir, rows):
    write(out_dir, np.linspace(0.1, 0.3, 12))
    path = out_dir / 'sub-03/func/sub-03_task-rest_desc-confounds_timeseries.tsv'
    path.write_text(f'framewise_displacement\tcsf\n{rows}')
    result = run(out_dir)
    (warning,) = result.warnings
    assert warning.startswith(f'sub-03: {ATLAS}: the framewise displacement cannot be read')
    assert result.refused == ()
    assert len(json.loads((out_dir / f'{FILE}.json').read_text())['Participants']) == 11
    table = pd.read_csv(out_dir / f'phenotype/edges_atlas-{ATLAS}.tsv', sep='\t', index_col=0)
    assert np.isnan(table.loc['sub-03', 'mean_fd'])
    assert chapter(out_dir)['rows'][0][3:5] == ['12', '11']
    assert 'cannot be read' in table.loc['sub-03', 'reason']
    (note,) = [note for note in chapter(out_dir)['notes'] if 'take no part' in note]
    assert note.endswith('which is of 11: sub-03.')


def cut(packed):
    return packed[:60]


def flip(packed):
    return packed[:40] + bytes([packed[40] ^ 255]) + packed[41:]


@pytest.mark.parametrize('damage', [cut, flip])
def test_a_damaged_label_image_leaves_the_lengths_to_others(out_dir, damage):
    write(out_dir, np.linspace(0.1, 0.3, 12))
    path = out_dir / f'sub-00/func/sub-00_task-rest_atlas-{ATLAS}_dseg.nii.gz'
    path.write_bytes(damage(path.read_bytes()))
    assert run(out_dir).refused == ()
    table = pd.read_csv(out_dir / f'{FILE}.tsv', sep='\t')
    assert table['distance'].to_numpy() == pytest.approx(STEP * (UPPER[1] - UPPER[0]), abs=1e-5)


def test_an_error_of_the_chapter_leaves_all_else(out_dir, monkeypatch):
    write(out_dir, np.linspace(0.1, 0.3, 12))

    def fail(*_):
        raise RuntimeError('nobody foresaw this')

    monkeypatch.setattr('mriderived.group.motion_check.measure_lengths', fail)
    result = run(out_dir)
    (reason,) = result.refused
    assert 'Motion and connectivity: internal error (RuntimeError: nobody foresaw' in reason
    assert (out_dir / 'logs/group_outliers.tsv').exists()
    assert chapter(out_dir)['notes'] == [reason]
