"""The cohort tables, cell by cell, on made-up outputs."""

import json
import random

import pytest
from cohort_outputs import (
    LABELS,
    MEASURES,
    REGIONAL,
    Participant,
    make_config,
    make_measure,
    read_table,
    write_complete,
    write_description,
    write_table,
)

from mriderived.bids.names import bidsignore
from mriderived.bids.status import NoInputError
from mriderived.bids.validate import validate_dataset
from mriderived.group.columns import Key, Source, is_cohort_output, name_columns, snake
from mriderived.group.stage import run_group
from mriderived.measures import MEASURES as REAL_MEASURES
from mriderived.measures.base import Column
from mriderived.measures.region_tables import region_measures
from mriderived.reports.group import write_group_report
from mriderived.spaces import bundled_atlases, get_label_table
from mriderived.spaces.labels import read_table as read_labels

COLUMNS = (
    'tissue_gm',
    'tissue_tiv',
    'regional_dk_left_thalamus_volume',
    'regional_dk_right_thalamus_volume',
    'regional_dk_ctx_lh_cuneus_volume',
    'quality_cjv',
    'quality_axes',
)


@pytest.fixture
def out_dir(tmp_path):
    write_description(tmp_path / 'out')
    return tmp_path / 'out'


def run(out_dir, measures=MEASURES, **settings):
    return run_group(make_config(out_dir, **settings), measures)


def test_values_pass_through_unrounded(out_dir):
    write_complete(out_dir, '01', gm='600000.1234567891')
    result = run(out_dir)
    cells = ('600000.1234567891', '1500.5', '1.5', '2.5', '3.5', '0.375', 'RAS')
    assert read_table(out_dir, 'mriderived.tsv') == {
        'sub-01': dict(zip(COLUMNS, cells, strict=True))
    }
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    assert reasons == {'sub-01': dict.fromkeys(COLUMNS, 'n/a')}
    assert (result.participants, result.columns, result.warnings) == (1, 7, ())


def test_each_measure_has_its_table(out_dir):
    write_complete(out_dir, '01')
    result = run(out_dir)
    names = ['tissue', 'regional_atlas-DK', 'quality', 'mriderived', 'mriderived_reasons']
    assert [str(path) for path in result.tables] == [f'phenotype/{name}.tsv' for name in names]
    assert read_table(out_dir, 'tissue.tsv') == {
        'sub-01': {'tissue_gm': '600000.125', 'tissue_tiv': '1500.5'}
    }


def test_dictionary_describes_every_column(out_dir):
    write_complete(out_dir, '01')
    run(out_dir)
    dictionary = json.loads((out_dir / 'phenotype' / 'mriderived.json').read_text())
    assert list(dictionary) == [
        'Description',
        'MeasurementToolMetadata',
        'participant_id',
        *COLUMNS,
    ]
    assert dictionary['regional_dk_left_thalamus_volume'] == {
        'Description': 'Volume (Left-Thalamus, DK).',
        'Units': 'mm3',
        'Derivative': True,
        'Reference': 'https://doi.org/10.1/regional',
        'Measure': 'regional',
        'Column': 'volume',
        'Atlas': 'DK',
        'Region': 'Left-Thalamus',
        'RegionIndex': '10',
    }
    one = json.loads((out_dir / 'phenotype' / 'tissue.json').read_text())
    assert one['MeasurementToolMetadata']['TermURL'] == 'https://doi.org/10.1/tissue'
    assert one['tissue_tiv']['Units'] == 'mL'


def test_reasons_of_units(out_dir):
    write_complete(out_dir, '01')
    broken = Participant(out_dir, '02').tissue()
    broken.add('regional', 'DK', 'not_available', 'step\tatlas\nfailed')
    broken.add('quality', None, 'failed', 'no background').write()
    Participant(out_dir, '03').add('tissue', None, 'skipped', 'already\tskull-stripped').write()
    run(out_dir)
    values = read_table(out_dir, 'mriderived.tsv')
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    assert values['sub-02'] == {
        name: {'tissue_gm': '600000.125', 'tissue_tiv': '1500.5'}.get(name, 'n/a')
        for name in COLUMNS
    }
    assert reasons['sub-02']['tissue_gm'] == 'n/a'
    assert reasons['sub-02'][COLUMNS[3]] == 'not available: step atlas failed'
    assert reasons['sub-02']['quality_cjv'] == 'failed: no background'
    assert reasons['sub-03']['tissue_tiv'] == 'skipped: already skull-stripped'
    assert reasons['sub-03']['quality_axes'] == 'not run for this participant'
    assert set(values['sub-03'].values()) == {'n/a'}


@pytest.mark.parametrize(
    'missing',
    [{'Right-Thalamus': 'out of view'}, {'49': 'out of view'}, {'volume': {'49': 'out of view'}}],
)
def test_reason_of_a_region(out_dir, missing):
    participant = Participant(out_dir, '01').tissue(gm='n/a', missing={'gm': 'too noisy'})
    participant.atlas().regional(('1.5', 'n/a', ''), missing=missing).write()
    run(out_dir)
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')['sub-01']
    assert reasons['tissue_gm'] == 'too noisy'
    assert reasons['tissue_tiv'] == 'n/a'
    assert reasons['regional_dk_right_thalamus_volume'] == 'out of view'
    assert reasons[COLUMNS[4]] == 'no value in the table of the participant'


def test_order_does_not_depend_on_the_participants(out_dir, tmp_path):
    labels = ['9', '10', '02', 'A1']
    headers = set()
    for seed in range(4):
        folder = tmp_path / f'out{seed}'
        random.Random(seed).shuffle(labels)
        for label in labels:
            # One has its rows in another order, one lacks a region.
            order = {'9': LABELS[::-1], 'A1': LABELS[:2]}.get(label, LABELS)
            participant = Participant(folder, label).quality().atlas()
            participant.regional(('1', '2', '3')[: len(order)], order).tissue().write()
        run(folder)
        headers.add((folder / 'phenotype' / 'mriderived.tsv').read_bytes())
    assert len(headers) == 1
    (content,) = headers
    assert content.decode().split('\n')[0].split('\t') == ['participant_id', *COLUMNS]
    assert read_table(folder, 'mriderived.tsv')['sub-9'][COLUMNS[4]] == '1'
    reason = read_table(folder, 'mriderived_reasons.tsv')['sub-A1'][COLUMNS[4]]
    assert reason == 'the table lacks the region ctx lh/cuneus'


def test_atlases_follow_the_settings(out_dir):
    participant = Participant(out_dir, '01')
    for atlas in ('DK', 'AAL', 'Zz', 'Extra'):
        participant.atlas(atlas=atlas).regional(atlas=atlas)
    participant.write()
    run(out_dir, atlases=('Zz', 'DK'))
    header = list(read_table(out_dir, 'mriderived.tsv')['sub-01'])
    atlases = list(dict.fromkeys(name.split('_')[1] for name in header))
    assert atlases == ['zz', 'dk', 'aal', 'extra']


def test_one_file_per_session(out_dir):
    write_complete(out_dir, '01', 'a', gm='1')
    write_complete(out_dir, '01', 'b', gm='2')
    write_complete(out_dir, '02', 'b', gm='3')
    run(out_dir)
    assert not (out_dir / 'phenotype' / 'mriderived.tsv').exists()
    first = read_table(out_dir, 'mriderived_ses-a.tsv')
    second = read_table(out_dir, 'mriderived_ses-b.tsv')
    assert {name: row['tissue_gm'] for name, row in first.items()} == {'sub-01': '1'}
    assert {name: row['tissue_gm'] for name, row in second.items()} == {
        'sub-01': '2',
        'sub-02': '3',
    }
    assert (out_dir / 'phenotype' / 'regional_atlas-DK_ses-b.tsv').exists()


def test_participant_without_images_is_in_every_session(out_dir):
    write_complete(out_dir, '01', 'a')
    write_complete(out_dir, '01', 'b')
    nobody = Participant(out_dir, '02')
    nobody.image = 'n/a'
    nobody.add('tissue', None, 'not_available', 'no T1w image of sub-02 matches').write()
    run(out_dir)
    for session in 'ab':
        reasons = read_table(out_dir, f'mriderived_reasons_ses-{session}.tsv')['sub-02']
        assert set(reasons.values()) == {'not available: no T1w image of sub-02 matches'}


def test_nobody_has_an_image(out_dir):
    nobody = Participant(out_dir, '01')
    nobody.image = 'n/a'
    nobody.add('tissue', None, 'not_available', 'no T1w image').write()
    run(out_dir)
    reason = 'not available: no T1w image'
    assert read_table(out_dir, 'mriderived_reasons.tsv') == {
        'sub-01': {'tissue_gm': reason, 'tissue_tiv': reason}
    }


def test_a_participant_that_died_midway(out_dir):
    write_complete(out_dir, '01', 'a')
    died = Participant(out_dir, '02', 'a').tissue()
    died.image, died.session = 'n/a', None
    died.add('all', None, 'failed', 'killed: probably no memory').write()
    run(out_dir)
    assert not (out_dir / 'phenotype' / 'mriderived.tsv').exists()
    assert read_table(out_dir, 'mriderived_ses-a.tsv')['sub-02']['tissue_gm'] == '600000.125'
    reasons = read_table(out_dir, 'mriderived_reasons_ses-a.tsv')['sub-02']
    assert reasons['quality_cjv'] == 'failed: killed: probably no memory'


def test_only_the_reference_image_is_in_the_table(out_dir):
    write_complete(out_dir, '01', run='1', gm='1')
    write_complete(out_dir, '01', run='2', gm='2')
    result = run(out_dir)
    assert read_table(out_dir, 'mriderived.tsv')['sub-01']['tissue_gm'] == '1'
    assert result.warnings == ()


def test_two_references_are_reported_not_doubled(out_dir):
    write_complete(out_dir, '01', run='1', gm='1')
    second = Participant(out_dir, '01', run='2')
    second.is_reference = True
    second.tissue(gm='2').write()
    result = run(out_dir)
    assert list(read_table(out_dir, 'mriderived.tsv')) == ['sub-01']
    assert read_table(out_dir, 'mriderived.tsv')['sub-01']['tissue_gm'] == '1'
    assert len(result.warnings) == 1 and 'two reference images' in result.warnings[0]


@pytest.mark.parametrize(
    ('content', 'why'),
    [
        ('index\tname\tvolume\tn_voxels\n10\tLeft-Thalamus\t1.', 'cut off'),
        ('', 'empty'),
        ('index\tname\tvolume\tn_voxels\n10\tLeft-Thalamus\n', 'do not match the header'),
        ('index\tname\tn_voxels\n10\tLeft-Thalamus\t3\n', 'lacks one of the columns'),
        (b'\xff\xfe\x00\n', 'cannot be read'),
        (None, 'missing'),
        ('index\tname\tvolume\n10\tLeft-Thalamus\t1\n10\tLeft-Thalamus\t1\n', 'twice'),
    ],
)
def test_a_corrupt_table_takes_only_its_own_cells(out_dir, content, why):
    write_complete(out_dir, '01')
    write_complete(out_dir, '02')
    file = out_dir / 'sub-01/anat/sub-01_atlas-DK_morph.tsv'
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run(out_dir)
    values = read_table(out_dir, 'mriderived.tsv')
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    assert [values['sub-01'][name] for name in COLUMNS[2:5]] == ['n/a'] * 3
    assert all(why in reasons['sub-01'][name] for name in COLUMNS[2:5])
    assert values['sub-01']['tissue_gm'] == '600000.125'
    assert set(reasons['sub-02'].values()) == {'n/a'}
    assert len(result.warnings) == 1
    assert 'sub-01_atlas-DK_morph.tsv' in result.warnings[0] and why in result.warnings[0]


@pytest.mark.parametrize('cell', ['12.3.4', 'inf', '\0\0'])
def test_a_cell_that_is_no_number(out_dir, cell):
    write_complete(out_dir, '01')
    write_complete(out_dir, '02', gm=cell)
    result = run(out_dir)
    assert read_table(out_dir, 'mriderived.tsv')['sub-02']['tissue_gm'] == 'n/a'
    assert read_table(out_dir, 'mriderived.tsv')['sub-02']['tissue_tiv'] == '1500.5'
    assert len(result.warnings) == 1 and 'sub-02' in result.warnings[0]


def test_other_version_of_an_atlas_is_a_reason(out_dir):
    for label in ('01', '02', '03'):
        write_complete(out_dir, label)
    other = (*LABELS[:2], (77, 'New region'))
    write_complete(out_dir, '00')
    # The first participant's label table is not the one that decides.
    Participant(out_dir, '000').atlas(other).write()
    Participant(out_dir, '04').tissue().atlas(other).regional(labels=other).quality().write()
    result = run(out_dir)
    values = read_table(out_dir, 'mriderived.tsv')
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    assert tuple(values['sub-01']) == COLUMNS
    assert values['sub-04'][COLUMNS[2]] == 'n/a'
    assert 'other regions' in reasons['sub-04'][COLUMNS[2]]
    assert values['sub-04']['tissue_gm'] == '600000.125'
    assert any('New region (77)' in warning for warning in result.warnings)


def test_unreadable_record_is_a_row_of_reasons(out_dir):
    write_complete(out_dir, '01')
    write_complete(out_dir, '02')
    (out_dir / 'logs/sub-02/units.json').write_text('[{"participant": "02", ')
    result = run(out_dir)
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    assert all('record' in reason for reason in reasons['sub-02'].values())
    assert set(reasons['sub-01'].values()) == {'n/a'}
    assert len(result.warnings) == 1


def test_nobody_is_an_error(out_dir):
    with pytest.raises(NoInputError, match='participant level first'):
        run(out_dir)
    write_complete(out_dir, '01', 'a')
    with pytest.raises(NoInputError, match='sessions'):
        run(out_dir, session_labels=('b',))


def test_a_choice_of_participants(out_dir):
    for label in ('01', '02'):
        write_complete(out_dir, label)
    result = run(out_dir, participant_labels=('02', '99'))
    assert list(read_table(out_dir, 'mriderived.tsv')) == ['sub-02']
    assert result.warnings == ('sub-99 has no output and is not in the tables',)


def test_everything_failed(out_dir):
    participant = Participant(out_dir, '01')
    for measure, variant in (('tissue', None), ('regional', 'DK'), ('quality', None)):
        participant.add(measure, variant, 'failed', 'no memory')
    participant.write()
    result = run(out_dir)
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')['sub-01']
    assert set(reasons.values()) == {'failed: no memory'}
    # Nothing anywhere says which regions the made-up atlas has, and the log says so.
    assert list(reasons) == ['tissue_gm', 'tissue_tiv', 'quality_cjv', 'quality_axes']
    (warning,) = result.warnings
    assert warning.startswith('regional has no columns for DK: nobody has a value')


ATLAS = 'DesikanKilliany'


def write_real_atlas(out_dir, worked):
    """Write one participant, with a volume of every region of an atlas or with failures."""
    table = read_labels(get_label_table(ATLAS))
    labels = list(zip(table['index'], table['name'], strict=True))
    one = Participant(out_dir, '01')
    if worked:
        one.tissue().atlas(labels, ATLAS)
        one.regional([f'{index}.5' for index, _ in labels], labels, ATLAS).quality()
    else:
        for measure, variant in (('tissue', None), ('regional', ATLAS), ('quality', None)):
            one.add(measure, variant, 'failed', 'no memory')
    one.write()
    return labels


def test_the_only_participant_failed_and_the_columns_are_the_same(tmp_path):
    for name, worked in (('worked', True), ('failed', False)):
        labels = write_real_atlas(tmp_path / name, worked)
        assert run(tmp_path / name, atlases=(ATLAS,)).warnings == ()
    for table in ('mriderived.tsv', 'mriderived_reasons.tsv', f'regional_atlas-{ATLAS}.tsv'):
        worked, failed = (
            read_table(tmp_path / name, table)['sub-01'] for name in ('worked', 'failed')
        )
        assert list(failed) == list(worked)
        assert len([name for name in failed if name.startswith('regional_')]) == len(labels)
        missing = 'failed: no memory' if 'reasons' in table else 'n/a'
        assert set(failed.values()) == {missing}
    for name in ('phenotype/mriderived.json', 'phenotype/mriderived_reasons.json'):
        assert (tmp_path / 'failed' / name).read_text() == (tmp_path / 'worked' / name).read_text()
    summaries = [(tmp_path / name / 'logs/group_summary.tsv').read_text().split('\n')
                 for name in ('worked', 'failed')]  # fmt: skip
    assert len(summaries[0]) == len(summaries[1])


def test_label_table_of_a_failed_measure_gives_its_columns(out_dir):
    one = Participant(out_dir, '01').tissue().atlas().quality()
    one.add('regional', 'DK', 'failed', 'no memory').write()
    run(out_dir)
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')['sub-01']
    assert tuple(reasons) == COLUMNS
    assert [reasons[name] for name in COLUMNS[2:5]] == ['failed: no memory'] * 3


def test_a_cohort_that_died_before_any_unit_has_the_planned_columns(tmp_path):
    write_real_atlas(tmp_path / 'worked', True)
    run(tmp_path / 'worked', atlases=(ATLAS,))
    died = Participant(tmp_path / 'died', '01')
    died.image = 'n/a'
    died.add('all', None, 'failed', 'killed').write()
    planned = (('quality', None), ('regional', ATLAS), ('tissue', None))
    run_group(make_config(tmp_path / 'died', atlases=(ATLAS,)), MEASURES, planned)
    expected = read_table(tmp_path / 'worked', 'mriderived.tsv')['sub-01']
    reasons = read_table(tmp_path / 'died', 'mriderived_reasons.tsv')['sub-01']
    assert list(reasons) == list(expected)
    assert set(reasons.values()) == {'failed: killed'}


def test_a_second_run_writes_the_same_and_removes_what_went(out_dir):
    write_complete(out_dir, '01', 'a')
    write_complete(out_dir, '01', 'b')
    (out_dir / 'phenotype').mkdir()
    (out_dir / 'phenotype' / 'mine.tsv').write_text('participant_id\n')
    run(out_dir)
    files = sorted((out_dir / 'phenotype').iterdir())
    before = {path: path.read_bytes() for path in files}
    run(out_dir)
    assert {path: path.read_bytes() for path in files} == before
    run(out_dir, session_labels=('a',))
    left = sorted((out_dir / 'phenotype').iterdir())
    assert [path for path in left if '_ses-b' in path.name] == []
    assert out_dir / 'phenotype' / 'mine.tsv' in left


def test_regions_of_the_same_name_get_their_index(out_dir):
    labels = ((1, 'Area 1'), (2, 'area-1'), (3, 'Other'))
    Participant(out_dir, '01').atlas(labels).regional(labels=labels).write()
    run(out_dir)
    assert list(read_table(out_dir, 'mriderived.tsv')['sub-01']) == [
        'regional_dk_area_1_1_volume',
        'regional_dk_area_1_2_volume',
        'regional_dk_other_volume',
    ]


def test_several_columns_per_region_stand_together(out_dir):
    columns = (Column('volume', 'V.', 'mm3'), Column('n_voxels', 'N.'))
    both = make_measure('regional', columns, 'atlas', ('volume', 'n_voxels'))
    Participant(out_dir, '01').atlas().regional().write()
    run(out_dir, (both,))
    row = read_table(out_dir, 'regional_atlas-DK.tsv')['sub-01']
    assert list(row.items())[:4] == [
        ('regional_dk_left_thalamus_volume', '1.5'),
        ('regional_dk_left_thalamus_n_voxels', '7'),
        ('regional_dk_right_thalamus_volume', '2.5'),
        ('regional_dk_right_thalamus_n_voxels', '7'),
    ]


def test_measure_over_spaces(out_dir):
    measure = make_measure('warp', (Column('strain', 'S.'),), 'space', suffix='qc')
    file = 'sub-01/anat/sub-01_space-MNI_qc.tsv'
    write_table(out_dir / file, ('strain',), [('0.5',)])
    Participant(out_dir, '01').add('warp', 'MNI', outputs=[file]).write()
    result = run(out_dir, (measure,))
    assert str(result.tables[0]) == 'phenotype/warp_mni.tsv'
    assert read_table(out_dir, 'mriderived.tsv')['sub-01'] == {'warp_mni_strain': '0.5'}


def test_a_table_with_too_many_rows_has_no_place(out_dir):
    write_complete(out_dir, '01')
    write_table(out_dir / 'sub-01/anat/sub-01_desc-T1w_qc.tsv', ('cjv',), [('1',), ('2',)])
    run(out_dir)
    reason = read_table(out_dir, 'mriderived_reasons.tsv')['sub-01']['quality_cjv']
    assert reason.endswith('the table has 2 rows instead of one')


def test_outputs_of_a_measure_nobody_passed_are_left_alone(out_dir):
    write_complete(out_dir, '01')
    run(out_dir, (REGIONAL,))
    assert tuple(read_table(out_dir, 'mriderived.tsv')['sub-01']) == COLUMNS[2:5]


def judge_tables(out_dir):
    result = validate_dataset(out_dir, kind='derivatives')
    found = (issue.location for issue in (*result.errors, *result.warnings))
    return [location for location in found if 'phenotype' in location or 'group' in location]


@pytest.mark.parametrize(('session', 'sloppy'), [(None, False), ('a', False), (None, True)])
def test_the_validator_accepts_the_tables(out_dir, session, sloppy):
    write_description(out_dir, sloppy)
    for label in ('01', '02'):
        write_complete(out_dir, label, session)
    Participant(out_dir, '03', session).add('tissue', None, 'failed', 'bad <image>').write()
    run(out_dir)
    write_group_report(out_dir)
    (out_dir / '.bidsignore').write_text(bidsignore())
    assert judge_tables(out_dir) == []


def test_the_validator_refuses_a_table_with_words_as_numbers(out_dir):
    write_complete(out_dir, '01')
    run(out_dir)
    (out_dir / '.bidsignore').write_text(bidsignore())
    table = out_dir / 'phenotype' / 'tissue.tsv'
    table.write_text(table.read_text().replace('600000.125', 'many'))
    assert judge_tables(out_dir) == ['/phenotype/tissue.tsv']


def test_no_two_columns_of_the_real_measures_share_a_name():
    taken = set()
    for measure in (*REAL_MEASURES, *region_measures(REAL_MEASURES)):
        for output in filter(is_cohort_output, measure.outputs):
            source = Source(measure, output, None if measure.over == 'image' else 'Atlas')
            region = ('1', 'Left-Thalamus') if source.has_regions else ('', '')
            keys = [Key(*region, column) for column in source.cohort_columns]
            assert keys, f'{measure.name} declares no columns'
            expected = {snake('_'.join((measure.name, key.region, key.column))) for key in keys}
            names = {column.name for column in name_columns(source, keys, (), taken)}
            assert {name.replace('_atlas', '') for name in names} == expected
    assert 'tissue_volume_gm_volume' in taken
    assert 'regional_volume_atlas_left_thalamus_volume' in taken


@pytest.mark.parametrize('text', ['Hippocampus (L)', '  a--b__c ', 'Ångström', '7Net_LH'])
def test_snake_names_are_stable(text):
    name = snake(text)
    assert name == snake(name)
    assert set(name) <= set('abcdefghijklmnopqrstuvwxyz0123456789_')


@pytest.mark.parametrize('atlas', bundled_atlases())
def test_regions_of_an_atlas_are_those_of_the_tables_that_steps_write(out_dir, atlas):
    table = read_labels(get_label_table(atlas))
    folder = out_dir / 'sub-01/anat'
    folder.mkdir(parents=True)
    file = 'sub-01/anat/sub-01_atlas-X_dseg.tsv'
    table.to_csv(out_dir / file, sep='\t', index=False, na_rep='n/a')
    Participant(out_dir, '01').add('atlas', atlas, outputs=[file]).add(
        'regional', atlas, 'failed', 'no memory'
    ).write()
    run(out_dir, (REGIONAL,))
    header = (out_dir / 'phenotype/mriderived.tsv').read_text().split('\n')[0]
    (out_dir / file).unlink()
    run(out_dir, (REGIONAL,))
    assert (out_dir / 'phenotype/mriderived.tsv').read_text().split('\n')[0] == header
    assert header.count('\t') == len(table)
