"""Assemble the graph of one participant: one loop over the planned units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nipype.pipeline import engine as pe

from mriderived import __version__
from mriderived.bids.names import figure_path
from mriderived.bids.sidecar import (
    bids_uri,
    build_sidecar,
    sidecar_path,
    table_dictionary,
    write_json,
)
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE, Config
from mriderived.interfaces.call import Call
from mriderived.interfaces.draw import Draw
from mriderived.interfaces.sink import save_output
from mriderived.measures.base import Figure, Measure, Output
from mriderived.spaces import DEFAULT_SPACE, get_atlas, get_space, prepare_atlas
from mriderived.spaces.structures import ATLAS as STRUCTURES_ATLAS
from mriderived.workflows.plan import ParticipantPlan, Unit
from mriderived.workflows.sources import RAW_RESOURCES

#: Where a resource is found: a file that is there, or the field of a node.
Resource = Path | tuple[Any, str]
Key = tuple[str, str, str | None]
#: Name of a resource, and the atlas or space it belongs to.
ResourceKey = tuple[str, str | None]


@dataclass(frozen=True)
class Assembly:
    """The graph, and the units that could not be put into it with the reason."""

    workflow: Any
    #: Name of the sub-workflow → unit; nodes are found back by the first two parts of their name.
    units: Mapping[str, Unit]
    refused: Mapping[Key, tuple[str, str]]


class Resources:
    """The resources of one image, each with the atlas or space it belongs to.

    What an image does not offer itself is looked for at its ``lender``, the T1w image. Fields of
    outputs have different names for different kinds of images, so one never hides another.
    """

    def __init__(
        self,
        unit: Unit,
        shared: Mapping[ResourceKey, Path | None],
        lender: Resources | None = None,
    ) -> None:
        self._found: dict[ResourceKey, Resource | None] = dict(shared)
        self._lender = lender
        if unit.source is not None:
            self._found[RAW_RESOURCES[unit.source.suffix], None] = unit.source.path

    def offer(self, name: str, variant: str | None, resource: Resource | None) -> None:
        """Add a resource; ``None`` means known to be absent, and optional."""
        self._found[name, variant] = resource

    def find(self, name: str, measure: Measure, variant: str | None) -> ResourceKey:
        """Return the key of a resource for one unit.

        Raises
        ------
        KeyError
            If nothing offers it.
        """
        space: str | None = DEFAULT_SPACE
        if measure.over == 'space':
            space = variant
        elif measure.over == 'atlas' and variant:
            space = get_atlas(variant).space
        for candidate in (variant, space, None):
            if (name, candidate) in self._found:
                return name, candidate
        if self._lender is None:
            raise KeyError(name)
        return self._lender.find(name, measure, variant)

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource under a key of :meth:`find`."""
        if key not in self._found and self._lender is not None:
            return self._lender.get(key)
        return self._found[key]


def init_participant_wf(config: Config, plan: ParticipantPlan) -> Assembly:
    """Build the graph of everything that is to run for one participant."""
    base_dir = config.work_dir / f'{__version__}-{config.hash}'
    workflow = pe.Workflow(name=f'sub_{_word(plan.participant)}_wf', base_dir=str(base_dir))
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
    shared = _shared_resources(config) if any(u.state == 'to run' for u in plan.units) else {}
    for unit in plan.units:
        if unit.image not in per_image:
            per_image[unit.image] = Resources(unit, shared, per_image.get(unit.lender))
            _offer_acquisition(per_image[unit.image], unit, plan, base_dir)
        resources = per_image[unit.image]
        if unit.state == 'done':
            for field, path in unit.outputs.items():
                resources.offer(field, unit.variant, config.out_dir / path)
        elif unit.state == 'to run':
            missing = _missing(unit, resources, plan, refused)
            if missing:
                refused[unit.key] = missing
                continue
            name = unit_name(unit)
            units[name] = unit
            _add_unit(config, workflow, unit, name, resources)
        elif unit.state == 'bad input':
            refused[unit.key] = _bad_input(unit, refused)
        elif unit.state == 'killed':
            refused[unit.key] = ('failed', unit.reason)
    return Assembly(workflow, units, refused)


def _offer_acquisition(
    resources: Resources, unit: Unit, plan: ParticipantPlan, base_dir: Path
) -> None:
    """Write what goes with an image where its nodes can read it."""
    acquisition = plan.acquisitions.get(unit.image)
    if acquisition and unit.source is not None:
        path = base_dir / 'acquisitions' / f'{_word(unit.image)}.json'
        write_json(path, acquisition)
        resources.offer(f'{unit.source.suffix}_acquisition', None, path)
        if acquisition['events']:
            resources.offer(f'{unit.source.suffix}_events', None, Path(acquisition['events']))


def _word(text: str) -> str:
    return re.sub(r'\W', '_', text)


def unit_name(unit: Unit) -> str:
    """Return the name of a unit's sub-workflow, unique within its participant."""
    stem = Path(unit.image).name.split('.')[0].removeprefix(f'sub-{unit.participant}_')
    return _word('_'.join(filter(None, (stem, unit.measure.name, unit.variant))))


def _shared_resources(config: Config) -> dict[ResourceKey, Path | None]:
    """Return the files of every space and atlas; they are the same for all images."""
    found: dict[ResourceKey, Path | None] = {}
    atlases = [get_atlas(name) for name in config.atlases]
    names = (DEFAULT_SPACE, *config.output_spaces, *(atlas.space for atlas in atlases))
    for name in dict.fromkeys(names):
        space = get_space(name)
        found['space_brain', name] = space.brain
        found['space_mask', name] = space.mask
        found['space_tissues', name] = space.tissues
    structures = get_atlas(STRUCTURES_ATLAS)
    folder = config.work_dir / 'atlases'
    found['structures_image', None] = prepare_atlas(structures, folder)
    found['structures_table', None] = structures.table
    for name, atlas in zip(config.atlases, atlases, strict=True):
        found['atlas_image', name] = prepare_atlas(atlas, folder)
        found['atlas_table', name] = atlas.table
    return found


def _missing(
    unit: Unit,
    resources: Resources,
    plan: ParticipantPlan,
    refused: Mapping[Key, tuple[str, str]],
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
            return 'skipped', f'nothing offers {need!r}'
    return None


def _fields(unit: Unit) -> set[str]:
    return {output.field for output in unit.measure.outputs}


def _bad_input(unit: Unit, refused: Mapping[Key, tuple[str, str]]) -> tuple[str, str]:
    """The first unit of a bad image fails; the others say that they were not reached."""
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
    node = pe.Node(
        Draw(figure.draw, figure.needs, figure_files(config, unit, figure)),
        name=f'{part.name}_draw_{_word(figure.name)}',
        overwrite=True,
    )
    workflow.add_nodes([node])
    for need in figure.needs:
        resource = resources.get(resources.find(need, unit.measure, unit.variant))
        if isinstance(resource, Path):
            setattr(node.inputs, need, str(resource))
        elif resource is not None:
            source, field = resource
            workflow.connect(source, f'outputnode.{field}', node, need)


def figure_files(config: Config, unit: Unit, figure: Figure) -> tuple[str, ...]:
    """Return the files of a figure: its picture and, for a flicker, the reference picture."""
    if unit.source is None:
        return ()
    entities = dict(unit.source.entities)
    if unit.variant:
        entities[unit.measure.over] = _word(unit.variant).replace('_', '')
    return tuple(
        str(config.out_dir / figure_path(entities, desc=desc, suffix=unit.source.suffix))
        for desc in (figure.name, f'{figure.name}Reference')
    )


def describe_output(config: Config, unit: Unit, output: Output) -> dict[str, Any] | None:
    """Return the sidecar of an output, as far as it follows from its declaration.

    An image and a table with the same name but for the extension share one sidecar; the output
    that is declared first writes it, the other gets ``None``.
    """
    path = sidecar_path(Path(unit.outputs[output.field]))
    sharing = [
        other
        for other in unit.measure.outputs
        if sidecar_path(Path(unit.outputs[other.field])) == path
    ]
    if output is not sharing[0]:
        return None
    content: dict[str, Any] = {}
    for other in sharing:
        content |= {**table_dictionary(other.columns), **other.sidecar}
    if config.sloppy:
        content['Sloppy'] = f'{SLOPPY_TITLE}. {SLOPPY_TEXT}'
    return build_sidecar(
        description=output.description,
        sources=[bids_uri('raw', unit.image)],
        unit=output.unit,
        extra=content,
    )
