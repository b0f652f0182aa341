"""Assemble the graph of one participant: one loop over the planned units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nipype.pipeline import engine as pe

from mriderived import __version__
from mriderived.bids.qmri_collections import kind_of
from mriderived.bids.sidecar import write_json
from mriderived.config import Config
from mriderived.interfaces.call import Call
from mriderived.interfaces.draw import Draw
from mriderived.interfaces.sink import save_output
from mriderived.measures.base import Figure
from mriderived.workflows.contrast_source import LESION_MASKS_OF
from mriderived.workflows.guests import LENT, find_host
from mriderived.workflows.plan import ParticipantPlan, Unit
from mriderived.workflows.resources import Resources, shared_resources
from mriderived.workflows.unit_files import describe_output, figure_files

Key = tuple[str, str, str | None]


@dataclass(frozen=True)
class Assembly:
    """The graph, and the units that could not be put into it with the reason."""

    workflow: Any
    #: Name of the sub-workflow → unit; nodes are found back by the first two parts of their name.
    units: Mapping[str, Unit]
    refused: Mapping[Key, tuple[str, str]]


def init_participant_wf(config: Config, plan: ParticipantPlan) -> Assembly:
    """Build the graph of everything that is to run for one participant."""
    folder = work_folder(config, plan.participant)
    base_dir = folder.parent
    workflow = pe.Workflow(name=folder.name, base_dir=str(base_dir))
    workflow.config = {
        'execution': {
            'hash_method': 'content',
            'stop_on_first_crash': 'false',
            'create_report': 'false',
            'remove_unnecessary_outputs': 'false',
            'crashdump_dir': str(base_dir),
        }
    }
    units: dict[str, Unit] = {}
    refused: dict[Key, tuple[str, str]] = {}
    per_image: dict[str, Resources] = {}
    shared = shared_resources(config) if any(u.state == 'to run' for u in plan.units) else {}
    for unit in plan.units:
        if unit.image not in per_image:
            per_image[unit.image] = Resources(unit, shared, per_image.get(unit.lender))
            _offer_acquisition(per_image[unit.image], unit, plan, base_dir)
            if unit.image in plan.lesion_masks and unit.source is not None:
                mask = LESION_MASKS_OF[unit.source.suffix]
                per_image[unit.image].offer(mask, None, plan.lesion_masks[unit.image])
        resources = per_image[unit.image]
        if unit.state == 'done':
            for field, path in unit.outputs.items():
                resources.offer(field, unit.variant, config.out_dir / path)
            _lend(unit, per_image)
        elif unit.state == 'to run':
            missing = _missing(unit, resources, plan, refused, config.atlases)
            if missing:
                refused[unit.key] = missing
                continue
            name = unit_name(unit)
            units[name] = unit
            _add_unit(config, workflow, unit, name, resources)
            _lend(unit, per_image)
        else:
            refused[unit.key] = _refuse(unit, refused)
    return Assembly(workflow, units, refused)


def _lend(unit: Unit, per_image: Mapping[str, Resources]) -> None:
    """Offer to the T1w image what a unit of another image has for it."""
    host = per_image.get(find_host(unit))
    if host is None:
        return
    for field in LENT & _fields(unit):
        host.offer(field, unit.variant, per_image[unit.image].get((field, unit.variant)))


def _offer_acquisition(
    resources: Resources, unit: Unit, plan: ParticipantPlan, base_dir: Path
) -> None:
    """Write what goes with an image where its nodes can read it."""
    acquisition = plan.acquisitions.get(unit.image)
    if acquisition and unit.source is not None:
        path = base_dir / 'acquisitions' / f'{_word(unit.image)}.json'
        write_json(path, acquisition)
        kind = kind_of(unit.source.suffix)
        resources.offer(f'{kind}_acquisition', None, path)
        if acquisition.get('events'):
            resources.offer(f'{kind}_events', None, Path(acquisition['events']))


def work_folder(config: Config, participant: str) -> Path:
    """Return where nipype works for one participant, apart from other versions and settings."""
    return config.work_dir / f'{__version__}-{config.hash}' / f'sub_{_word(participant)}_wf'


def _word(text: str) -> str:
    return re.sub(r'\W', '_', text)


def unit_name(unit: Unit) -> str:
    """Return the name of a unit's sub-workflow, unique within its participant."""
    stem = Path(unit.image).name.split('.')[0].removeprefix(f'sub-{unit.participant}_')
    return _word('_'.join(filter(None, (stem, unit.measure.name, unit.variant))))


def _missing(
    unit: Unit,
    resources: Resources,
    plan: ParticipantPlan,
    refused: Mapping[Key, tuple[str, str]],
    atlases: Sequence[str],
) -> tuple[str, str] | None:
    """Return why a unit cannot run for want of a resource, or nothing."""
    for need in unit.measure.needs:
        try:
            resources.find(need, unit.measure, unit.variant)
        except KeyError:
            for other in plan.units:
                is_asked = other.image in (unit.image, unit.lender)
                if other.key in refused and need in _fields(other) and is_asked:
                    status, cause = refused[other.key]
                    if status == 'not_available':
                        return status, cause
                    return 'skipped', f'needs {other.measure.name!r}, which failed: {cause}'
            if unit.source is not None and unit.source.suffix != 'T1w' and not unit.lender:
                return 'not_available', f'there is no T1w image of sub-{unit.participant}'
            if unit.measure.atlas not in ('', *atlases):
                return (
                    'not_available',
                    f'needs the atlas {unit.measure.atlas}: add it to --atlases',
                )
            return 'skipped', f'nothing offers {need!r}'
    return None


def _fields(unit: Unit) -> set[str]:
    return {output.field for output in unit.measure.outputs}


def _refuse(unit: Unit, refused: Mapping[Key, tuple[str, str]]) -> tuple[str, str]:
    """Return status and reason of a unit that cannot run.

    The first unit of a bad image fails; the others say that they were not reached.
    """
    if unit.state == 'not available':
        return 'not_available', unit.reason
    if unit.state == 'killed':
        return 'failed', unit.reason
    first = next((measure for image, measure, _ in refused if image == unit.image), None)
    if first is None:
        return 'failed', unit.reason
    return 'skipped', f'not reached, because {first!r} failed on this image: {unit.reason}'


def _add_unit(config: Config, workflow: Any, unit: Unit, name: str, resources: Resources) -> None:
    part = unit.measure.init_wf(config).clone(name)
    workflow.add_nodes([part])
    optional = [name for name in unit.measure.optional if _is_offered(name, unit, resources)]
    for need in (*unit.measure.needs, *optional):
        resource = resources.get(resources.find(need, unit.measure, unit.variant))
        if isinstance(resource, Path):
            setattr(part.get_node('inputnode').inputs, need, str(resource))
        elif resource is not None:
            source, field = resource
            workflow.connect(source, f'outputnode.{field}', part, f'inputnode.{need}')
    for output in unit.measure.outputs:
        node = pe.Node(
            Call(
                save_output,
                out_file=str(config.out_dir / unit.outputs[output.field]),
                sidecar=describe_output(config, unit, output),
            ),
            name=f'save_{output.field}',
            overwrite=True,  # its product lies outside of the work folder: never take it as done
        )
        part.connect(part.get_node('outputnode'), output.field, node, 'in_file')
        resources.offer(output.field, unit.variant, (part, output.field))
    for figure in unit.measure.figures:
        if all(_is_offered(need, unit, resources) for need in figure.needs):
            _add_figure(config, workflow, unit, part, figure, resources)


def _is_offered(name: str, unit: Unit, resources: Resources) -> bool:
    try:
        resources.find(name, unit.measure, unit.variant)
    except KeyError:
        return False
    return True


def _add_figure(
    config: Config, workflow: Any, unit: Unit, part: Any, figure: Figure, resources: Resources
) -> None:
    optional = [name for name in figure.optional if _is_offered(name, unit, resources)]
    node = pe.Node(
        Draw(figure.draw, figure.needs, figure_files(config, unit, figure), optional),
        name=f'{part.name}_draw_{_word(figure.name)}',
        overwrite=True,
    )
    workflow.add_nodes([node])
    for need in (*figure.needs, *optional):
        resource = resources.get(resources.find(need, unit.measure, unit.variant))
        if isinstance(resource, Path):
            setattr(node.inputs, need, str(resource))
        elif resource is not None:
            source, field = resource
            workflow.connect(source, f'outputnode.{field}', node, need)
