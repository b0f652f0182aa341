from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mriderived import __version__
from mriderived.bids import description
from mriderived.bids.description import OutputMismatchError
from mriderived.config import Config, replace


@pytest.fixture
def config(skeleton: Callable[[str], Path], tmp_path: Path) -> Config:
    out_dir = tmp_path / 'out'
    return Config(bids_dir=skeleton('single'), out_dir=out_dir, work_dir=out_dir / 'work')


def write(config: Config) -> dict[str, Any]:
    description.write_description(config.out_dir, config.bids_dir, config)
    content = json.loads((config.out_dir / 'dataset_description.json').read_text())
    assert isinstance(content, dict)
    return content


def edit_raw(config: Config, **fields: object) -> None:
    path = config.bids_dir / 'dataset_description.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_description_tells_origin_and_settings(config: Config) -> None:
    content = write(config)
    assert content['DatasetType'] == 'derivative'
    assert content['License'] == 'CC0'
    assert content['DatasetLinks'] == {'raw': '../single'}
    (generator,) = content['GeneratedBy']
    assert generator['Name'] == 'mriderived'
    assert generator['Version'] == __version__
    assert generator['ConfigurationHash'] == config.hash
    assert generator['Configuration']['random_seed'] == 42
    assert 'SourceDatasets' not in content
    assert '*_xfm.*' in (config.out_dir / '.bidsignore').read_text().splitlines()


def test_doi_and_version_of_the_source(config: Config) -> None:
    edit_raw(config, DatasetDOI='10.18112/openneuro.ds002748.v1.0.5')
    assert write(config)['SourceDatasets'] == [
        {'DOI': 'doi:10.18112/openneuro.ds002748.v1.0.5', 'Version': '1.0.5'}
    ]


@pytest.mark.parametrize('prefix', ['doi:', 'https://doi.org/'])
def test_doi_is_written_one_way(config: Config, prefix: str) -> None:
    edit_raw(config, DatasetDOI=f'{prefix}10.5072/x')
    assert write(config)['SourceDatasets'] == [{'DOI': 'doi:10.5072/x'}]


def test_container_is_told(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MRIDERIVED_DOCKER_TAG', 'mriderived:0.1.0')
    docker = write(config)['GeneratedBy'][0]['Container']
    assert docker == {'Type': 'docker', 'Tag': 'mriderived:0.1.0'}
    monkeypatch.setenv('APPTAINER_CONTAINER', '/home/someone/mriderived.sif')
    apptainer = write(config)['GeneratedBy'][0]['Container']
    assert apptainer == {'Type': 'apptainer', 'Tag': 'mriderived.sif'}


def test_writing_again_changes_nothing(config: Config) -> None:
    write(config)
    files = sorted(p for p in config.out_dir.rglob('*') if p.is_file())
    before = [path.read_bytes() for path in files]
    write(replace(config, measures=('volumes',), nprocs=2))
    assert sorted(p for p in config.out_dir.rglob('*') if p.is_file()) == files
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize('names', [[], ['work', 'logs', '.DS_Store']])
def test_empty_folders_are_taken(config: Config, names: list[str]) -> None:
    config.out_dir.mkdir()
    for name in names:
        (config.out_dir / name).mkdir()
    description.check_output_folder(config.out_dir, config)


def test_work_folder_elsewhere_in_the_outputs_is_no_stranger(config: Config) -> None:
    (config.out_dir / 'scratch' / 'deep').mkdir(parents=True)
    deep = replace(config, work_dir=config.out_dir / 'scratch' / 'deep')
    description.check_output_folder(config.out_dir, deep)
    with pytest.raises(OutputMismatchError, match=r'other files \(scratch\)'):
        description.check_output_folder(config.out_dir, config)


def test_the_raw_dataset_is_no_output_folder(config: Config) -> None:
    with pytest.raises(OutputMismatchError, match='is the raw dataset itself'):
        description.check_output_folder(config.bids_dir, config)


def test_unrelated_folders_are_refused(config: Config, tmp_path: Path) -> None:
    (config.out_dir / 'holiday').mkdir(parents=True)
    with pytest.raises(OutputMismatchError, match=r'holds other files \(holiday\)'):
        description.check_output_folder(config.out_dir, config)
    (tmp_path / 'file').write_text('x')
    with pytest.raises(OutputMismatchError, match='is a file'):
        description.check_output_folder(tmp_path / 'file', config)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'is not valid JSON'),
        ('{"Name": "raw"}', 'not made by mriderived'),
        ('{"GeneratedBy": [{"Name": "fMRIPrep"}]}', 'made by fMRIPrep'),
    ],
)
def test_datasets_of_others_are_refused(config: Config, content: str, message: str) -> None:
    config.out_dir.mkdir()
    (config.out_dir / 'dataset_description.json').write_text(content)
    with pytest.raises(OutputMismatchError, match=message):
        description.check_output_folder(config.out_dir, config)


def test_other_settings_are_refused_and_named(config: Config) -> None:
    write(config)
    other = replace(config, random_seed=7, sloppy=True)
    with pytest.raises(OutputMismatchError) as caught:
        description.check_output_folder(config.out_dir, other)
    message = str(caught.value)
    assert 'random_seed = 42 (now 7), sloppy = False (now True)' in message
    assert 'skull_strip' not in message
    assert 'choose another output folder' in message


def test_another_version_is_refused_and_named(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config)
    monkeypatch.setattr('mriderived.config.__version__', '99.0')
    monkeypatch.setattr(description, '__version__', '99.0')
    with pytest.raises(OutputMismatchError, match=rf'version {__version__} \(now 99.0\)'):
        description.check_output_folder(config.out_dir, config)


def test_another_filter_file_is_refused(config: Config, tmp_path: Path) -> None:
    path = tmp_path / 'filters.json'
    path.write_text('{"t1w": {"run": 1}}')
    filtered = replace(config, bids_filter_file=path)
    write(filtered)
    description.check_output_folder(config.out_dir, filtered)
    path.write_text('{"t1w": {"run": 2}}')
    with pytest.raises(OutputMismatchError, match='bids_filter_file = '):
        description.check_output_folder(config.out_dir, filtered)


def _write_with_seed(config: Config, seed: int, outcomes: multiprocessing.Queue[int]) -> None:
    try:
        write(replace(config, random_seed=seed))
    except OutputMismatchError:
        outcomes.put(-seed)
    else:
        outcomes.put(seed)


def test_of_two_first_runs_with_different_settings_one_goes_on(config: Config) -> None:
    context = multiprocessing.get_context('fork')
    outcomes: multiprocessing.Queue[int] = context.Queue()
    runs = [
        context.Process(target=_write_with_seed, args=(config, seed, outcomes)) for seed in (1, 2)
    ]
    for run in runs:
        run.start()
    seeds = [outcomes.get(timeout=60) for _ in runs]
    for run in runs:
        run.join()
    winners = [seed for seed in seeds if seed > 0]
    assert len(winners) == 1
    content = json.loads((config.out_dir / 'dataset_description.json').read_text())
    assert content['GeneratedBy'][0]['Configuration']['random_seed'] == winners[0]


def test_atlas_description(tmp_path: Path) -> None:
    path = description.write_atlas_description(
        tmp_path, 'Schaefer200', name='Schaefer 2018', licence='MIT', description='Cortex.'
    )
    assert path == tmp_path / 'atlas-Schaefer200_description.json'
    assert json.loads(path.read_text()) == {
        'AtlasName': 'Schaefer 2018',
        'License': 'MIT',
        'Description': 'Cortex.',
    }


def model(tmp_path: Path, response: str) -> Path:
    """Write a model of a task with a response."""
    steps = [{'Name': 'Factor', 'Input': ['trial_type']},
             {'Name': 'Convolve', 'Input': ['trial_type.a'], 'Model': response}]  # fmt: skip
    node = {
        'Level': 'Run',
        'Transformations': {'Instructions': steps},
        'Model': {'X': ['trial_type.a']},
        'DummyContrasts': {'Test': 't'},
    }
    path = tmp_path / f'{response}_smdl.json'
    path.write_text(json.dumps({'Input': {'task': 'a'}, 'Nodes': [node]}))
    return path


def test_a_folder_takes_one_model_of_tasks_at_any_time(config: Config, tmp_path: Path) -> None:
    write(config)
    with_model = replace(config, task_model=model(tmp_path, 'spm'))
    write(with_model)
    assert (config.out_dir / 'logs' / 'task_model.json').exists()
    write(with_model)
    write(config)  # without it, its measures are not run
    with pytest.raises(OutputMismatchError, match='results of another --task-model'):
        write(replace(config, task_model=model(tmp_path, 'glover')))
