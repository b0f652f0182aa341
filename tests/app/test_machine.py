"""Processors and memory from fake trees of ``/proc`` and ``/sys/fs/cgroup``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.app.machine import available_cpus, available_memory

MEMINFO = 'MemTotal:       33554432 kB\nMemFree:  1 kB\n'  # 32 GiB


def build_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in {'proc/meminfo': MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + '\n')
    return root


@pytest.fixture(autouse=True)
def sixteen_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: range(16), raising=False)


def test_no_cgroup(tmp_path: Path) -> None:
    root = build_tree(tmp_path, {})
    assert available_cpus(root) == 16
    assert available_memory(root) == 32.0


def test_version_2_takes_the_tightest_of_all_groups_above(tmp_path: Path) -> None:
    root = build_tree(tmp_path, {
        'proc/self/cgroup': '0::/slurm/job_7/step_0',
        'sys/fs/cgroup/slurm/job_7/step_0/cpu.max': 'max 100000',
        'sys/fs/cgroup/slurm/job_7/cpu.max': '450000 100000',
        'sys/fs/cgroup/slurm/cpu.max': '800000 100000',
        'sys/fs/cgroup/slurm/job_7/step_0/memory.max': 'max',
        'sys/fs/cgroup/slurm/job_7/memory.max': str(6 * 2**30),
        'sys/fs/cgroup/slurm/memory.max': str(64 * 2**30),
    })  # fmt: skip
    assert available_cpus(root) == 4  # 4.5 would be throttled with 5 threads
    assert available_memory(root) == 6.0


def test_version_2_in_a_container_whose_path_is_not_mounted(tmp_path: Path) -> None:
    root = build_tree(tmp_path, {
        'proc/self/cgroup': '0::/system.slice/docker-abc.scope',
        'sys/fs/cgroup/cpu.max': '200000 100000',
        'sys/fs/cgroup/memory.max': str(4 * 2**30),
    })  # fmt: skip
    assert available_cpus(root) == 2
    assert available_memory(root) == 4.0


def test_version_1(tmp_path: Path) -> None:
    root = build_tree(tmp_path, {
        'proc/self/cgroup': '4:cpu,cpuacct:/job\n9:memory:/job\n1:name=systemd:/job',
        'sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us': '300000',
        'sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us': '100000',
        'sys/fs/cgroup/memory/job/memory.limit_in_bytes': str(3 * 2**30),
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
    })  # fmt: skip
    assert available_cpus(root) == 3
    assert available_memory(root) == 3.0


def test_version_1_without_limits(tmp_path: Path) -> None:
    root = build_tree(tmp_path, {
        'proc/self/cgroup': '4:cpu,cpuacct:/\n9:memory:/',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
    })  # fmt: skip
    assert available_cpus(root) == 16
    assert available_memory(root) == 32.0


def test_a_quota_below_one_processor_is_one(tmp_path: Path) -> None:
    root = build_tree(tmp_path, {
        'proc/self/cgroup': '0::/',
        'sys/fs/cgroup/cpu.max': '20000 100000',
    })  # fmt: skip
    assert available_cpus(root) == 1


def test_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: {3, 5, 7}, raising=False)
    assert available_cpus(build_tree(tmp_path, {})) == 3


def test_this_machine() -> None:
    assert available_cpus() >= 1
    assert 0.1 < available_memory() < 1e6
