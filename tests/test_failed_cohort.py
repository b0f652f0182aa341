"""A whole run in which every participant fails: what it leaves can be read and is valid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mriderived import cli
from mriderived.app.environment import scratch_environment
from mriderived.app.exit_codes import ExitCode
from mriderived.bids.status import read_record
from mriderived.bids.validate import ValidatorMissingError, validate_dataset
from skeleton_datasets import SKELETONS, build_skeleton

IMAGE = 'sub-01/anat/sub-01_T1w.nii.gz'


@pytest.fixture(scope='module')
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp('failed')
    files = yaml.safe_load((SKELETONS / 'single.yaml').read_text())
    bids_dir = build_skeleton(root / 'bids', files)
    words = [str(bids_dir), str(root / 'out')]
    with scratch_environment(1):  # restores what a run sets
        codes = [
            cli.main([*words, 'participant', '--skip-bids-validation', '--nprocs', '1']),
            cli.main([*words, 'group']),
        ]
    assert codes == [ExitCode.UNIT_FAILED, ExitCode.OK]
    yield root / 'out'


def test_the_first_unit_fails_and_the_others_point_at_it(out_dir: Path) -> None:
    first, *others = read_record(out_dir, '01')
    assert (first.measure, first.status) == ('brain', 'failed')
    assert first.reason.startswith(f'{IMAGE}: this is a slice or a thin slab')
    assert {unit.status for unit in others} == {'skipped'}
    assert {unit.reason for unit in others} == {
        f"not reached, because 'brain' failed on this image: {first.reason}"
    }


def test_no_reason_holds_a_path_of_this_machine(out_dir: Path) -> None:
    tables = ['status.tsv', 'phenotype/mriderived_reasons.tsv', 'logs/sub-01/units.json']
    for name in (*tables, 'group.html'):
        text = (out_dir / name).read_text()
        assert IMAGE in text
        assert str(out_dir.parent) not in text, name
    page = (out_dir / 'sub-01.html').read_text()
    head, provenance = page.split('<section id="provenance"')
    assert str(out_dir.parent) not in head
    assert str(out_dir.parent) in provenance  # the command and the folders, as they were given
    assert len(re.findall('not reached, because', head)) == 1
    assert f'The following {len(read_record(out_dir, "01")) - 1} measures: ' in head


def test_no_gpu_was_looked_for(out_dir: Path) -> None:
    content = json.loads((out_dir / 'logs' / 'sub-01' / 'provenance.json').read_text())
    assert content['device_used'] == 'none'


@pytest.mark.parametrize('strict', [False, True])
def test_the_outputs_are_valid(out_dir: Path, strict: bool) -> None:
    try:
        verdict = validate_dataset(out_dir, kind='derivatives', strict=strict)
    except ValidatorMissingError:
        pytest.skip('no validator here')
    assert verdict.errors == ()
