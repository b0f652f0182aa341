"""``python -m mriderived.phantom FOLDER``: write the synthetic dataset."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.dataset import write_dataset
from mriderived.phantom.dwi_options import DwiOptions, FibreLayout
from mriderived.phantom.head import HeadOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, write the dataset and say what it holds."""
    options = _parser().parse_args(arguments)
    if options.folder.exists() and any(options.folder.iterdir()):
        sys.stderr.write(f'{options.folder} is not empty: remove it or name another folder\n')
        return 73
    truths = write_dataset(
        options.folder,
        participants=options.participants,
        seed=options.seed,
        voxel_mm=options.voxel,
        sessions=options.sessions,
        runs=options.runs,
        options=HeadOptions(cavity=tuple(options.cavity) if options.cavity else None),
        bold=options.bold,
        bold_options=BoldOptions(volumes=options.volumes),
        dwi=options.dwi,
        dwi_options=DwiOptions(shells=tuple(options.shells), fibres=options.fibres),
        threads=options.threads,
    )
    for truth in truths:
        volumes = ', '.join(f'{name} {size / 1e3:.0f}' for name, size in truth.volumes_mm3.items())
        sys.stdout.write(f'{truth.t1w}  (mL: {volumes})\n')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='mriderived.phantom', description=__doc__)
    parser.add_argument('folder', type=Path, help='where to write; must be empty or new')
    parser.add_argument('--participants', type=int, default=3)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--voxel', type=float, default=1.0, help='edge of a voxel in mm')
    parser.add_argument('--sessions', nargs='*', default=(), help='labels, such as 1 2')
    parser.add_argument('--runs', type=int, default=1, help='scans per session')
    parser.add_argument(
        '--cavity', nargs=4, type=float, metavar=('X', 'Y', 'Z', 'R'),
        help='a lesion: a ball of fluid at X Y Z of MNI152 and of radius R, in mm',
    )  # fmt: skip
    parser.add_argument('--bold', action='store_true', help='add a run of BOLD to every scan')
    parser.add_argument('--volumes', type=int, default=150, help='of a run of BOLD')
    parser.add_argument('--dwi', action='store_true', help='add a run of DWI to every scan')
    parser.add_argument(
        '--shells', nargs='+', type=_shell, default=DwiOptions.shells, metavar='B:N',
        help='of a run of DWI: b in s/mm2 and the number of directions, such as 1000:30 2000:60',
    )  # fmt: skip
    parser.add_argument(
        '--fibres', choices=get_args(FibreLayout), default=DwiOptions.fibres,
        help='of a run of DWI: like those of a brain, or oblique layers, which tell whether the '
        'gradient table has the axes of the images',
    )  # fmt: skip
    parser.add_argument('--threads', type=int, default=1)
    return parser


def _shell(text: str) -> tuple[float, int]:
    b, _, count = text.partition(':')
    return float(b), int(count)


if __name__ == '__main__':
    sys.exit(main())
