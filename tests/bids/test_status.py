"""Records of units, whole and broken, and the table of all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mriderived.bids.status import (
    COLUMNS,
    RecordError,
    UnitRecord,
    find_record,
    read_record,
    record_file,
    shorten_paths,
    write_record,
    write_status_table,
)

UNIT = UnitRecord('02', 'a', 'sub-02/anat/x.nii.gz', 'brain', None, 'failed', 'no\nbrain',
                  notes=('dark',), outputs=('a.tsv',))  # fmt: skip


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_record(tmp_path, '02') == ()
    write_record(tmp_path, '02', [UNIT])
    assert read_record(tmp_path, '02') == (UNIT,)


@pytest.mark.parametrize('text', [
    '', '[{"participant": "01", ', '{}x', '{"a": 1}', '3', 'null', '[3]', '[{}]',
    json.dumps([{'participant': '01', 'notes': [], 'outputs': [], 'colour': 'red'}]), '\udcff',
])  # fmt: skip
def test_a_broken_record_names_the_file_and_the_remedy(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = record_file(tmp_path, '01')
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode('utf-8', 'surrogateescape'))
    expected = re.escape(f'{path} is not a record of units (') + r'.*\): run sub-01 again$'
    with pytest.raises(RecordError, match=expected):
        read_record(tmp_path, '01')
    assert find_record(tmp_path, '01') == ()
    assert re.search('WARNING.*Taken as no record: ' + re.escape(str(path)), caplog.text)


def test_the_table_is_written_without_a_broken_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_record(tmp_path, '02', [UNIT])
    record_file(tmp_path, '01').parent.mkdir()
    record_file(tmp_path, '01').write_text('[{"participant": "01", ')
    write_status_table(tmp_path)
    assert (tmp_path / 'status.tsv').read_text().splitlines() == [
        '\t'.join(COLUMNS),
        'sub-02\tses-a\tsub-02/anat/x.nii.gz\tbrain\tn/a\tfailed\tno brain',
    ]
    assert 'sub-01/units.json is not a record' in caplog.text


def test_paths_are_told_below_the_folders_that_hold_them(tmp_path: Path) -> None:
    data, out = tmp_path / 'data', tmp_path / 'data' / 'derivatives' / 'out'
    out.mkdir(parents=True)
    link = tmp_path / 'link'
    link.symlink_to(data)
    text = f"'{out}/a.tsv', {data}/b.nii: {link}/c, /mnt{data}/d, {data}"
    expected = f"'a.tsv', b.nii: c, /mnt{data}/d, {data}"
    assert shorten_paths(text, link, out, Path('/')) == expected
