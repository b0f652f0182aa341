"""Columns of measures that have a value only in the cortex: no others, whoever failed."""

import pytest
from cohort_outputs import (
    Participant,
    make_config,
    make_measure,
    read_table,
    write_description,
    write_table,
)

from mriderived.group.stage import run_group
from mriderived.measures.registry import ALL_MEASURES
from mriderived.spaces import get_label_table
from mriderived.spaces.labels import read_table as read_labels

ATLAS = 'DesikanKilliany'
REAL = {measure.name: measure for measure in ALL_MEASURES}
CORTICAL = ('thickness_regions', 'surface_regions')
#: One that is there in every run, so that there is a table at all.
BRAIN = make_measure('brain', (), desc='brain')


def regions(tissue=None, atlas=ATLAS):
    table = read_labels(get_label_table(atlas))
    if tissue:
        table = table[table['tissue'] == tissue]
    return list(zip(table['index'], table['name'], table['hemisphere'], strict=True))


def write_atlas(one, atlas=ATLAS):
    table = read_labels(get_label_table(atlas))
    file = f'{one.stem}_atlas-{atlas}_dseg.tsv'
    columns = ['index', 'name', 'hemisphere', 'tissue']
    write_table(one.out_dir / file, columns, table[columns].itertuples(index=False))
    return one.add('atlas', atlas, outputs=[file])


def write_values(one, name, atlas=ATLAS):
    """Write the table that the measure would, with a value that counts the rows."""
    (output,) = REAL[name].outputs
    header = [column.name for column in output.columns]
    desc = f'_desc-{output.entities["desc"]}' if 'desc' in output.entities else ''
    file = f'{one.stem}_atlas-{atlas}{desc}_{output.suffix}.tsv'
    rows = [
        [{'index': index, 'name': label, 'hemisphere': side}.get(column, place + 0.5)
         for column in header]
        for place, (index, label, side) in enumerate(regions('cortex', atlas))
    ]  # fmt: skip
    write_table(one.out_dir / file, header, rows)
    return one.add(name, atlas, outputs=[file])


def columns_of(out_dir, name, atlas=ATLAS, planned=()):
    config = make_config(out_dir, atlases=(atlas,))
    result = run_group(config, (BRAIN, REAL[name]), planned)
    assert result.warnings == ()
    return read_table(out_dir, 'mriderived.tsv'), read_table(out_dir, 'mriderived_reasons.tsv')


@pytest.mark.parametrize('name', CORTICAL)
@pytest.mark.parametrize('has_labels', [True, False])
def test_a_failure_has_the_columns_of_a_success(tmp_path, name, has_labels):
    tables = {}
    for folder in ('worked', 'failed'):
        out_dir = tmp_path / folder
        write_description(out_dir)
        one = Participant(out_dir, '01')
        if has_labels or folder == 'worked':
            write_atlas(one)
        if folder == 'worked':
            write_values(one, name)
        else:
            one.add(name, ATLAS, 'failed', 'left hemisphere: the hemisphere is empty')
        one.write()
        tables[folder] = columns_of(out_dir, name)
    worked, failed = (tables[folder][0]['sub-01'] for folder in ('worked', 'failed'))
    cohort = REAL[name].outputs[0].cohort_columns
    assert len(failed) == len(regions('cortex')) * len(cohort)
    assert len(regions('cortex')) == 68
    assert list(failed) == list(worked)
    assert not [column for column in failed if 'thalamus' in column or 'ventricle' in column]
    assert set(failed.values()) == {'n/a'}
    assert worked[list(worked)[len(cohort)]] == '1.5'
    reasons = tables['failed'][1]['sub-01']
    assert set(reasons.values()) == {'failed: left hemisphere: the hemisphere is empty'}


@pytest.mark.parametrize('name', CORTICAL)
def test_planned_columns_are_those_of_the_cortex(tmp_path, name):
    write_description(tmp_path)
    died = Participant(tmp_path, '01')
    died.image = 'n/a'
    died.add('all', None, 'failed', 'killed').write()
    values, _ = columns_of(tmp_path, name, planned=((name, ATLAS),))
    cohort = REAL[name].outputs[0].cohort_columns
    assert len(values['sub-01']) == 68 * len(cohort)


@pytest.mark.parametrize('name', CORTICAL)
@pytest.mark.parametrize('worked', [True, False])
def test_an_atlas_without_cortex_has_no_columns(tmp_path, name, worked):
    write_description(tmp_path)
    one = write_atlas(Participant(tmp_path, '01'), 'SUIT')
    if worked:
        write_values(one, name, 'SUIT')
    else:
        one.add(name, 'SUIT', 'failed', 'no memory')
    one.write()
    values, _ = columns_of(tmp_path, name, 'SUIT')
    assert values == {'sub-01': {}}


def test_opt_in_measures_have_columns_only_where_they_ran(tmp_path):
    """Those of the second opinion are not in the table of a cohort that did not ask for it."""
    write_description(tmp_path)
    one = write_values(write_atlas(Participant(tmp_path, '01')), 'thickness_regions').write()
    assert one.units
    run_group(make_config(tmp_path, atlases=(ATLAS,)), tuple(REAL.values()))
    names = list(read_table(tmp_path, 'mriderived.tsv')['sub-01'])
    assert names
    assert not [name for name in names if 'laplace' in name]
