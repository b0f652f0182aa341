"""Without the weights of the networks, a run does not begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesion_networks import Bright, write_lesion_network
from mriderived import cli
from mriderived.app.backend_checks import check_backend, check_wmh_model
from mriderived.app.checks import check_settings
from mriderived.app.exit_codes import ExitCode
from mriderived.app.settings import share_threads
from mriderived.config import NETWORKS_GB, PARTICIPANT_GB, Config, replace
from mriderived.interfaces.network_weights import FILES, SOURCE, VARIABLE
from network_fakes import write_fakes


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv(VARIABLE, str(tmp_path / 'models'))
    out_dir = tmp_path / 'out'
    return Config(tmp_path / 'bids', out_dir, out_dir / 'work', anat_backend='deepmriprep')


def test_every_missing_file_is_named_with_its_place_and_source(config: Config) -> None:
    (problem,) = check_backend(config)
    assert problem.code is ExitCode.NO_INPUT == 66
    assert '21 of 21 files of weights are missing in' in problem.message
    assert str(config.bids_dir.parent / 'models') in problem.message
    assert all(name in problem.message for name in FILES)
    for text in (SOURCE, VARIABLE, 'COPY', '/opt/deepmriprep', '--anat-backend builtin'):
        assert text in problem.remedy
    assert problem in check_settings(config)


def test_the_command_ends_with_66_and_writes_nothing(
    config: Config, skeleton, capsys: pytest.CaptureFixture[str]
) -> None:
    bids_dir = skeleton('single')
    words = [str(bids_dir), str(config.out_dir), 'participant', '--skip-bids-validation']
    assert cli.main([*words, '--anat-backend', 'deepmriprep']) == 66
    said = capsys.readouterr().err
    assert 'segmentation_patch_17_model.pt, segmentation_nogm_model.pt, warp_model.pt' in said
    assert not config.out_dir.exists()


def test_the_folder_of_the_package_is_named_by_default(config: Config, monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE)
    (problem,) = check_backend(config)
    assert 'deepmriprep/data/models: segmentation_model.pt' in problem.message


def test_broken_files_are_named(config: Config, tmp_path: Path) -> None:
    folder = write_fakes(tmp_path / 'models')
    (folder / 'warp_model.pt').write_bytes(b'<html>404</html>')
    (folder / 'segmentation_model.pt').unlink()
    missing, broken = check_backend(config)
    assert '1 of 21 files of weights are missing' in missing.message
    assert missing.message.endswith(': segmentation_model.pt.')
    assert broken.message.endswith('TorchScript archives: warp_model.pt.')
    assert broken.code is ExitCode.BAD_DATA


def test_complete_weights_pass(config: Config, tmp_path: Path) -> None:
    write_fakes(tmp_path / 'models')
    assert list(check_backend(config)) == []


@pytest.mark.parametrize('settings', [
    {'anat_backend': 'builtin'}, {'level': 'group'}, {'reports_only': True},
])  # fmt: skip
def test_a_run_without_networks_needs_no_weights(config: Config, settings: dict) -> None:
    assert list(check_backend(replace(config, **settings))) == []


def test_networks_count_with_more_memory(config: Config) -> None:
    assert config.participant_gb == NETWORKS_GB > PARTICIPANT_GB
    assert replace(config, anat_backend='builtin').participant_gb == PARTICIPANT_GB
    assert share_threads(16, 24.0, 100, NETWORKS_GB) == 8
    assert share_threads(16, 24.0, 100) == 4


@pytest.mark.parametrize(('content', 'code', 'message'), [
    (None, 66, 'tiny.pt is not there'),
    (b'<html>404</html>', 65, 'tiny.pt is cut off or no network'),
])  # fmt: skip
def test_a_network_for_lesions_that_is_none_ends_the_command(
    content: bytes | None, code: int, message: str, tmp_path: Path, skeleton,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / 'tiny.pt'
    if content is not None:
        path.write_bytes(content)
    words = [str(skeleton('single')), str(tmp_path / 'out'), 'participant']
    assert cli.main([*words, '--skip-bids-validation', '--wmh-model', str(path)]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_a_network_for_lesions_passes_and_counts_with_memory(
    config: Config, tmp_path: Path
) -> None:
    path = write_lesion_network(tmp_path / 'tiny.pt', Bright())
    plain = replace(config, anat_backend='builtin', wmh_model=path)
    assert list(check_wmh_model(plain)) == []
    assert plain.participant_gb == NETWORKS_GB
    path.with_suffix('.json').write_text('{"Result": "?"}')
    (problem,) = check_wmh_model(plain)
    assert "tiny.json: Result is '?'" in problem.message
    assert problem.code is ExitCode.BAD_DATA
