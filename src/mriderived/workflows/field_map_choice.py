"""A field map as the nodes of BOLD and diffusion read it."""

from __future__ import annotations

from typing import Any

from mriderived.bids.fieldmap_candidates import FieldMap


def describe_field(field: FieldMap) -> dict[str, Any]:
    """Return kind, files and metadata of a field map, for the JSON file of an acquisition."""
    metadata = field.metadata

    def encoding(role: str) -> dict[str, Any]:
        readout = metadata[role]
        return {'direction': readout.direction, 'readout_time': readout.total_readout_time}

    return {
        'kind': field.kind,
        'files': {role: str(path) for role, path in field.files.items()},
        'run': encoding('run'),
        'epi': {role: encoding(role) for role in metadata if role.startswith('epi')},
        'echo_times': [metadata[f'EchoTime{n}'] for n in (1, 2) if f'EchoTime{n}' in metadata],
        'units': metadata.get('Units'),
    }
