"""Put a file that a node made at its place among the outputs, whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from mriderived.bids.sidecar import write_sidecar


class Saved(NamedTuple):
    """What :func:`save_output` put in place, and what its maker had to say."""

    out_file: Path
    notes: list[str]


def remarks_file(data_file: Path) -> Path:
    """Return where a function may leave JSON metadata about a file that it writes.

    Its keys are merged into the sidecar, except ``Notes``: a list of sentences for the report.
    """
    stem = data_file.name.split('.')[0]
    return data_file.with_name(f'{stem}.remarks.json')


def write_remarks(data_file: Path, *, notes: list[str] | None = None, **metadata: Any) -> None:
    """Leave remarks beside ``data_file`` for :func:`save_output`."""
    remarks_file(data_file).write_text(json.dumps({'Notes': notes or [], **metadata}))


def save_output(in_file: Path, out_file: str, sidecar: Mapping[str, Any] | None) -> Saved:
    """Copy ``in_file`` to ``out_file`` with its JSON sidecar, if it has one of its own.

    The sidecar comes first and the data last, each by an atomic rename, so that data which is
    there is complete and described.
    """
    target = Path(out_file)
    remarks = remarks_file(in_file)
    said: dict[str, Any] = json.loads(remarks.read_text()) if remarks.exists() else {}
    notes = [str(note) for note in said.pop('Notes', [])]
    target.parent.mkdir(parents=True, exist_ok=True)
    if sidecar is not None:
        write_sidecar(target, {**sidecar, **said})
    partial = target.with_name(f'.{target.name}.{uuid4().hex}.partial')
    shutil.copyfile(in_file, partial)
    partial.replace(target)
    return Saved(out_file=target, notes=notes)


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed process left half-written below ``folder``."""
    for path in folder.rglob('.*.partial'):
        path.unlink(missing_ok=True)
