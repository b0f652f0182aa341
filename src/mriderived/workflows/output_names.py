"""Where every output of a unit goes: the names that follow from its image and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mriderived.bids.dataset import Image
from mriderived.bids.names import build_path
from mriderived.measures.base import COLLECTION, Measure, Output
from mriderived.spaces import get_atlas


def output_paths(image: Image, measure: Measure, variant: str | None) -> dict[str, str]:
    """Return where every output of a unit goes, below the output folder, by field."""
    return {
        output.field: str(output_path(image, measure, output, variant))
        for output in measure.outputs
    }


def output_path(image: Image, measure: Measure, output: Output, variant: str | None) -> Path:
    """Return where an output goes, below the output folder."""
    entities = fill_collection({**image.entities, **output.entities}, image.suffix)
    if variant and measure.over == 'space':
        # A transform names both of its ends instead of a space; ``*`` stands for this one.
        if '*' in entities.values():
            entities = {key: variant if v == '*' else v for key, v in entities.items()}
        else:
            entities['space'] = variant
    elif variant and measure.over == 'atlas':
        entities.update(get_atlas(variant).entities)
    return Path(
        build_path(
            entities,
            datatype=output.datatype,
            suffix=output.suffix.replace(COLLECTION, image.suffix),
            extension=output.extension,
        )
    )


def fill_collection(entities: Mapping[str, str], suffix: str) -> dict[str, str]:
    """Write the suffix of the raw image where entities of an output ask for it."""
    return {key: value.replace(COLLECTION, suffix) for key, value in entities.items()}
