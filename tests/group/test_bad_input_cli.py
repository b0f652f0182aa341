"""Bad input through the command line: the right code, a clear message, and all else written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cohort_outputs import MEASURES, Participant, read_table, write_complete, write_description

from mriderived import cli

PEOPLE = ''.join(f'sub-{n:02d}\t{20 + 3 * n}\t{"FM"[n % 2]}\n' for n in range(1, 9))


@pytest.fixture
def out_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight participants, of whom nobody has the quality; age and sex in the raw dataset."""
    monkeypatch.setattr('mriderived.app.stages.report_measures', lambda out_dir: MEASURES)
    raw, out = tmp_path / 'raw', tmp_path / 'out'
    raw.mkdir()
    (raw / 'dataset_description.json').write_text('{"Name": "B", "BIDSVersion": "1.8.0"}')
    (raw / 'participants.tsv').write_text('participant_id\tage\tsex\n' + PEOPLE)
    write_description(out)
    for number in range(1, 9):
        person = Participant(out, f'{number:02d}').tissue(gm=str(6e5 + 997 * number**2 % 5e4))
        person.atlas().regional().add('quality', status='failed', reason='too dark').write()
    return out


def run(out_dir: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = cli.main([str(out_dir.parent / 'raw'), str(out_dir), 'group', *options])
    said = capsys.readouterr()
    listed = out_dir / 'logs' / 'group.json'
    warnings = json.loads(listed.read_text())['warnings'] if listed.exists() else []
    return code, said.out + said.err + '\n'.join(warnings)


@pytest.mark.parametrize(
    ('people', 'model', 'message'),
    [
        (PEOPLE, 'tissue_gm ~ agee', 'agee is no column of participants.tsv'),
        (PEOPLE, 'quality_cjv ~ age',
         'nobody has a value; phenotype/mriderived_reasons.tsv says why'),
        (PEOPLE + 'sub-01\t3\tF\n', 'tissue_gm ~ age',
         'participants.tsv has more than one row for sub-01: leave one of each'),
        (PEOPLE.replace('sub-0', 'sub-'), 'tissue_gm ~ age',
         'labels differ in leading zeros or in case. Write them alike'),
        ('sub-01\t23\tF\n', 'tissue_gm ~ age', 'one participant makes no model'),
        (PEOPLE.replace('32', '-999'), 'tissue_gm ~ age', 'if it stands for a missing value'),
        (PEOPLE.replace('\tF', '\tf', 1), 'tissue_gm ~ sex', 'spelt in more than one way'),
    ],
)  # fmt: skip
def test_a_model_is_refused_and_all_else_is_there(
    out_dir: Path, capsys: pytest.CaptureFixture[str], people: str, model: str, message: str
) -> None:
    path = out_dir.parent / 'raw' / 'participants.tsv'
    path.write_text('participant_id\tage\tsex\n' + people)
    code, told = run(out_dir, capsys, '--model', model)
    assert code == 1
    assert message in told and 'Refused ' in told
    assert len(read_table(out_dir, 'mriderived.tsv')) == 8
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    assert {row['quality_cjv'] for row in reasons.values()} == {'failed: too dark'}
    assert (out_dir / 'group.html').exists() and not list((out_dir / 'models').glob('model-*'))


def test_one_participant_has_a_table_and_no_statistics(
    out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = run(out_dir, capsys, '--participant-label', '01', '--model', 'tissue_gm ~ age')
    assert code == 1 and 'Refused tissue_gm ~ age' in told
    assert list(read_table(out_dir, 'mriderived.tsv')) == ['sub-01']
    code, told = run(out_dir, capsys, '--participant-label', '01')
    assert code == 0 and '1 participant,' in told


def test_a_half_finished_participant_keeps_what_there_is(
    out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = write_complete(out_dir, '09')
    (out_dir / f'{half.stem}_atlas-DK_morph.tsv').write_text('index\tname\tvol')
    (out_dir / 'sub-10' / 'anat').mkdir(parents=True)
    code, told = run(out_dir, capsys)
    assert code == 0
    assert 'sub-09: sub-09/anat/sub-09_atlas-DK_morph.tsv: the file is cut off' in told
    assert 'sub-10: there are outputs but no record' in told
    table = read_table(out_dir, 'mriderived.tsv')
    assert table['sub-09']['tissue_gm'] == '600000.125'
    assert table['sub-09']['regional_dk_left_thalamus_volume'] == 'n/a'
    assert 'sub-10' not in table and len(table) == 9


def test_a_folder_of_another_version_is_refused_whole(
    out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = out_dir / 'dataset_description.json'
    path.write_text(path.read_text().replace('"Version": "0.1.0"', '"Version": "0.0.1"'))
    code, told = run(out_dir, capsys)
    assert code == 73 and 'version 0.0.1' in told and 'must not mix' in told
    assert not (out_dir / 'phenotype').exists()
