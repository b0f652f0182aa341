"""Connectivity in tangent space: that of nilearn, of the regions that everybody has."""

import json

import numpy as np
import pandas as pd
import pytest
from cohort_outputs import make_config, write_description
from functional_outputs import ATLAS, SPACE, BoldParticipant, describe_atlas
from nilearn.connectome import ConnectivityMeasure

from mriderived.bids.names import bidsignore
from mriderived.bids.status import NoInputError
from mriderived.bids.validate import validate_dataset
from mriderived.group.stage import run_group
from mriderived.measures.connectivity import CONNECTIVITY

NAMES = ['a', 'b', 'c', 'd', 'e', 'f']
MEAN = f'tpl-{SPACE}/func/tpl-{SPACE}_task-rest_atlas-{ATLAS}_stat-tangent_desc-mean_relmat'


@pytest.fixture
def out_dir(tmp_path):
    write_description(tmp_path / 'out')
    return tmp_path / 'out'


def write(out_dir, label, frames=80, missing=(), seed=None, session=None):
    rng = np.random.default_rng(sum(map(ord, label)) if seed is None else seed)
    mixing = np.eye(6) + 0.3 * rng.normal(size=(6, 6))
    series = rng.normal(size=(frames, 6)) @ mixing * 50
    series[:, list(missing)] = np.nan
    person = BoldParticipant(out_dir, label, session).moved(0.1)
    person.connectivity(NAMES, np.eye(6), series=series).write()
    return series


def run(out_dir, **settings):
    return run_group(make_config(out_dir, tangent=True, **settings), (CONNECTIVITY,))


def own(out_dir, label):
    file = f'sub-{label}/func/sub-{label}_task-rest_atlas-{ATLAS}_stat-tangent_relmat.tsv'
    return pd.read_csv(out_dir / file, sep='\t', na_values='n/a')


def notes(out_dir):
    chapters = json.loads((out_dir / 'logs/group.json').read_text())['chapters']
    return next(one['notes'] for one in chapters if one['key'] == 'tangent')


def standardised(series):
    return (series - series.mean(axis=0)) / series.std(axis=0)


def test_matrices_are_those_of_nilearn(out_dir):
    labels = ['01', '02', '03', '04']
    series = [standardised(write(out_dir, label)) for label in labels]
    files = [str(path) for path in run(out_dir).files]
    assert f'{MEAN}.tsv' in files
    reference = ConnectivityMeasure(kind='tangent')
    expected = reference.fit_transform(series)
    for label, matrix in zip(labels, expected, strict=True):
        found = own(out_dir, label)
        assert list(found) == NAMES
        assert found.to_numpy() == pytest.approx(matrix, abs=2e-6)
    mean = pd.read_csv(out_dir / f'{MEAN}.tsv', sep='\t').to_numpy()
    assert mean == pytest.approx(reference.mean_, abs=2e-6)


def test_regions_that_a_run_lacks_are_left_out(out_dir):
    series = [write(out_dir, '01', missing=(2,)), write(out_dir, '02'), write(out_dir, '03')]
    run(out_dir)
    keep = [0, 1, 3, 4, 5]
    expected = ConnectivityMeasure(kind='tangent').fit_transform(
        [standardised(values[:, keep]) for values in series]
    )
    found = own(out_dir, '02').to_numpy()
    assert found[np.ix_(keep, keep)] == pytest.approx(expected[1], abs=2e-6)
    assert np.isnan(found[2]).all() and np.isnan(found[:, 2]).all()
    said = json.loads((out_dir / f'{MEAN}.json').read_text())
    assert said['RegionsLeftOut'] == {'c': 'no series in 1 of 3 runs'}
    assert '1 of 6 regions are left out' in ' '.join(notes(out_dir))


def test_runs_that_lack_much_are_left_out(out_dir):
    for label in ('01', '02'):
        write(out_dir, label)
    write(out_dir, '03', missing=(1, 2, 3))
    write(out_dir, '04', frames=20)
    run(out_dir)
    reasons = json.loads((out_dir / f'{MEAN}.json').read_text())['RunsLeftOut']
    assert reasons == {
        'sub-03': 'it lacks 50 % of the regions',
        'sub-04': 'it has 20 volumes left, and 30 are needed',
    }
    assert not list(out_dir.glob('sub-04/func/*tangent*'))


def test_too_few_runs_are_refused_with_a_reason(out_dir):
    write(out_dir, '01')
    write(out_dir, '02', frames=20)
    result = run(out_dir)
    assert result.files == ()
    (warning,) = result.warnings
    assert 'it wants 2 participants and there are 1' in warning
    assert 'sub-02: it has 20 volumes left' in warning
    assert notes(out_dir) == [warning]


def test_one_participant_ends_with_what_to_do(out_dir):
    write(out_dir, '01')
    with pytest.raises(NoInputError, match='--tangent needs connectivity of two participants'):
        run(out_dir)


def test_two_sessions_are_not_two_participants(out_dir):
    write(out_dir, '01', session='a')
    write(out_dir, '01', session='b')
    with pytest.raises(NoInputError, match='of two participants, and 1 has it'):
        run(out_dir)
    write(out_dir, '02', session='a')
    run(out_dir)
    # All sessions are departures from one mean.
    assert len(list(out_dir.glob('sub-*/ses-*/func/*stat-tangent_relmat.tsv'))) == 3
    assert len(list(out_dir.glob('tpl-*/func/*stat-tangent*.tsv'))) == 1


def test_memory_is_kept_to(out_dir):
    write(out_dir, '01')
    write(out_dir, '02')
    (warning,) = run(out_dir, mem_gb=1e-7).warnings
    assert 'give more --mem' in warning


def test_without_the_option_former_matrices_go(out_dir):
    write(out_dir, '01')
    write(out_dir, '02')
    run(out_dir)
    assert len(list(out_dir.glob('sub-*/func/*tangent*'))) == 4
    run_group(make_config(out_dir), (CONNECTIVITY,))
    assert not list(out_dir.glob('sub-*/func/*tangent*'))
    assert len(list(out_dir.glob('sub-*/func/*relmat.tsv'))) == 6


def test_the_validator_does_not_mind(out_dir):
    write(out_dir, '01')
    write(out_dir, '02')
    run(out_dir)
    describe_atlas(out_dir)
    (out_dir / '.bidsignore').write_text(bidsignore())
    judged = validate_dataset(out_dir, kind='derivatives', strict=True)
    found = [str(issue) for issue in (*judged.errors, *judged.warnings)]
    assert [issue for issue in found if 'tangent' in issue] == []
