"""Files are read once, again when they have changed, and only looked at for a preview."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.bids import known_files
from mriderived.bids.known_files import Finding, KnownFiles, Look, hash_file
from mriderived.bids.nifti_reading import BadImageError, looks_whole

FINDINGS: tuple[Finding, ...] = (('negative_values', 0.1, 'Some.'), ('cropped', 'top', 'Cut.'))


@pytest.fixture(autouse=True)
def all_have_rested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_files, 'REST', -1.0)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / 'bids' / 'sub-01' / 'anat' / 'sub-01_T1w.nii.gz'
    path.parent.mkdir(parents=True)
    data = np.arange(1000, dtype=np.int16).reshape(10, 10, 10)
    nb.save(nb.Nifti1Image(data, np.eye(4)), path)
    return path


def files(tmp_path: Path, *, is_preview: bool = False) -> KnownFiles:
    return KnownFiles(tmp_path / 'known.json', tmp_path / 'bids', is_preview=is_preview)


class Reader:
    """A look that counts how often it reads."""

    def __init__(self, fault: BadImageError | None = None) -> None:
        self.count = 0
        self.fault = fault

    def __call__(self, path: Path) -> tuple[Finding, ...]:
        self.count += 1
        if self.fault:
            raise self.fault
        return FINDINGS


def test_a_file_is_read_once_whoever_asks(tmp_path: Path, image: Path) -> None:
    known, reader = files(tmp_path), Reader()
    look: Look = known.remembering(reader)
    assert look(image) == look(image) == FINDINGS
    content = known.hash(image)
    assert content == hash_file(image)
    known.save()
    again = files(tmp_path)
    assert again.remembering(reader)(image) == FINDINGS
    assert again.hash(image) == content
    assert reader.count == 1
    assert str(tmp_path) not in (tmp_path / 'known.json').read_text()


def test_nothing_is_written_where_nothing_is_new(tmp_path: Path, image: Path) -> None:
    known = files(tmp_path)
    known.hash(image)
    known.save()
    before = (tmp_path / 'known.json').stat().st_mtime_ns
    again = files(tmp_path)
    again.hash(image)
    again.save()
    assert (tmp_path / 'known.json').stat().st_mtime_ns == before


@pytest.mark.parametrize('way', ['other length', 'same length and time', 'another file', 'copy'])
def test_a_file_that_changed_is_read_again(tmp_path: Path, image: Path, way: str) -> None:
    known, reader = files(tmp_path), Reader()
    known.remembering(reader)(image)
    before = known.hash(image)
    stat, content = image.stat(), bytearray(image.read_bytes())
    content[-5] ^= 1
    if way == 'other length':
        image.write_bytes(content + b'\0')
    elif way == 'same length and time':
        image.write_bytes(content)
        os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif way == 'another file':
        (tmp_path / 'other').write_bytes(content)
        os.utime(tmp_path / 'other', ns=(stat.st_atime_ns, stat.st_mtime_ns))
        (tmp_path / 'other').replace(image)
    else:  # of the same content: a new file all the same
        image.rename(tmp_path / 'moved')
        image.write_bytes((tmp_path / 'moved').read_bytes())
    known.remembering(reader)(image)
    assert reader.count == 2
    assert (known.hash(image) == before) is (way == 'copy')


def test_a_file_that_is_still_young_is_not_kept(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_files, 'REST', 1000.0)
    known, reader = files(tmp_path), Reader()
    known.remembering(reader)(image)
    known.remembering(reader)(image)
    known.save()
    assert reader.count == 2
    assert not (tmp_path / 'known.json').exists()


def test_a_fault_is_kept_with_its_remedy(tmp_path: Path, image: Path) -> None:
    fault = BadImageError(image, 'it is cut off', 'Copy it again.')
    known, reader = files(tmp_path), Reader(fault)
    for _ in range(2):
        with pytest.raises(BadImageError, match=r'sub-01_T1w.nii.gz: it is cut off. Copy it'):
            known.remembering(reader)(image)
    known.save()
    with pytest.raises(BadImageError, match='it is cut off'):
        files(tmp_path, is_preview=True).remembering(reader)(image)
    assert reader.count == 1


def test_missing_permission_is_asked_for_again(tmp_path: Path, image: Path) -> None:
    fault = BadImageError(image, 'the file may not be read', 'Allow it.')
    fault.__cause__ = PermissionError()
    known, reader = files(tmp_path), Reader(fault)
    for _ in range(2):
        with pytest.raises(BadImageError, match='may not be read'):
            known.remembering(reader)(image)
    assert reader.count == 2


def test_a_preview_reads_only_what_cannot_be_whole(tmp_path: Path, image: Path) -> None:
    known, reader = files(tmp_path, is_preview=True), Reader()
    assert known.remembering(reader)(image) == ()
    assert (reader.count, known.unread) == (0, {image})
    image.write_bytes(image.read_bytes()[:-300])
    known = files(tmp_path, is_preview=True)
    assert known.remembering(reader)(image) == FINDINGS
    assert (reader.count, known.unread) == (1, set())


@pytest.mark.parametrize('content', [
    'not JSON', '[]', '{"version": "another", "files": {}}', '{"files": 3}',
])  # fmt: skip
def test_what_cannot_be_used_is_forgotten(
    tmp_path: Path, image: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'known.json').write_text(content)
    known = files(tmp_path)
    assert known.hash(image) == hash_file(image)
    known.save()
    assert list(json.loads((tmp_path / 'known.json').read_text())['files']) == [
        'sub-01/anat/sub-01_T1w.nii.gz'
    ]
    assert ('every file is read again' in caplog.text) is ('another' not in content)


def test_what_is_gone_is_forgotten(tmp_path: Path, image: Path) -> None:
    known = files(tmp_path)
    known.hash(image)
    image.unlink()
    known.save()
    assert json.loads((tmp_path / 'known.json').read_text())['files'] == {}


@pytest.mark.parametrize(('extension', 'cut', 'expected'), [
    ('.nii.gz', 0, True), ('.nii.gz', 1, False), ('.nii.gz', 500, False),
    ('.nii', 0, True), ('.nii', 1, False),
])  # fmt: skip
def test_the_ends_tell_whether_a_file_is_whole(
    tmp_path: Path, image: Path, extension: str, cut: int, expected: bool
) -> None:
    path = tmp_path / f'x{extension}'
    content = image.read_bytes()
    content = content if extension == '.nii.gz' else gzip.decompress(content)
    path.write_bytes(content[: len(content) - cut])
    assert looks_whole(path) is expected


def test_several_streams_in_one_file_do_not_look_whole(tmp_path: Path, image: Path) -> None:
    content = gzip.decompress(image.read_bytes())
    path = tmp_path / 'x.nii.gz'
    path.write_bytes(gzip.compress(content[:999]) + gzip.compress(content[999:]))
    assert not looks_whole(path)  # and is read, which shows that it is
