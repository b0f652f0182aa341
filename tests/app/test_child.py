"""What the process of a participant writes beside the outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mriderived
from mriderived.app import provenance
from mriderived.app.child import report_measures
from mriderived.app.provenance import write_provenance
from mriderived.bids.description import build_description
from mriderived.config import AnatBackend, Config, Device
from mriderived.reports.methods import write_methods
from mriderived.workflows.plan import ParticipantPlan

SOURCE = str(Path(mriderived.__file__).parents[1])


@pytest.mark.parametrize(('asked', 'has_gpu', 'used'), [
    ('auto', True, 'cuda'), ('auto', False, 'cpu'), ('cpu', True, 'cpu'), ('cuda', True, 'cuda'),
])  # fmt: skip
def test_the_device_is_recorded(
    asked: Device, has_gpu: bool, used: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('torch.cuda.is_available', lambda: has_gpu)
    config = Config(tmp_path / 'bids', tmp_path, tmp_path / 'work', device=asked)
    write_provenance(config, ParticipantPlan('01', (), {}, {}))
    content = json.loads((tmp_path / 'logs' / 'sub-01' / 'provenance.json').read_text())
    assert (content['device_asked'], content['device_used']) == (asked, used)
    assert content['configuration_hash'] == config.hash


def test_settings_are_recorded_as_values(tmp_path: Path) -> None:
    config = Config(
        tmp_path / 'bids', tmp_path, tmp_path / 'work', device='cpu', participant_labels=('01',),
        sloppy=True, mem_gb=2.5, nprocs=3,
    )  # fmt: skip
    write_provenance(config, ParticipantPlan('01', (), {}, {}))
    settings = json.loads((tmp_path / 'logs' / 'sub-01' / 'provenance.json').read_text())[
        'settings'
    ]
    assert settings['bids_dir'] == str(tmp_path / 'bids')
    assert settings['participant_labels'] == ['01']
    assert settings['measures'] == []
    assert (settings['sloppy'], settings['dry_run']) == (True, False)
    assert (settings['mem_gb'], settings['nprocs'], settings['device']) == (2.5, 3, 'cpu')
    assert 'bids_filter_file' not in settings


def test_who_runs_nothing_does_not_ask_for_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, 'find_device', lambda device: pytest.fail('asked'))
    config = Config(tmp_path / 'bids', tmp_path, tmp_path / 'work')
    write_provenance(config, ParticipantPlan('01', (), {}, {}), is_idle=True)
    content = json.loads(provenance.provenance_file(config, '01').read_text())
    assert content['device_used'] == 'none'


def test_what_computes_is_not_imported_before_it_is_needed() -> None:
    """A participant whose images are all refused does without seconds of imports."""
    code = 'import sys, mriderived.app.run; print(*{"torch", "ants"} & set(sys.modules))'
    done = subprocess.run(
        [sys.executable, '-c', code], env={**os.environ, 'PYTHONPATH': SOURCE}, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == ''


@pytest.mark.parametrize(('backend', 'cites_networks'), [
    ('builtin', False), ('deepmriprep', True),
])  # fmt: skip
def test_the_methods_are_those_of_the_backend_that_made_the_results(
    backend: AnatBackend, cites_networks: bool, tmp_path: Path
) -> None:
    (tmp_path / 'dataset_description.json').write_text('{"Name": "raw", "BIDSVersion": "1.10.0"}')
    out_dir = tmp_path / 'out'
    out_dir.mkdir()
    config = Config(tmp_path, out_dir, out_dir / 'work', anat_backend=backend)
    description = json.dumps(build_description(out_dir, tmp_path, config))
    (out_dir / 'dataset_description.json').write_text(description)
    methods = write_methods(report_measures(out_dir), {})
    links = {reference.url: reference.label for reference in methods.references}
    networks = 'https://doi.org/10.48550/arXiv.2408.10656'
    assert (networks in links) is cites_networks
    assert links.get(networks, 'Fisch et al. 2024') == 'Fisch et al. 2024'
    text = methods.to_markdown()
    assert ('segmentation networks of deepmriprep' in text) is cites_networks
    assert ('expectation-maximisation' in text) is not cites_networks


def test_results_without_settings_have_the_usual_methods(tmp_path: Path) -> None:
    titles = [measure.title for measure in report_measures(tmp_path)]
    assert titles[:3] == ['Brain extraction', 'Tissue segmentation', 'Registration']
