"""The table of all runs of BOLD, and what is said where they were not denoised alike."""

import csv
import dataclasses
import json

import pytest
from cohort_outputs import (
    INDEX,
    TISSUE,
    Participant,
    make_config,
    make_measure,
    read_table,
    write_description,
    write_table,
)

from mriderived.bids.names import bidsignore
from mriderived.group.stage import run_group
from mriderived.measures.base import Column, Scope
from mriderived.reports.group import write_group_report

LABELS = ((1, 'left'), (2, 'right'))


def of_bold(measure, **changes):
    (output,) = measure.outputs
    output = dataclasses.replace(output, datatype='func')
    return dataclasses.replace(measure, outputs=(output,), source='bold', **changes)


STABLE = of_bold(make_measure('stable', (Column('mean', 'Mean.'),), suffix='boldmap'))
REGIONAL = of_bold(
    make_measure('regional', (*INDEX, Column('height', 'Height.', 'percent')), over='atlas',
                 cohort_columns=('height',), suffix='boldmap', stat='height')
)  # fmt: skip
FACES = of_bold(
    make_measure('faces', (Column('effect', 'Effect.'),), suffix='boldmap', desc='faces'),
    scope=Scope(tasks=('faces',)),
)
MEASURES = (TISSUE, STABLE, REGIONAL, FACES)
COLUMNS = ('stable_mean', 'regional_dk_left_height', 'regional_dk_right_height', 'faces_effect')
ABOUT = ('bids_name', 'participant_id', 'session_id', 'task', 'acquisition', 'reconstruction',
         'direction', 'run', 'reference', 'denoising')  # fmt: skip


class Run(Participant):
    """One run, with its tables."""

    def __init__(self, out_dir, label, name, is_reference=True, session=None):
        super().__init__(out_dir, label, session)
        folder = self.folder.replace('anat', 'func')
        self.stem = f'{folder}/{self.stem.rpartition("/")[2]}_{name}'
        self.image = f'{self.stem}_bold.nii.gz'
        self.is_reference = is_reference

    def stable(self, mean):
        file = f'{self.stem}_boldmap.tsv'
        write_table(self.out_dir / file, ('mean',), [(mean,)])
        return self.add('stable', outputs=[file])

    def heights(self, *values):
        labels = f'{self.stem}_atlas-DK_dseg.tsv'
        header = ('index', 'name', 'hemisphere', 'tissue')
        write_table(self.out_dir / labels, header, [(*each, 'L', 'GM') for each in LABELS])
        self.add('bold_atlas', 'DK', outputs=[labels])
        file = f'{self.stem}_atlas-DK_stat-height_boldmap.tsv'
        rows = [(*label, value) for label, value in zip(LABELS, values, strict=True)]
        write_table(self.out_dir / file, ('index', 'name', 'height'), rows)
        return self.add('regional', 'DK', outputs=[file])

    def faces(self, effect, is_reference=True):
        file = f'{self.stem}_desc-faces_boldmap.tsv'
        write_table(self.out_dir / file, ('effect',), [(effect,)])
        self.add('faces', outputs=[file])
        self.units[-1] = dataclasses.replace(self.units[-1], is_reference=is_reference)
        return self

    def denoised(self, strategy):
        file = f'{self.stem}_desc-denoised_bold.nii.gz'
        sidecar = self.out_dir / f'{self.stem}_desc-denoised_bold.json'
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        sidecar.write_text(json.dumps({'DenoisingStrategy': strategy}))
        return self.add('bold_denoising', outputs=[file])


@pytest.fixture
def out_dir(tmp_path):
    folder = tmp_path / 'out'
    write_description(folder)
    Participant(folder, '01').tissue().write()
    Run(folder, '01', 'task-rest_run-1').stable('1.25').heights('2', '3').denoised('36P').write()
    Run(folder, '01', 'task-rest_run-2', False).stable('1.5').heights('4', 'n/a').write()
    Run(folder, '01', 'task-faces_acq-fast', False).stable('9').faces('0.5').write()
    Participant(folder, '02').tissue().write()
    return folder


def run(out_dir, measures=MEASURES):
    return run_group(make_config(out_dir), measures)


def read_runs(out_dir, name='group_bold.tsv'):
    with (out_dir / name).open(newline='') as stream:
        reader = csv.DictReader(stream, delimiter='\t')
        rows = {row['bids_name']: row for row in reader}
        return tuple(reader.fieldnames), rows


def test_every_run_has_a_row_with_the_columns_of_the_wide_table(out_dir):
    result = run(out_dir)
    header, rows = read_runs(out_dir)
    assert header == (*ABOUT, *COLUMNS)
    assert list(rows) == [
        'sub-01_task-faces_acq-fast_bold', 'sub-01_task-rest_run-1_bold',
        'sub-01_task-rest_run-2_bold',
    ]  # fmt: skip
    first = rows['sub-01_task-rest_run-1_bold']
    assert [first[name] for name in header] == [
        'sub-01_task-rest_run-1_bold', 'sub-01', 'n/a', 'rest', 'n/a', 'n/a', 'n/a', '1', 'yes',
        '36P', '1.25', '2', '3', 'n/a',
    ]  # fmt: skip
    faces = rows['sub-01_task-faces_acq-fast_bold']
    assert (faces['acquisition'], faces['reference']) == ('fast', 'some')
    assert (faces['stable_mean'], faces['faces_effect']) == ('9', '0.5')
    assert rows['sub-01_task-rest_run-2_bold']['reference'] == 'no'
    wide = read_table(out_dir, 'mriderived.tsv')
    assert list(wide['sub-01'])[2:] == list(COLUMNS)
    assert [wide['sub-01'][name] for name in COLUMNS] == ['1.25', '2', '3', '0.5']
    assert wide['sub-02']['stable_mean'] == 'n/a'
    assert [str(p) for p in result.tables[-2:]] == ['group_bold.tsv', 'group_bold_reasons.tsv']


def test_what_a_run_lacks_has_its_reason(out_dir):
    run(out_dir)
    header, rows = read_runs(out_dir, 'group_bold_reasons.tsv')
    assert header == (*ABOUT, *COLUMNS)
    second = rows['sub-01_task-rest_run-2_bold']
    assert second['regional_dk_left_height'] == 'n/a'
    assert second['regional_dk_right_height'] == 'no value in the table of the participant'
    assert second['faces_effect'] == 'this is no run of faces'
    faces = rows['sub-01_task-faces_acq-fast_bold']
    assert faces['regional_dk_left_height'] == 'not run for this image'


def test_the_columns_are_there_even_where_all_runs_failed(tmp_path):
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    failed = Run(out_dir, '01', 'task-rest', session='a')
    failed.add('stable', None, 'failed', 'too short').write()
    run(out_dir)
    header, rows = read_runs(out_dir)
    assert header == (*ABOUT, 'stable_mean')
    (row,) = rows.values()
    assert (row['session_id'], row['stable_mean']) == ('ses-a', 'n/a')
    assert read_runs(out_dir, 'group_bold_reasons.tsv')[1][row['bids_name']]['stable_mean'] == (
        'failed: too short'
    )


def test_the_dictionary_has_every_column(out_dir):
    run(out_dir)
    for name in ('group_bold', 'group_bold_reasons'):
        dictionary = json.loads((out_dir / f'{name}.json').read_text())
        assert list(dictionary) == ['Description', *ABOUT, *COLUMNS]
    dictionary = json.loads((out_dir / 'group_bold.json').read_text())
    assert dictionary['regional_dk_left_height']['Units'] == 'percent'
    assert 'group_bold.tsv has all runs' in (out_dir / 'phenotype' / 'mriderived.json').read_text()


def test_echoes_of_a_run_are_one_row_without_the_entity(tmp_path):
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    Run(out_dir, '01', 'task-rest_echo-1').stable('1').write()
    run(out_dir)
    assert list(read_runs(out_dir)[1]) == ['sub-01_task-rest_bold']


def test_different_denoising_is_a_warning(out_dir):
    for label in ('03', '04'):
        Run(out_dir, label, 'task-rest').stable('1').denoised('36P').write()
    assert not run(out_dir).warnings
    Run(out_dir, '05', 'task-rest').stable('1').denoised('24P+GSR').write()
    assert run(out_dir).warnings == (
        'not all runs of BOLD were denoised alike: 3 runs with 36P; sub-05 with 24P+GSR. '
        'Connectivity, ReHo and ALFF of different strategies do not compare; group_bold.tsv '
        'tells them apart (column denoising)',
    )
    write_group_report(out_dir)
    page = (out_dir / 'group.html').read_text()
    assert 'sub-05 with 24P+GSR' in page
    assert 'href="group_bold.tsv"' in page and 'href="group_bold.json"' in page


def test_a_later_cohort_without_bold_removes_the_table(out_dir):
    run(out_dir)
    assert (out_dir / 'group_bold.tsv').exists()
    run_group(make_config(out_dir, participant_labels=('02',)), MEASURES)
    assert not list(out_dir.glob('group_bold*'))


def test_without_bold_there_is_no_table_of_runs(tmp_path):
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    Participant(out_dir, '01').tissue().write()
    result = run(out_dir)
    assert not list(out_dir.glob('group_bold*'))
    assert all('group_bold' not in str(path) for path in result.tables)


def test_the_validator_is_told_to_leave_it_alone():
    assert 'group_*' in bidsignore().splitlines()
