"""What this process may use: processors from affinity and cgroup, memory from cgroup."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

GIBIBYTE = 2**30
_ROOT = Path('/')


def available_cpus(root: Path = _ROOT) -> int:
    """Return the number of processors that affinity and cgroup quotas allow, at least 1.

    A quota of 2.5 processors counts as 2: more threads than that would be throttled.
    """
    limits = [_affinity()]
    limits += [int(quota) for quota in _cpu_quotas(root)]
    return max(1, min(limits))


def available_memory(root: Path = _ROOT) -> float:
    """Return the memory in GiB that the machine has or, if less, that the cgroup allows."""
    limits = [_installed_memory(root), *_memory_limits(root)]
    return min(limit for limit in limits if limit > 0) / GIBIBYTE


def _affinity() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _installed_memory(root: Path) -> int:
    for line in _read(root / 'proc/meminfo').splitlines():
        name, _, value = line.partition(':')
        if name == 'MemTotal':
            return int(value.split()[0]) * 1024
    return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')


def _cpu_quotas(root: Path) -> Iterator[float]:
    for folder in _cgroup_folders(root, ''):
        quota, _, period = _read(folder / 'cpu.max').partition(' ')
        yield from _ratio(quota, period)
    for folder in _cgroup_folders(root, 'cpu'):
        yield from _ratio(_read(folder / 'cpu.cfs_quota_us'), _read(folder / 'cpu.cfs_period_us'))


def _ratio(quota: str, period: str) -> Iterator[float]:
    """Yield quota over period; nothing where there is no quota (``max`` or -1)."""
    if quota.isdigit() and period.isdigit() and int(quota) > 0 and int(period) > 0:
        yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    files = [folder / 'memory.max' for folder in _cgroup_folders(root, '')]
    files += [folder / 'memory.limit_in_bytes' for folder in _cgroup_folders(root, 'memory')]
    for file in files:
        text = _read(file)
        if text.isdigit():
            yield int(text)


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's group and all above it: the tightest limit of any of them holds.

    The empty controller is version 2. In a container the path that the kernel names may lie
    outside what is mounted; then the mount's own top is this process's group.
    """
    for line in _read(root / 'proc/self/cgroup').splitlines():
        _, controllers, path = line.split(':', 2)
        if controller not in controllers.split(','):
            continue
        for mount in _mounts(root, controllers):
            group = PurePosixPath(path).relative_to('/')
            yield from (mount / part for part in (group, *group.parents))


def _mounts(root: Path, controllers: str) -> tuple[Path, ...]:
    base = root / 'sys/fs/cgroup'
    if not controllers:
        return base, base / 'unified'
    return tuple(dict.fromkeys(base / name for name in (controllers, *controllers.split(','))))


def _read(path: Path) -> str:
    """Return the stripped text of a file, and nothing for one that is not there."""
    try:
        return path.read_text().strip()
    except OSError:
        return ''
