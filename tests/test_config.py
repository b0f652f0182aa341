"""The settings as a file, and their fingerprint."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from mriderived import __version__
from mriderived.config import DECISIVE, Config, read_config, replace

PLAIN = Config(bids_dir=Path('/data/b'), out_dir=Path('/data/o'), work_dir=Path('/data/o/work'))
FULL = Config(
    bids_dir=Path('/data/Zürich "a" \\ 𝔅'),
    out_dir=Path('/data/o'),
    work_dir=Path('/data/w'),
    level='group',
    participant_labels=('01', 'x"y'),
    bids_filter_file=Path('/data/filter.json'),
    measures=('tissue_volumes',),
    skull_strip='skip',
    anat_backend='deepmriprep',
    device='cpu',
    export='enigma',
    alff_definition='deviation',
    reho_neighbours='7',
    tracking_algorithm='deterministic',
    tracking_seeds=1_000_000,
    task_model=Path('/data/model_smdl.json'),
    wmh_model=Path('/data/network.pt'),
    t1t2_calibration='eyes-muscle',
    random_seed=7,
    mem_gb=7.5,
    sloppy=True,
    nprocs=3,
    verbose=2,
)


@pytest.mark.parametrize('config', [PLAIN, FULL], ids=['plain', 'full'])
def test_round_trip(config: Config, tmp_path: Path) -> None:
    path = tmp_path / 'run.toml'
    path.write_text(config.to_toml(), encoding='utf-8')
    assert Config(**read_config(path)) == config


def test_the_file_tells_the_version() -> None:
    assert tomllib.loads(PLAIN.to_toml())['version'] == __version__


def test_every_fault_of_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'bad.toml'
    path.write_text(
        'nprocs = "two"\nskull_strip = "maybe"\nanat_backend = "other"\nexport = "csv"\n'
        'measure = ["x"]\nsloppy = 1\natlases = "A"\n'
        'random_seed = 4\nmem_gb = true\nwork_dir = 3\n'
    )
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read_config(path)
    for name in ('nprocs', 'skull_strip', 'anat_backend', 'measure is not', 'sloppy', 'atlases',
                 'export', 'mem_gb', 'work_dir'):  # fmt: skip
        assert name in str(caught.value)
    assert 'random_seed' not in str(caught.value)


@pytest.mark.parametrize('content', [b'nprocs = = 2', b'\xff\xfe'])
def test_not_toml(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / 'bad.toml'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'bad\.toml is not valid TOML'):
        read_config(path)


@pytest.mark.parametrize(('name', 'value'), [
    ('skull_strip', 'force'), ('anat_backend', 'deepmriprep'), ('random_seed', 1),
    ('sloppy', True), ('t1t2_calibration', 'csf-wm'),
])  # fmt: skip
def test_what_changes_a_number_changes_the_hash(name: str, value: object) -> None:
    assert name in DECISIVE
    assert replace(PLAIN, **{name: value}).hash != PLAIN.hash


def test_what_changes_no_number_does_not() -> None:
    other = {
        'nprocs': 9, 'omp_nthreads': 4, 'mem_gb': 1.5, 'verbose': 1, 'work_dir': Path('/w'),
        'participant_labels': ('01',), 'measures': ('x',), 'device': 'cuda', 'level': 'group',
    }  # fmt: skip
    assert replace(PLAIN, **other).hash == PLAIN.hash


def test_a_filter_file_counts_by_its_content(tmp_path: Path) -> None:
    one, two = tmp_path / 'one.json', tmp_path / 'two.json'
    one.write_text('{"t1w": {"run": 1, "acquisition": null}, "bold": {}}')
    two.write_text('{"bold":{},\n "t1w": {"acquisition": null,\t"run": 1}}')
    hashes = {replace(PLAIN, bids_filter_file=path).hash for path in (one, two)}
    assert len(hashes) == 1
    two.write_text('{"t1w": {"run": 2}}')
    assert replace(PLAIN, bids_filter_file=two).hash not in hashes


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PLAIN.nprocs = 2  # type: ignore[misc]


def test_the_definition_of_alff_decides_on_numbers_and_the_model_of_tasks_adds_some() -> None:
    assert replace(PLAIN, alff_definition='deviation').hash != PLAIN.hash
    assert replace(PLAIN, reho_neighbours='19').hash != PLAIN.hash
    assert replace(PLAIN, tracking_algorithm='deterministic').hash != PLAIN.hash
    assert replace(PLAIN, tracking_seeds=1_000_000).hash != PLAIN.hash
    assert replace(PLAIN, task_model=Path('/data/model.json')).hash == PLAIN.hash
