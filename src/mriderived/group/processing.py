"""Whether all participants were processed alike: version, settings, decisive packages.

One folder takes results of one version and one set of settings, so a mixture comes from putting
folders together. Nobody is left out for it: whether the difference matters is for people to say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mriderived import __version__
from mriderived.config import DECISIVE

#: What is to be done, whatever it was.
_REMEDY = (
    'Run all participants with one version and the same settings, or choose among them with '
    '--participant-label'
)


@dataclass(frozen=True)
class _Processing:
    """What the last run that computed anything of somebody said of itself."""

    version: str
    fingerprint: str
    settings: Mapping[str, Any]
    packages: Mapping[str, Any]


def check_processing(out_dir: Path, labels: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """Yield people that differ from the others, and in what.

    The version is compared with this one, the settings and packages with those of most people.
    """
    known = {label: _read(out_dir / 'logs' / f'sub-{label}' / 'provenance.json')
             for label in labels}  # fmt: skip
    told = {label: one for label, one in known.items() if one is not None and one.version}
    yield from _check_versions(told)
    ours = {label: one for label, one in told.items() if one.version == __version__}
    yield from _check_settings(ours)
    yield from _check_packages(ours)


def _check_versions(told: Mapping[str, _Processing]) -> Iterator[tuple[list[str], str]]:
    others: dict[str, list[str]] = {}
    for label, one in told.items():
        if one.version != __version__:
            others.setdefault(one.version, []).append(label)
    for version, people in sorted(others.items()):
        yield (
            people,
            (
                f'processed by version {version}, and this is {__version__}: numbers of both '
                f'stand in one table. {_REMEDY}'
            ),
        )


def _check_settings(told: Mapping[str, _Processing]) -> Iterator[tuple[list[str], str]]:
    by_hash: dict[str, list[str]] = {}
    for label, one in told.items():
        if one.fingerprint:
            by_hash.setdefault(one.fingerprint, []).append(label)
    if len(by_hash) < 2:
        return
    usual = min(by_hash, key=lambda name: (-len(by_hash[name]), name))
    theirs = told[by_hash[usual][0]].settings
    for fingerprint, people in sorted(by_hash.items()):
        if fingerprint == usual:
            continue
        differences = _compare(told[people[0]].settings, theirs, DECISIVE)
        yield (
            people,
            (
                f'processed with {", ".join(differences) or "other settings"} '
                f'(configuration {fingerprint}, most have {usual}): numbers of both stand in one '
                f'table. {_REMEDY}'
            ),
        )


def _check_packages(told: Mapping[str, _Processing]) -> Iterator[tuple[list[str], str]]:
    """Yield who was processed with another version of a package that decides numbers."""
    texts = {label: json.dumps(one.packages, sort_keys=True) for label, one in told.items()
             if one.packages}  # fmt: skip
    counts = Counter(texts.values())
    if len(counts) < 2:
        return
    usual = min(counts, key=lambda text: (-counts[text], text))
    theirs = json.loads(usual)
    for text in sorted(counts):
        if text == usual:
            continue
        mine = json.loads(text)
        differences = _compare(mine, theirs, sorted({*mine, *theirs}))
        yield (
            [label for label, one in texts.items() if one == text],
            (
                f'processed with {", ".join(differences)}: numbers may differ in the last '
                f'digits, or more. {_REMEDY}'
            ),
        )


def _compare(
    mine: Mapping[str, Any], theirs: Mapping[str, Any], names: Sequence[str]
) -> list[str]:
    """Return what differs.

    >>> _compare({'denoising': '36P'}, {'denoising': 'auto'}, ['denoising'])
    ['denoising = 36P (most: auto)']
    """
    found = ((name, mine.get(name), theirs.get(name)) for name in names)
    return [f'{name} = {_say(one)} (most: {_say(other)})' for name, one, other in found
            if one != other]  # fmt: skip


def _say(value: Any) -> str:
    return 'none' if value is None else str(value)


def _read(path: Path) -> _Processing | None:
    """Return what a run said of itself; nothing where that is not told."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict):
        return None
    settings, packages = told.get('settings'), told.get('packages')
    return _Processing(
        str(told.get('version', '')),
        str(told.get('configuration_hash', '')),
        settings if isinstance(settings, dict) else {},
        packages if isinstance(packages, dict) else {},
    )
