"""What the process of a participant writes beside the outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mriderived.app.child import write_provenance
from mriderived.config import Config, Device
from mriderived.workflows.plan import ParticipantPlan


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
