from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pytest

from mriderived.bids import sidecar


class Column(NamedTuple):
    name: str
    description: str
    unit: str = '1'
    title: str = ''


@pytest.mark.parametrize('extension', ['.nii.gz', '.tsv', '.h5', '.surf.gii'])
def test_sidecar_lies_beside_the_data(extension: str) -> None:
    path = PurePosixPath(f'sub-01/anat/sub-01_desc-x_T1w{extension}')
    assert str(sidecar.sidecar_path(path)) == 'sub-01/anat/sub-01_desc-x_T1w.json'


def test_content_has_a_fixed_order_and_no_empty_fields() -> None:
    source = sidecar.bids_uri('raw', PurePosixPath('sub-01/anat/sub-01_T1w.nii.gz'))
    content = sidecar.build_sidecar(
        description='A map.', sources=[source], skull_stripped=False, extra={'B': 1, 'A': 2}
    )
    assert list(content) == ['Description', 'Sources', 'SkullStripped', 'B', 'A']
    assert content['Sources'] == ['bids:raw:sub-01/anat/sub-01_T1w.nii.gz']
    assert content['SkullStripped'] is False
    assert sidecar.bids_uri('', 'sub-01/x.tsv') == 'bids::sub-01/x.tsv'


def test_dictionary_of_a_table() -> None:
    columns = [
        Column('volume', 'The volume.', 'mm^3', 'Volume of it'),
        Column('name', 'The region.', ''),
    ]
    assert sidecar.table_dictionary(columns) == {
        'volume': {'LongName': 'Volume of it', 'Description': 'The volume.', 'Units': 'mm^3'},
        'name': {'Description': 'The region.'},
    }
    assert sidecar.table_dictionary(columns, is_derivative=True)['name']['Derivative'] is True


def test_numbers_of_any_kind_become_json(tmp_path: Path) -> None:
    content = {
        'nan': float('nan'),
        'infinite': np.float32('inf'),
        'number': np.float64(0.25),
        'array': np.array([[1, 2]]),
        'path': Path('a/b'),
        'nested': {'list': (1, np.nan)},
        'text': 'µm',
    }
    path = sidecar.write_sidecar(tmp_path / 'new' / 'map.nii.gz', content)
    assert path == tmp_path / 'new' / 'map.json'
    assert json.loads(path.read_text()) == {
        'nan': None,
        'infinite': None,
        'number': 0.25,
        'array': [[1, 2]],
        'path': 'a/b',
        'nested': {'list': [1, None]},
        'text': 'µm',
    }


def test_nothing_half_written_remains(tmp_path: Path) -> None:
    sidecar.write_json(tmp_path / 'a.json', {'x': 1})
    with pytest.raises(TypeError):
        sidecar.write_json(tmp_path / 'a.json', {'x': object()})
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']
    assert sidecar.read_json(tmp_path / 'a.json') == {'x': 1}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'{"x": ', 'is not valid JSON'),
        (b'[1]', 'holds a list, not a JSON object'),
        (b'{"x": "\xff"}', 'is not valid JSON'),
        (None, 'does not exist$'),
    ],
)
def test_unreadable_files_are_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / 'bad.json'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(sidecar.JSONFileError, match=f'{re.escape(str(path))}.*{message}'):
        sidecar.read_json(path)
