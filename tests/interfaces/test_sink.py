import json
from pathlib import Path

import pytest

from mriderived.interfaces import sink
from mriderived.interfaces.sink import remove_partial_files, save_output, write_remarks


def test_data_and_sidecar_stand_side_by_side(tmp_path: Path) -> None:
    made = tmp_path / 'made.tsv'
    made.write_text('a\n1\n')
    target = tmp_path / 'out' / 'sub-01' / 'sub-01_desc-tissue_morph.tsv'
    saved = save_output(made, str(target), {'a': {'Description': 'A.'}})
    assert target.read_text() == 'a\n1\n'
    described = json.loads(target.with_name('sub-01_desc-tissue_morph.json').read_text())
    assert described == {'a': {'Description': 'A.'}}
    assert saved.notes == []


def test_remarks_join_the_sidecar_and_notes_are_returned(tmp_path: Path) -> None:
    made = tmp_path / 't1w.nii.gz'
    made.write_bytes(b'image')
    write_remarks(made, notes=['Brain-extracted already.'], SkullStripped=True)
    target = tmp_path / 'sub-01_desc-preproc_T1w.nii.gz'
    saved = save_output(made, str(target), {'Description': 'D.'})
    described = json.loads(target.with_name('sub-01_desc-preproc_T1w.json').read_text())
    assert described == {'Description': 'D.', 'SkullStripped': True}
    assert saved.notes == ['Brain-extracted already.']


def test_an_interrupted_copy_leaves_no_file_under_the_final_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / 'made.nii.gz'
    made.write_bytes(b'image')

    def half(source: Path, target: Path) -> None:
        target.write_bytes(b'im')
        raise KeyboardInterrupt

    monkeypatch.setattr(sink.shutil, 'copyfile', half)
    target = tmp_path / 'out' / 'image.nii.gz'
    with pytest.raises(KeyboardInterrupt):
        save_output(made, str(target), {})
    assert not target.exists()
    assert len(list(target.parent.glob('.*.partial'))) == 1
    remove_partial_files(tmp_path)
    assert list(target.parent.glob('.*.partial')) == []
