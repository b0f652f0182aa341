"""Columns of the structures of the brain: the same ones, whoever failed."""

import pytest
from cohort_outputs import Participant, make_config, read_table, write_description, write_table

from mriderived.group.stage import run_group
from mriderived.measures.structure_volume import STRUCTURE_VOLUME
from mriderived.spaces import get_label_table
from mriderived.spaces.structures import ATLAS, read_structures

REASON = 'the brain mask is empty'


def write_one(out_dir, status):
    """Write one participant, with a table as the measure writes it or with a failure."""
    write_description(out_dir)
    one = Participant(out_dir, '01')
    if status == 'died':
        one.image = 'n/a'
        return one.add('all', None, 'failed', REASON).write()
    if status != 'done':
        return one.add(STRUCTURE_VOLUME.name, None, status, REASON).write()
    (output,) = STRUCTURE_VOLUME.outputs
    header = [column.name for column in output.columns]
    structures = read_structures(get_label_table(ATLAS))
    rows = [
        [{'index': index, 'name': name}.get(column, place + 0.5) for column in header]
        for place, (index, name) in enumerate(
            zip(structures['index'], structures['name'], strict=True)
        )
    ]
    file = f'{one.stem}_seg-aseg_{output.suffix}.tsv'
    write_table(out_dir / file, header, rows)
    return one.add(STRUCTURE_VOLUME.name, outputs=[file]).write()


@pytest.mark.parametrize('status', ['failed', 'skipped', 'died'])
def test_who_failed_has_the_columns_of_who_succeeded(tmp_path, status):
    names = {}
    for folder, fate in (('worked', 'done'), ('failed', status)):
        write_one(tmp_path / folder, fate)
        config = make_config(tmp_path / folder, atlases=(ATLAS,))
        result = run_group(config, (STRUCTURE_VOLUME,), ((STRUCTURE_VOLUME.name, None),))
        assert result.warnings == ()
        names[folder] = list(read_table(tmp_path / folder, 'mriderived.tsv')['sub-01'])
    (output,) = STRUCTURE_VOLUME.outputs
    structures = read_structures(get_label_table(ATLAS))
    assert names['failed'] == names['worked']
    assert len(names['failed']) == len(structures) * len(output.cohort_columns)
    assert 'structure_volume_left_thalamus_proper_volume' in names['failed']
    values = read_table(tmp_path / 'failed', 'mriderived.tsv')['sub-01']
    assert set(values.values()) == {'n/a'}
    reasons = read_table(tmp_path / 'failed', 'mriderived_reasons.tsv')['sub-01']
    assert set(reasons.values()) == {f'{"failed" if status == "died" else status}: {REASON}'}
    worked = read_table(tmp_path / 'worked', 'mriderived.tsv')['sub-01']
    assert 'n/a' not in worked.values()
