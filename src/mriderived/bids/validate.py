"""The official validator, with the settings of ``bids_validator_config/``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mriderived.bids.names import write_schema
from mriderived.bids.schema import overlay
from mriderived.shipped import shipped_folder

Kind = Literal['raw', 'derivatives']

_EXECUTABLE = 'bids-validator-deno'


class ValidatorMissingError(Exception):
    """The official validator is not installed."""


class ValidatorCrashError(Exception):
    """The official validator ended without a verdict."""


class Issue(NamedTuple):
    """One finding of the validator."""

    code: str
    location: str
    message: str

    def __str__(self) -> str:
        return ' '.join(f'{self.location}: {self.code} {self.message}'.split())


class ValidationResult(NamedTuple):
    """The verdict: 0 or 16, as the BIDS Apps specification numbers it, and the findings."""

    exit_code: int
    errors: tuple[Issue, ...]
    warnings: tuple[Issue, ...]


def find_validator() -> Path:
    """Return the validator beside the running Python, or else on the search path."""
    beside = Path(sys.executable).with_name(_EXECUTABLE)
    found = str(beside) if beside.exists() else shutil.which(_EXECUTABLE)
    if found is None:
        raise ValidatorMissingError(
            f'{_EXECUTABLE} is not installed; install it with the extra: '
            "pip install 'mriderived[validator]', "
            'or skip the validation with --skip-bids-validation'
        )
    return Path(found)


def validate_dataset(root: Path, *, kind: Kind, strict: bool = False) -> ValidationResult:
    """Let the official validator judge a dataset.

    ``strict`` judges with the merged schema, so that names of drafts are checked as well, and
    not by the dataset's own ``.bidsignore``; otherwise the released schema judges what that
    file does not hide.
    """
    validator = find_validator()
    with tempfile.TemporaryDirectory(prefix='bids_validator_') as folder:
        scratch = Path(folder)
        options = ['--config', str(shipped_folder('bids_validator_config') / f'{kind}.json')]
        if kind == 'raw':
            # Content is judged image by image before it is used, with better reasons.
            options.append('--ignoreNiftiHeaders')
        if strict:
            write_schema(scratch / 'schema.json')
            options += ['--schema', (scratch / 'schema.json').as_uri()]
            root = _mirror(root, scratch / 'dataset')
        issues = _run([str(validator), str(root), *options], scratch / 'report.json')
    errors = _of(issues, 'error')
    return ValidationResult(16 if errors else 0, errors, _of(issues, 'warning'))


def _mirror(root: Path, mirror: Path) -> Path:
    """Link the dataset's content, all but its own ``.bidsignore``, into a new folder."""
    mirror.mkdir()
    for path in root.absolute().iterdir():
        if path.name not in ('.bidsignore', 'work'):
            (mirror / path.name).symlink_to(path)
    (mirror / '.bidsignore').write_text('\n'.join(overlay()['ignored']) + '\n')
    return mirror


def _run(command: list[str], report: Path) -> list[dict[str, Any]]:
    try:
        done = subprocess.run(
            [*command, '--format', 'json', '--outfile', str(report)],
            capture_output=True,
            text=True,
            errors='replace',
            check=False,
        )
    except OSError as error:
        raise ValidatorCrashError(f'{command[0]} cannot be started: {error.strerror}') from error
    try:
        issues: list[dict[str, Any]] = json.loads(report.read_text())['issues']['issues']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValidatorCrashError(
            f'{command[0]} crashed on {command[1]} (exit code {done.returncode}); '
            f'it said: {done.stderr.strip()[-500:] or "nothing"}'
        ) from error
    return issues


def _of(issues: Iterable[Mapping[str, Any]], severity: str) -> tuple[Issue, ...]:
    return tuple(
        Issue(
            '.'.join(issue[key] for key in ('code', 'subCode') if issue.get(key)),
            issue.get('location', ''),
            issue.get('issueMessage', ''),
        )
        for issue in issues
        if issue.get('severity') == severity
    )
