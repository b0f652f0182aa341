"""Time and memory of the group level on made-up outputs in a temporary folder.

    python benchmarks/group_table.py --participants 10000 --columns 3000

The claim: 10,000 participants with 3,000 columns take at most 60 s and 4 GB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from mriderived.bids.status import UnitRecord, write_record
from mriderived.config import Config
from mriderived.group.stage import run_group
from mriderived.measures.base import Column, Measure, Output
from mriderived.reports.group import write_group_report

ATLASES = ('DK', 'Destrieux', 'Schaefer', 'AAL')
ONE_ROW = {'tissue': 20, 'quality': 60}


def make_measures() -> tuple[Measure, ...]:
    """Declare two tables of one row and one of regions."""
    tables = {
        name: tuple(Column(f'value{place}', f'Value {place}.', 'mm3') for place in range(n))
        for name, n in ONE_ROW.items()
    }
    regions = (Column('index', 'I.', ''), Column('name', 'N.', ''), Column('volume', 'V.', 'mm3'))
    return (
        _measure('tissue', tables['tissue'], 'morph', {'desc': 'tissue'}),
        _measure('regional', regions, 'morph', {}, ('volume',)),
        _measure('quality', tables['quality'], 'qc', {'desc': 'T1w'}),
    )


def _measure(
    name: str,
    columns: tuple[Column, ...],
    suffix: str,
    entities: dict[str, str],
    cohort_columns: tuple[str, ...] = (),
) -> Measure:
    output = Output(
        field=name,
        datatype='anat',
        suffix=suffix,
        description=f'{name}.',
        extension='.tsv',
        entities=entities,
        columns=columns,
        cohort_columns=cohort_columns,
    )
    return Measure(
        name=name,
        title=name.title(),
        needs=('t1w',),
        outputs=(output,),
        init_wf=_no_workflow,
        reference='https://example.org',
        methods='',
        over='atlas' if cohort_columns else 'image',
    )


def _no_workflow(config: Config) -> None:
    raise AssertionError('the group level runs no workflow')


def write_outputs(out_dir: Path, participants: int, columns: int) -> None:
    """Write the records and tables of a cohort."""
    random = np.random.default_rng(0)
    out_dir.mkdir(parents=True)
    (out_dir / 'dataset_description.json').write_text(json.dumps({'Name': 'Benchmark'}))
    n_regions = (columns - sum(ONE_ROW.values())) // len(ATLASES)
    labels = [f'{place + 1}\tRegion_{place + 1}' for place in range(n_regions)]
    header = 'index\tname\themisphere\ttissue\n'
    dseg = header + ''.join(f'{label}\tL\tGM\n' for label in labels)
    for number in range(participants):
        label = f'{number:05d}'
        folder = out_dir / f'sub-{label}' / 'anat'
        folder.mkdir(parents=True)
        stem = f'sub-{label}/anat/sub-{label}'
        units = []
        for name, n in ONE_ROW.items():
            file = f'{stem}_desc-{"tissue_morph" if name == "tissue" else "T1w_qc"}.tsv'
            header = '\t'.join(f'value{place}' for place in range(n))
            cells = '\t'.join(map(repr, random.normal(1, 0.1, n).tolist()))
            (out_dir / file).write_text(f'{header}\n{cells}\n')
            units.append(_unit(label, name, None, file))
        for atlas in ATLASES:
            file = f'{stem}_atlas-{atlas}_morph.tsv'
            values = map(repr, random.normal(5000, 500, n_regions).tolist())
            rows = [f'{start}\t{value}' for start, value in zip(labels, values, strict=True)]
            (out_dir / file).write_text('index\tname\tvolume\n' + '\n'.join(rows) + '\n')
            table = f'{stem}_atlas-{atlas}_dseg.tsv'
            (out_dir / table).write_text(dseg)
            units += [_unit(label, 'atlas', atlas, table), _unit(label, 'regional', atlas, file)]
        write_record(out_dir, label, units)


def _unit(label: str, measure: str, variant: str | None, file: str) -> UnitRecord:
    image = f'sub-{label}/anat/sub-{label}_T1w.nii.gz'
    return UnitRecord(label, None, image, measure, variant, 'done', outputs=(file,))


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--participants', type=int, default=500)
    parser.add_argument('--columns', type=int, default=3000)
    parser.add_argument(
        '--tables', nargs='*', default=(), help='long, parquet, long-parquet: these forms as well'
    )
    parser.add_argument('--folder', type=Path, default=None, help='where to make the outputs')
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    out_dir = folder / 'out'
    config = Config(folder / 'raw', out_dir, out_dir / 'work', 'group', atlases=ATLASES,
                    tables=tuple(options.tables))  # fmt: skip
    # Made in another process, so that the peak memory is that of the group level alone.
    maker = mp.get_context('spawn').Process(
        target=write_outputs, args=(out_dir, options.participants, options.columns)
    )
    try:
        maker.start()
        maker.join()
        start = _now()
        result = run_group(config, make_measures())
        _print('tables', start)
        start = _now()
        report = write_group_report(out_dir)
        _print('report', start)
        size = report.stat().st_size / 1e6
        print(f'{result.participants} participants x {result.columns} columns, '
              f'{len(result.warnings)} warnings, report {size:.1f} MB')  # fmt: skip
    finally:
        shutil.rmtree(folder)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _print(stage: str, start: tuple[float, float]) -> None:
    wall, processor = (end - first for end, first in zip(_now(), start, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f'{stage:8} {wall:7.1f} s, {processor:6.1f} s of a processor   '
          f'peak memory so far {peak:5.2f} GB', flush=True)  # fmt: skip


if __name__ == '__main__':
    main()
