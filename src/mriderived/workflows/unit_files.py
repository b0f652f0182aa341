"""What a unit writes beside its data: the pictures of its figures, and sidecars."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mriderived.bids.names import figure_path
from mriderived.bids.sidecar import bids_uri, build_sidecar, sidecar_path, table_dictionary
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE, Config
from mriderived.measures.base import COLLECTION, Figure, Output
from mriderived.workflows.plan import Unit


def figure_files(config: Config, unit: Unit, figure: Figure) -> tuple[str, ...]:
    """Return the files of a figure: its picture and, for a flicker, the reference picture."""
    if unit.source is None:
        return ()
    entities = dict(unit.source.entities)
    if unit.variant:
        entities[unit.measure.over] = re.sub(r'[\W_]', '', unit.variant)
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
    # none of these is a template, whose name says all
    grids = {'T1w': unit.lender, COLLECTION: unit.image}
    if unit.source is not None:
        grids[unit.source.suffix] = unit.image
    if grid := grids.get(output.entities.get('space', '')):
        content['SpatialReference'] = bids_uri('raw', grid)
    if config.sloppy:
        content['Sloppy'] = f'{SLOPPY_TITLE}. {SLOPPY_TEXT}'
    return build_sidecar(
        description=output.description,
        sources=[bids_uri('raw', path) for path in (unit.image, *unit.others)],
        unit=output.unit,
        extra=content,
    )
