"""Which results of others can be read, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mriderived.config import Config
from mriderived.group.derivatives import Derivatives
from mriderived.group.fmriprep_sheets import read_fmriprep
from mriderived.group.freesurfer_sheets import read_freesurfer
from mriderived.group.mriqc_sheets import read_mriqc
from mriderived.group.qsirecon_sheets import read_qsirecon
from mriderived.group.records import Row
from mriderived.group.xcp_d_sheets import read_xcp_d

#: By the name that stands in front of the folder in ``--derivatives NAME=FOLDER``.
READERS: Mapping[str, Callable[[Path], Derivatives]] = {
    'freesurfer': read_freesurfer,
    'mriqc': read_mriqc,
    'fmriprep': read_fmriprep,
    'xcp_d': read_xcp_d,
    'qsirecon': read_qsirecon,
}


def read_derivatives(config: Config) -> Derivatives:
    """Read all folders that the settings name, of the participants and sessions asked for."""
    found = Derivatives()
    for text in config.derivatives:
        name, _, folder = text.partition('=')
        one = READERS[name](Path(folder))
        found.sheets += one.sheets
        found.warnings += one.warnings
        if not one.rows:
            found.refused.append(
                f'{folder} holds no table of {name}: is it the folder that {name} wrote?'
            )
    people = {label.removeprefix('sub-') for label in config.participant_labels}
    sessions = {label.removeprefix('ses-') for label in config.session_labels}
    for sheet in found.sheets:
        for row in list(sheet.values):
            if not _is_wanted(row, people, sessions):
                del sheet.values[row]
    return found


def _is_wanted(row: Row, people: set[str], sessions: set[str]) -> bool:
    return (not people or row.participant in people) and (
        not sessions or not row.session or row.session in sessions
    )
