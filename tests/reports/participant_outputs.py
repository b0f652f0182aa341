"""A small output folder of one participant, as a run leaves it behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mriderived.bids.names import figure_path
from mriderived.bids.status import UnitRecord, write_record
from mriderived.measures.base import Figure, Measure

HOSTILE = '<script>document.title="hacked"</script>'
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><g id="patch_1">'
    '<path style="fill: {fill}" d="M0 0L40 0L40 20L0 20z"/></g><script>1</script></svg>'
)
TRACEBACK = (
    'Traceback (most recent call last):\n  File "a.py"\n'
    f'ValueError: {HOSTILE} sub-01_T1w.nii.gz has no grey matter'
)


def measure(name: str, title: str, methods: str = '', **more: Any) -> Measure:
    return Measure(
        name=name, title=title, needs=(), outputs=(), init_wf=lambda config: None,
        methods=methods, **{'reference': 'https://doi.org/10.1002/mrm.21992', **more},
    )  # fmt: skip


def figure(name: str, section: Any, title: str, caption: str) -> Figure:
    return Figure(name, lambda: [], (), title, caption, section)


MEASURES = (
    measure(
        'brain', 'Brain mask',
        'Bias was corrected with N4 (Tustison et al. 2010, doi:10.1109/TMI.2010.2046908).',
        is_preprocessing=True,
        figures=(figure('brain', 'brain', 'Brain mask', 'The line should hug the brain.'),),
    ),
    measure(
        'registration', 'Registration',
        'Scans were registered (Avants et al. 2008, doi:10.1016/j.media.2007.06.004).',
        over='space', is_preprocessing=True,
        figures=(figure('registration', 'registration', 'Registration',
                        'Both pictures carry the outlines of the template.'),),
    ),
    measure('volumes', 'Regional grey-matter volume', '5 % of x_y & more.', over='atlas'),
    measure('t1w_quality', 'Image quality of the T1w scan', figures=(
        figure('noise', 'quality', 'Noise in air', 'The fitted distribution.'),)),
    measure('vbm', 'Modulated maps', 'Maps were smoothed.'),
)  # fmt: skip


@dataclass(frozen=True)
class Outputs:
    out_dir: Path
    participant: str = '01'

    @property
    def page(self) -> Path:
        return self.out_dir / f'sub-{self.participant}.html'


def unit(image: str, name: str, status: Any = 'done', **more: Any) -> UnitRecord:
    session = image.partition('ses-')[2].partition('/')[0] or None
    return UnitRecord('01', session, image, name, more.pop('variant', None), status,
                      seconds=more.pop('seconds', 12.0), **more)  # fmt: skip


def write_outputs(
    out_dir: Path, *, sessions: tuple[str, ...] = (), n_regions: int = 12
) -> Outputs:
    """Write records, checks, pictures and tables with one unit of every status."""
    units: list[UnitRecord] = []
    images = [f'sub-01/ses-{s}/anat/sub-01_ses-{s}_T1w.nii.gz' for s in sessions]
    images = images or ['sub-01/anat/sub-01_T1w.nii.gz']
    for image in images:
        units += _write_image(out_dir, image, n_regions)
    write_record(out_dir, '01', units)
    logs = out_dir / 'logs' / 'sub-01'
    checks = [
        {'image': image, 'notes': [f'The qform differs by 3°. {HOSTILE}'],
         'flags': {'qform_sform_conflict': 3.0, 'cropped': 'superior'}}
        for image in images
    ]  # fmt: skip
    (logs / 'inputs.json').write_text(json.dumps(checks))
    provenance = {
        'version': '0.1.0', 'configuration_hash': 'abcdef123456',
        'command_line': ['mriderived', '/data', '/out', 'participant'],
        'packages': {'numpy': '2.3.5'}, 'settings': {'random_seed': '42'}, 'sloppy': True,
    }  # fmt: skip
    (logs / 'provenance.json').write_text(json.dumps(provenance))
    return Outputs(out_dir)


def _write_image(out_dir: Path, image: str, n_regions: int) -> list[UnitRecord]:
    stem = Path(image).name.removesuffix('_T1w.nii.gz')
    entities = dict(part.split('-') for part in stem.split('_'))
    for name, fill in (('brain', '#0b0e13'), ('noise', '#ffffff')):
        _write_picture(out_dir / figure_path(entities, desc=name, suffix='T1w'), fill)
    space = {**entities, 'space': 'MNI152NLin2009cAsym'}
    for name, fill in (('registration', '#0b0e13'), ('registrationReference', '#000000')):
        _write_picture(out_dir / figure_path(space, desc=name, suffix='T1w'), fill)
    folder = Path(image).parent
    regions = str(folder / f'{stem}_atlas-Tiny_morph.tsv')
    quality = str(folder / f'{stem}_desc-T1w_qc.tsv')
    labels = str(folder / f'{stem}_atlas-Tiny_dseg.tsv')
    (out_dir / folder).mkdir(parents=True, exist_ok=True)
    (out_dir / labels).write_text('index\tname\tvoxels\n1\tx\t3\n')
    _write_regions(out_dir / regions, n_regions)
    _write_quality(out_dir / quality)
    reason = f'the brain mask is empty {HOSTILE}'
    return [
        unit(image, 'brain', notes=('The brain was already extracted.',)),
        unit(image, 'registration', variant='MNI152NLin2009cAsym', seconds=71.5),
        unit(image, 'volumes', variant='Tiny', outputs=(regions, labels)),
        unit(image, 'volumes', 'not_available', variant='Rare', reason='the atlas is not there'),
        unit(image, 't1w_quality', outputs=(quality,)),
        unit(image, 'vbm', 'failed', reason=reason, traceback=TRACEBACK),
        unit(image, 'mystery', 'skipped', reason='not selected'),
    ]


def _write_picture(path: Path, fill: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SVG.format(fill=fill))


def _write_regions(path: Path, n_regions: int) -> None:
    names = ['Left-Hippocampus', 'Right-Hippocampus', HOSTILE]
    names += [f'area {number}' for number in range(3, n_regions)]
    rows = [f'{k}\t{name}\tL\t{4123.25 + 10 * k}\t0.7' for k, name in enumerate(names, 1)]
    rows[1] = '2\tRight-Hippocampus\tR\tn/a\t0.5'
    path.write_text('\n'.join(['index\tname\themisphere\tvolume\tmean', *rows]) + '\n')
    dictionary = {
        'volume': {'Description': 'Grey-matter volume of the region.', 'Units': 'mm3'},
        'MissingReasons': {'volume': {'Right-Hippocampus': 'the region is outside the image'}},
    }
    path.with_suffix('.json').write_text(json.dumps(dictionary))


def _write_quality(path: Path) -> None:
    path.write_text('cjv\tefc\tfber\n0.91\t0.5\tn/a\n')
    dictionary = {
        'cjv': {'Description': 'Coefficient of joint variation.', 'Units': '1'},
        'efc': {'Description': 'Entropy focus criterion.'},
        'fber': {'Description': 'Energy ratio.'},
        'MissingReasons': {'fber': 'no air around the head'},
    }  # fmt: skip
    path.with_suffix('.json').write_text(json.dumps(dictionary))
