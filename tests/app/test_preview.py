"""What ``--dry-run`` prints, and that it writes nothing."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_lines import record

from mriderived import cli
from mriderived.app import stages
from mriderived.app.exit_codes import ExitCode
from mriderived.app.preview import estimate, print_preview
from mriderived.bids.status import write_record
from mriderived.config import Config, replace
from mriderived.spaces import bundled_atlases
from mriderived.workflows.plan import PlannedUnit

Skeleton = Callable[[str], Path]


def planned(participant: str, state: Any = 'to run', minutes: float = 1.0) -> PlannedUnit:
    image = f'sub-{participant}/anat/x_T1w.nii.gz'
    reason = 'no [left]' if state == 'not available' else ''
    return PlannedUnit(participant, None, image, 'tissue', None, state, reason, minutes)


def test_preview(capsys: pytest.CaptureFixture[str]) -> None:
    units = [planned('01'), planned('01', 'done', 0), planned('02', 'not available', 0)]
    print_preview(units, workers=2, each_gb=5.0)
    out = capsys.readouterr().out
    assert re.search(r'sub-01 *\n.*\n *x_T1w.nii.gz +tissue +to run +1\.0', out)
    assert re.search(r'not available +no \[left\]', out)
    assert '2 participants, 3 units: 1 to run, 1 done, 1 not available' in out
    assert 'about 1 min and 5 GiB with 1 participant at a time' in out
    assert 'Nothing was written.' in out
    assert 'Only where named' not in out
    print_preview(units, workers=2, each_gb=5.0, unasked=('b', 'b_regions'))
    assert 'Only where named: --measures default b b_regions\n' in capsys.readouterr().out


def test_a_bad_image_is_blamed_once(capsys: pytest.CaptureFixture[str]) -> None:
    bad = dataclasses.replace(planned('01', 'bad input', 0), reason='it is cut off')
    other = dataclasses.replace(bad, image='sub-01/anat/y_T1w.nii.gz')
    print_preview([bad, bad, bad, other, other], workers=1, each_gb=5.0)
    out = capsys.readouterr().out
    assert out.count('bad input') == 5 + 1  # the sums
    assert out.count('it is cut off') == 2


def test_a_preview_says_what_was_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    unread = dataclasses.replace(planned('01'), is_unread=True)
    print_preview([unread, unread, planned('02')], workers=1, each_gb=5.0)
    out = ' '.join(capsys.readouterr().out.split())
    assert 'Of 1 image only header and length were looked at; a run reads all of an image' in out
    print_preview([planned('01')], workers=1, each_gb=5.0)
    assert 'only header' not in capsys.readouterr().out


def test_estimate() -> None:
    units = [planned('01'), planned('01'), planned('02'), planned('03'), planned('04', 'done', 0)]
    assert estimate(units, 1) == (4.0, 1)
    assert estimate(units, 2) == (2.0, 2)
    assert estimate(units, 8) == (2.0, 3)  # no shorter than the longest participant
    assert estimate([planned('01', 'done', 0)], 2) == (0.0, 0)


def test_one_is_no_plural(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    print_preview([planned('01')], workers=1, each_gb=2.5)
    out = capsys.readouterr().out
    assert '1 participant, 1 unit: 1 to run' in out
    assert 'about 1 min and 2.5 GiB with 1 participant at a time' in out
    write_record(config.out_dir, '01', [record()])
    stages.preview(replace(config, level='group', dry_run=True))
    assert '1 participant with results in ' in capsys.readouterr().out


@pytest.mark.parametrize(('is_filtered', 'code'), [
    (True, ExitCode.NO_MATCH), (False, ExitCode.NO_INPUT),
])  # fmt: skip
def test_dry_run_of_no_image_has_the_code_of_the_run(
    is_filtered: bool, code: ExitCode, config: Config
) -> None:
    for image in config.bids_dir.rglob('*_T1w.nii.gz'):
        image.unlink()
    changes = {'session_labels': ('a',)} if is_filtered else {}
    assert stages.preview(replace(config, dry_run=True, **changes)) is code


def test_dry_run_of_a_dataset_writes_nothing(
    skeleton: Skeleton, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bids_dir = skeleton('single')
    before = sorted(tmp_path.rglob('*'))
    words = [str(bids_dir), str(tmp_path / 'out'), 'participant', '--dry-run',
             '--skip-bids-validation']  # fmt: skip
    assert cli.main(words) == 0
    assert sorted(tmp_path.rglob('*')) == before
    out = capsys.readouterr().out
    assert 'sub-01' in out
    assert 'Nothing was written.' in out
    opt_in = [
        *('thickness_laplace', 'seed_maps', 'denoised_in_space', 'free_water'),
        *('diffusion_gradient', 'dwi_in_space', 'perivascular_spaces'),
        *('perivascular_spaces_t2w', 'perivascular_spaces_contrast', 'thickness_laplace_regions'),
        *(f'fwtensor_{name}_regions' for name in ('fwf', 'fa', 'md', 'ad', 'rd')),
        *(f'fwtensor_{name}_in_space' for name in ('fa', 'md', 'ad', 'rd')),
    ]
    assert f'Only where named: --measures default {" ".join(opt_in)} ' in ' '.join(out.split())
    assert out.count('thickness_laplace') == 2
    assert cli.main([*words, '--measures', 'default', 'thickness-laplace']) == 0
    more = capsys.readouterr().out
    assert re.search(r'T1w.nii.gz +thickness_laplace +bad input', more)
    assert re.search(r'T1w.nii.gz +tissue_volume +bad input', more)
    assert f'Only where named: --measures default {" ".join(opt_in[1:])} ' in ' '.join(
        more.split()
    )


def test_unknown_names_of_a_real_run(
    skeleton: Skeleton, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(skeleton('single')), str(tmp_path / 'out'), 'participant', '--dry-run',
             '--measures', 'tissue_volumes', '--atlases', 'NoSuchAtlas', '--mem', '9']  # fmt: skip
    assert cli.main(words) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert '--measures tissue_volumes: there is no such measure.' in err
    assert '--atlases NoSuchAtlas' in err
    assert f'Shipped are: {", ".join(bundled_atlases())}.' in err
    assert err.count('NoSuchAtlas: ') == 1
    assert '--mem 9 has no unit.' in err


def test_dry_run_of_the_group_level_tells_others_and_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'raw').mkdir()
    (tmp_path / 'raw' / 'participants.tsv').write_text(
        'participant_id\tage\nsub-01\t30\nsub-02\tn/a\n'
    )
    (tmp_path / 'fs').mkdir()
    (tmp_path / 'fs' / 'aseg.tsv').write_text(
        'Measure:volume\tLeft-Thalamus\nsub-01\t7000\nsub-02\t7100\nsub-03\t7200\n'
    )
    words = [str(tmp_path / 'raw'), str(tmp_path / 'out'), 'group', '--dry-run',
             '--derivatives', f'freesurfer={tmp_path / "fs"}', '--model', 'volume ~ age + etiv',
             '--predict', 'shoe_size ~ volume']  # fmt: skip
    assert cli.main(words) == 0
    out = ' '.join(capsys.readouterr().out.split())
    assert '3 participants with results of others: 3 of them have none of ours' in out
    assert (
        'volume ~ age + etiv: covariates: age (1 values); not in participants.tsv or phenotype/: '
        'etiv, to be columns of the cohort table'
    ) in out
    assert 'shoe_size ~ volume: covariates: none; not in participants.tsv' in out
    assert not (tmp_path / 'out').exists()
    (tmp_path / 'raw' / 'participants.tsv').write_text('participant_id\nsub-01\nsub-01\n')
    assert cli.main(words) == 0
    assert 'Models: participants.tsv has more than one row for sub-01' in capsys.readouterr().out
