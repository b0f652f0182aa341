"""Made-up outputs of participants: what the group level and its report read."""

import json
from pathlib import Path

import numpy as np

from mriderived.bids.status import UnitRecord, read_record, write_record
from mriderived.config import Config
from mriderived.measures.base import Column, Measure, Output

INDEX = (Column('index', 'Number.', ''), Column('name', 'Name.', ''))


def _no_workflow(config):
    raise AssertionError('the group level runs no workflow')


def make_measure(name, columns, over='image', cohort_columns=(), suffix='morph', **entities):
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
        title=f'Title of {name}',
        needs=('t1w',),
        outputs=(output,),
        init_wf=_no_workflow,
        reference=f'https://doi.org/10.1/{name}',
        methods='',
        over=over,
    )


TISSUE = make_measure(
    'tissue',
    (Column('gm', 'Grey matter volume.', 'mm3'), Column('tiv', 'Intracranial volume.', 'mL')),
    desc='tissue',
)
REGIONAL = make_measure(
    'regional',
    (*INDEX, Column('volume', 'Volume.', 'mm3'), Column('n_voxels', 'Voxels.')),
    over='atlas',
    cohort_columns=('volume',),
)
QUALITY = make_measure(
    'quality',
    (Column('cjv', 'Coefficient of joint variation.'), Column('axes', 'Axis codes.', '')),
    suffix='qc',
    desc='T1w',
)
MEASURES = (TISSUE, REGIONAL, QUALITY)
LABELS = ((10, 'Left-Thalamus'), (49, 'Right-Thalamus'), (2, 'ctx lh/cuneus'))


def make_config(out_dir, **settings):
    bids_dir = out_dir.parent / 'raw'
    return Config(
        bids_dir=bids_dir,
        out_dir=out_dir,
        work_dir=out_dir / 'work',
        level='group',
        **{'atlases': ('DK',), **settings},
    )


def write_description(out_dir, sloppy=False):
    out_dir.mkdir(parents=True, exist_ok=True)
    generator = {
        'Name': 'mriderived',
        'Version': '0.1.0',
        'ConfigurationHash': 'abc',
        'Configuration': {'skull_strip': 'auto', 'random_seed': 42, 'sloppy': sloppy},
    }
    content = {
        'Name': 'Made up',
        'BIDSVersion': '1.11.1',
        'DatasetType': 'derivative',
        'GeneratedBy': [generator],
    }
    (out_dir / 'dataset_description.json').write_text(json.dumps(content))


def write_table(path, header, rows, missing=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ['\t'.join(map(str, row)) for row in (header, *rows)]
    path.write_text('\n'.join(lines) + '\n')
    reasons = {'MissingReasons': missing} if missing else {}
    path.with_suffix('.json').write_text(json.dumps(reasons))


class Participant:
    """Collects units and writes their tables."""

    def __init__(self, out_dir: Path, label: str, session: str | None = None, run: str = ''):
        self.out_dir, self.label, self.session = out_dir, label, session
        self.is_reference = run in ('', '1')
        session_folder = f'/ses-{session}' if session else ''
        self.folder = f'sub-{label}{session_folder}/anat'
        middle = (f'_ses-{session}' if session else '') + (f'_run-{run}' if run else '')
        self.stem = f'{self.folder}/sub-{label}{middle}'
        self.image = f'{self.stem}_T1w.nii.gz'
        self.units: list[UnitRecord] = []

    def add(self, measure, variant=None, status='done', reason='', outputs=()):
        self.units.append(
            UnitRecord(
                self.label,
                self.session,
                self.image,
                measure,
                variant,
                status,
                reason,
                outputs=tuple(outputs),
                is_reference=self.is_reference,
            )
        )
        return self

    def tissue(self, gm='600000.125', tiv='1500.5', **options):
        file = f'{self.stem}_desc-tissue_morph.tsv'
        write_table(self.out_dir / file, ('gm', 'tiv'), [(gm, tiv)], **options)
        return self.add('tissue', outputs=[file])

    def quality(self, cjv='0.375', axes='RAS', **options):
        file = f'{self.stem}_desc-T1w_qc.tsv'
        write_table(self.out_dir / file, ('cjv', 'axes'), [(cjv, axes)], **options)
        return self.add('quality', outputs=[file])

    def atlas(self, labels=LABELS, atlas='DK'):
        file = f'{self.stem}_atlas-{atlas}_dseg.tsv'
        rows = [(*label, 'L', 'GM') for label in labels]
        write_table(self.out_dir / file, ('index', 'name', 'hemisphere', 'tissue'), rows)
        return self.add('atlas', atlas, outputs=[file])

    def regional(self, volumes=('1.5', '2.5', '3.5'), labels=LABELS, atlas='DK', **options):
        file = f'{self.stem}_atlas-{atlas}_morph.tsv'
        rows = [(*label, volume, 7) for label, volume in zip(labels, volumes, strict=True)]
        write_table(self.out_dir / file, ('index', 'name', 'volume', 'n_voxels'), rows, **options)
        return self.add('regional', atlas, outputs=[file])

    def write(self):
        """Write the record, behind what another image of the participant put there."""
        write_record(
            self.out_dir, self.label, (*read_record(self.out_dir, self.label), *self.units)
        )
        return self


def write_complete(out_dir, label, session=None, run='', **values):
    participant = Participant(out_dir, label, session, run)
    return participant.tissue(**values).atlas().regional().quality().write()


def read_table(out_dir, name):
    """Return the cells below their headings, by participant."""
    header, *rows = (out_dir / 'phenotype' / name).read_text().splitlines()
    names = header.split('\t')[1:]
    cells = [row.split('\t') for row in rows]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in cells}


def write_cohort(out_dir, n_participants, n_regions, seed=0):
    """Write a cohort of random numbers; participant 0007 stands apart in region 1."""
    random = np.random.default_rng(seed)
    write_description(out_dir)
    labels = [(number + 1, f'Region {number + 1}') for number in range(n_regions)]
    for number in range(n_participants):
        volumes = random.normal(5000, 400, n_regions)
        if number == 7:
            volumes[0] = 20000.0
        participant = Participant(out_dir, f'{number:04d}')
        participant.tissue(gm=repr(float(random.normal(6e5, 5e4))))
        participant.atlas(labels)
        participant.regional([repr(float(volume)) for volume in volumes], labels)
        if number % 50 == 3:
            participant.add('quality', status='failed', reason='the image is <empty> & bad')
        else:
            participant.quality(cjv=repr(float(random.normal(0.4, 0.03))))
        participant.write()
