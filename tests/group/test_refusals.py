"""Models that cannot be fitted, on the command line: what is wrong, what to do, and the code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_derivatives import write_person

from mriderived import cli

PEOPLE = 24
VOLUME = 'freesurfer_aseg.volume'


@pytest.fixture(scope='module')
def bids_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of 24 people with results of FreeSurfer, in which thickness is missing."""
    raw = tmp_path_factory.mktemp('refused') / 'raw'
    rng = np.random.default_rng(0)
    header = ('participant_id', 'age', 'months', 'scanner', 'only', 'sex', 'site', 'rare', 'empty',
              'iq', 'cjv')  # fmt: skip
    lines = ['\t'.join(header)]
    for number in range(PEOPLE):
        write_person(
            raw.parent / 'fs', f'sub-{number:02d}', 7000 + rng.normal(0, 50), float('nan')
        )
        (raw / f'sub-{number:02d}' / 'anat').mkdir(parents=True)
        age = 20 + 2 * number
        cells = (f'sub-{number:02d}', age, 12 * age, 3, 'x', 'FM'[number % 2], 'AB'[number % 2],
                 1.5 * number if number < 4 else 'n/a', 'n/a',
                 -9999 if number == 5 else 90 + number, 0.5)  # fmt: skip
        lines.append('\t'.join(map(str, cells)))
    (raw / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    (raw / 'dataset_description.json').write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    return raw


def run(bids_dir: Path, *options: str) -> int:
    out_dir = bids_dir.parent / 'out'
    others = ('--derivatives', f'freesurfer={bids_dir.parent / "fs"}')
    return cli.main(
        [str(bids_dir), str(out_dir), 'group', '--skip-bids-validation', *others, *options]
    )


def test_each_refusal_names_the_thing_and_the_remedy(
    bids_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {
        f'{VOLUME} ~ age + months': "'months' follows from the other columns (age): leave one of",
        f'{VOLUME} ~ scanner': 'scanner is 3.0 for all 24 participants: leave it out',
        f'{VOLUME} ~ C(only)': 'only is x for all 24 participants: leave it out',
        f'{VOLUME} ~ rare + sex': '4 observations leave 1 degrees of freedom for 3 coefficients, '
        'and 3 are needed: leave terms out (left out: 20 without rare)',
        f'{VOLUME} ~ empty': 'nobody has every covariate (left out: 24 without empty)',
        f'{VOLUME} ~ agee': 'agee is no column of participants.tsv, of phenotype/ or of the '
        'cohort table. Did you mean age?',
        f'{VOLUME} ~ iq': 'iq is -9999 for 1 participant, and between 90 and 113 for the others',
        'freesurfer_aseg.volum ~ age': 'Did you mean',
    }
    others = {
        '--predict': ('agee ~ freesurfer_aseg', 'no column agee to predict. Did you mean age?'),
        '--harmonise': ('sit ~ age', 'there is no column sit for the sites. Did you mean site'),
        '--norms': (
            f'{VOLUME} ~ age',
            'norms need 50 participants with all covariates, and there',
        ),
        '--map-model': ('alf ~ age', 'there is no map alf in a space. Did you mean alff'),
    }
    options = [word for option, (text, _) in others.items() for word in (option, text)]
    assert run(bids_dir, '--model', *wanted, f'{VOLUME} ~ age', *options) == 1
    told = capsys.readouterr()
    said = ' '.join((told.err + told.out).split())
    for text in (*wanted.values(), *(text for _, text in others.values())):
        assert text in said, text
    # Everything else is written.
    assert len(list((bids_dir.parent / 'out' / 'models').glob('model-*_stats.tsv'))) == 1
    assert (bids_dir.parent / 'out' / 'phenotype' / 'mriderived.tsv').exists()


def test_a_measure_that_nobody_has_is_refused(
    bids_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thickness = 'freesurfer_aparc.thickness ~ age'
    assert run(bids_dir, '--model', thickness, 'reho ~ age') == 1
    told = ' '.join(capsys.readouterr().out.split())
    assert (
        'freesurfer_aparc.thickness ~ …: nobody has a value; phenotype/mriderived_reasons.tsv says'
        in told
    )
    assert (
        'reho ~ …: there is no reho in the cohort table. Run it for the participants first' in told
    )


@pytest.mark.parametrize(
    ('options', 'code', 'message'),
    [
        (('--model', 'thickness'), 65, 'does not exist, and it is no formula'),
        (('--model', '~ age'), 65, 'is no formula: write what is explained'),
        (('--exclude', 'age'), 64, "--exclude cannot be 'age'. Give a comparison in quotes"),
        (('--ratings', 'nowhere.tsv'), 66, 'nowhere.tsv does not exist. Give the file that'),
        (('--norms-reference', 'age > 3'), 64, '--norms-reference needs --norms'),
    ],
)
def test_what_cannot_be_read_ends_the_run_before_it_starts(
    bids_dir: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    assert run(bids_dir, *options) == code
    assert message in ' '.join(capsys.readouterr().err.split())
