"""Units that are done are tried again when what they had to go without is."""

from __future__ import annotations

from typing import Any

import pytest

from mriderived.bids.status import UnitRecord
from mriderived.measures.base import Measure, Output
from mriderived.workflows.plan import Unit
from mriderived.workflows.renewal import renew

T1W, BOLD, OTHER = 'sub-01_T1w.nii.gz', 'sub-01_bold.nii.gz', 'sub-01_task-x_bold.nii.gz'


def unit(image: str, name: str, state: Any, needs: str = '', optional: str = '') -> Unit:
    output = Output(name, 'func', 'bold', name)
    measure = Measure(
        name, name, tuple(needs.split()), (output,), lambda config: None, '', '',
        optional=tuple(optional.split()),
    )  # fmt: skip
    return Unit('01', None, image, measure, None, state, lender='' if image == T1W else T1W)


def plan(t1w_state: str) -> list[Unit]:
    return [
        unit(T1W, 'tissue', t1w_state),
        unit(BOLD, 'motion', 'done'),
        unit(BOLD, 'confounds', 'done', 'motion', 'tissue'),
        unit(BOLD, 'denoising', 'done', 'confounds'),
        unit(BOLD, 'tsnr', 'done', 'motion'),
        unit(OTHER, 'reho', 'done', 'denoising'),
    ]


def record(status: Any) -> dict[tuple[str, str, str | None], UnitRecord]:
    made = UnitRecord('01', None, T1W, 'tissue', None, status)
    return {(T1W, 'tissue', None): made}


@pytest.mark.parametrize('status', ['failed', 'skipped'])
def test_what_lacked_something_that_is_tried_again_runs_again(status: str) -> None:
    states = {u.measure.name: u.state for u in renew(plan('to run'), record(status))}
    assert [name for name, state in states.items() if state == 'to run'] == [
        'tissue', 'confounds', 'denoising',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('state', 'status'), [('to run', 'done'), ('done', 'done'), ('bad input', 'failed')]
)
def test_all_else_stays_done(state: str, status: str) -> None:
    units = plan(state)
    assert renew(units, record(status)) == units


def test_a_first_run_renews_nothing() -> None:
    units = plan('to run')
    assert renew(units, {}) == units
