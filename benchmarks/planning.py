"""Seconds that a plan takes: of a first dry run, and of a run where everything is done.

    python benchmarks/planning.py FOLDER [--volumes 1200] [--participants 100]

Writes two datasets into FOLDER if they are not there: one participant with a T1w of 1 mm and a
long BOLD series, and many with a small T1w. The second run finds records and outputs that were
made up (nothing is computed), by a run that has read every image.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from mriderived.app.child import write_report
from mriderived.app.provenance import write_inputs, write_provenance
from mriderived.bids.description import write_description
from mriderived.bids.status import UnitRecord, write_record
from mriderived.config import Config
from mriderived.workflows.plan import plan_participant


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--volumes', type=int, default=1200)
    parser.add_argument('--participants', type=int, default=100)
    options = parser.parse_args()
    long = _dataset(options.folder / 'long')
    if not (long / 'sub-001').exists():
        _write_t1w(long, '001', (176, 240, 256), 1.0)
        _write_bold(long, '001', options.volumes)
    many = _dataset(options.folder / 'many')
    for number in range(1, options.participants + 1):
        if not (many / f'sub-{number:03d}').exists():
            _write_t1w(many, f'{number:03d}', (64, 80, 72), 3.0)
    time.sleep(3)  # files that were written just now are not kept in mind
    for root in (long, many):
        labels = sorted(path.name[4:] for path in root.glob('sub-*'))
        out_dir = options.folder / f'out_{root.name}'
        print(f'{root.name}, {len(labels)} participants')
        _time('dry run, nothing known', root, options.folder / 'never', '--dry-run')
        _pretend(Config(root.absolute(), out_dir.absolute(), out_dir.absolute() / 'work'), labels)
        _time('dry run, all done', root, out_dir, '--dry-run')
        _time('run, all done', root, out_dir)


def _time(what: str, root: Path, out_dir: Path, *options: str) -> None:
    command = [sys.executable, '-m', 'mriderived', str(root), str(out_dir), 'participant']
    start = time.perf_counter()
    subprocess.run([*command, '--skip-bids-validation', *options], check=True, capture_output=True)
    print(f'  {what}: {time.perf_counter() - start:.1f} s', flush=True)


def _pretend(config: Config, labels: Sequence[str]) -> None:
    """Leave what a run would have left if outputs were single letters."""
    config.out_dir.mkdir(exist_ok=True)
    write_description(config.out_dir, config.bids_dir, config)
    for label in labels:
        plan = plan_participant(config, label)
        assert plan.files is not None
        plan.files.save()
        for path in (path for unit in plan.units for path in unit.outputs.values()):
            (config.out_dir / path).parent.mkdir(parents=True, exist_ok=True)
            (config.out_dir / path).write_text('x')
        empty = UnitRecord(label, None, '', '', None, 'done')
        write_record(config.out_dir, label, [
            dataclasses.replace(
                empty, image=u.image, measure=u.measure.name, variant=u.variant,
                fingerprint=u.fingerprint, outputs=tuple(u.outputs.values()),
                is_reference=u.is_reference,
            )
            for u in plan.units
        ])  # fmt: skip
        write_inputs(config, plan)
        write_provenance(config, plan, is_idle=True)
        write_report(config, label)


def _dataset(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    description = {'Name': 'Planning', 'BIDSVersion': '1.10.0'}
    (root / 'dataset_description.json').write_text(json.dumps(description))
    return root


def _ball(shape: tuple[int, ...]) -> np.ndarray:
    grid = np.meshgrid(*[np.linspace(-1.25, 1.25, size) for size in shape], indexing='ij')
    return np.where(sum(axis**2 for axis in grid) < 1, 800.0, 10.0)


def _write_t1w(root: Path, label: str, shape: tuple[int, ...], voxel: float) -> None:
    path = root / f'sub-{label}' / 'anat' / f'sub-{label}_T1w.nii.gz'
    path.parent.mkdir(parents=True)
    values = _ball(shape) + np.random.default_rng(0).normal(0, 20, shape)
    nib.save(nib.Nifti1Image(values.astype(np.int16), np.diag([voxel] * 3 + [1.0])), path)


def _write_bold(root: Path, label: str, volumes: int) -> None:
    path = root / f'sub-{label}' / 'func' / f'sub-{label}_task-rest_bold.nii.gz'
    path.parent.mkdir(parents=True)
    ball = _ball((64, 64, 36))
    header = nib.Nifti1Image(np.zeros((8, 8, 8, 2), np.int16), np.diag([3.0, 3, 3.3, 1])).header
    header.set_data_shape((*ball.shape, volumes))
    header.set_zooms((3, 3, 3.3, 2))
    header.set_xyzt_units('mm', 'sec')
    header.set_slope_inter(1, 0)
    header['magic'], header['vox_offset'] = b'n+1', 352
    rng = np.random.default_rng(0)
    with gzip.open(path, 'wb', compresslevel=1) as stream:
        stream.write(header.binaryblock + bytes(4))
        for _ in range(volumes):
            volume = (ball + rng.normal(0, 12, ball.shape)).astype('<i2')
            stream.write(volume.tobytes(order='F'))
    sidecar = path.with_name(path.name.replace('.nii.gz', '.json'))
    sidecar.write_text(json.dumps({'RepetitionTime': 2.0, 'TaskName': 'rest'}))


if __name__ == '__main__':
    main()
