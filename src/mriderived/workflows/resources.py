"""Where the units of one image find what they need: files that are there, and fields of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mriderived.bids.qmri_collections import kind_of
from mriderived.config import Config
from mriderived.measures.base import Measure
from mriderived.spaces import DEFAULT_SPACE, get_atlas, get_space, prepare_atlas
from mriderived.spaces.structures import ATLAS as STRUCTURES_ATLAS
from mriderived.workflows.plan import Unit
from mriderived.workflows.sources import RAW_RESOURCES

#: Where a resource is found: a file that is there, or the field of a node.
Resource = Path | tuple[Any, str]
#: Name of a resource, and the atlas or space it belongs to.
ResourceKey = tuple[str, str | None]


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
            self._found[RAW_RESOURCES[kind_of(unit.source.suffix)], None] = unit.source.path

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
        for candidate in (measure.atlas or variant, space, None):
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


def shared_resources(config: Config) -> dict[ResourceKey, Path | None]:
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
