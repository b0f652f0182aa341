"""The plans of participants as ``--dry-run`` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mriderived.config import Config
from mriderived.workflows.asked import asked_measures
from mriderived.workflows.plan import PlannedUnit, Unit, plan_participant
from mriderived.workflows.sources import RAW_RESOURCES
from mriderived.workflows.steps import preprocessing_steps


def plan_participants(config: Config, labels: Sequence[str]) -> tuple[PlannedUnit, ...]:
    """List every unit of every participant for ``--dry-run``; writes nothing."""
    return tuple(unit for label in labels for unit in _preview(config, label))


def _preview(config: Config, participant: str) -> Iterator[PlannedUnit]:
    plan = plan_participant(config, participant, is_preview=True)
    unread = plan.files.unread if plan.files else ()
    for unit in _without_t1w(plan.units, config):
        yield PlannedUnit(
            participant=unit.participant,
            session=unit.source.session if unit.source else None,
            image=unit.image,
            measure=unit.measure.name,
            variant=unit.variant,
            state=unit.state,
            reason=unit.reason,
            minutes=unit.measure.minutes if unit.state == 'to run' else 0.0,
            is_unread=unit.source is not None and unit.source.path in unread,
        )


def _without_t1w(units: Sequence[Unit], config: Config) -> Iterator[Unit]:
    """Mark what needs a T1w image where a participant has none, as the run will."""
    structural = {
        output.field
        for measure in (
            *preprocessing_steps(config.anat_backend, config.use_syn_sdc),
            *asked_measures(config),
        )
        for output in measure.outputs
        if measure.source == 'T1w'
    }
    absent: dict[str, set[str]] = {}
    for unit in units:
        lacks = absent.setdefault(unit.image, {RAW_RESOURCES['T1w'], *structural})
        is_alone = unit.source is not None and unit.source.suffix != 'T1w' and not unit.lender
        if is_alone and unit.state == 'to run' and lacks & {*unit.measure.needs}:
            lacks |= {output.field for output in unit.measure.outputs}
            reason = f'there is no T1w image of sub-{unit.participant}'
            yield replace(unit, state='not available', reason=reason)
        else:
            yield unit
