"""Maps of BOLD in template spaces: measures made from a declaration, for group statistics."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import Config
from mriderived.core.sampling import warp
from mriderived.interfaces.bold_spaces import RESOLUTION, find_deformation, read_space_grid
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

#: A voxel of the space has a value where this share of it is of voxels that have one.
LEAST_SHARE = 0.5


class SpaceMap(NamedTuple):
    """The file that :func:`bring_map` writes."""

    in_space: Path


def bring_map(
    map_file: Path,
    xfm_to_t1w: Path,
    xfm_to_space: Path,
    space_mask: Path,
    threads: int = 1,
    is_zero_missing: bool = True,
) -> SpaceMap:
    """Interpolate a map linearly in a space; voxels without a value lend none.

    Those are of 0 if ``is_zero_missing``, else NaN. In the space they are 0.
    """
    values, affine = load(map_file), load_affine(map_file)
    grid = read_space_grid(space_mask)
    field = find_deformation(grid, xfm_to_space).field
    to_map = np.linalg.inv(affine) @ load_rigid(xfm_to_t1w) @ grid.affine
    known = values != 0 if is_zero_missing else np.isfinite(values)
    share = warp(known.astype(np.float32), field, to_map, threads)
    found = warp(np.where(known, values, np.float32(0)), field, to_map, threads) / np.maximum(
        share, LEAST_SHARE
    )
    kept = grid.mask & (share >= LEAST_SHARE)
    return SpaceMap(save(np.where(kept, found, np.float32(0)), grid.affine, 'map.nii.gz'))


def map_needs(source: str) -> tuple[str, ...]:
    """Return what leads from the grid of images of one kind to a space."""
    return f'xfm_{source}_to_t1w', 'xfm_to_space', 'space_mask'


def init_space_map_wf(output: Output, source: str, config: Config) -> Any:
    """Build the workflow that brings one map to a space."""
    to_t1w, *others = map_needs(source)
    return one_node_wf(
        bring_map,
        (f'{output.field}=map_file', f'{to_t1w}=xfm_to_t1w', *others),
        {'in_space': f'{output.field}_in_space'},
        is_zero_missing=output.is_zero_missing,
        threads=config.omp_nthreads,
    )


def space_measure(measure: Measure, output: Output) -> Measure:
    """Return the measure that brings one map of ``measure`` to spaces."""
    return Measure(
        name=f'{output.field}_in_space',
        title=f'{output.title or measure.title}, in a space',
        needs=(output.field, *map_needs(measure.source)),
        source=measure.source,
        scope=measure.scope,
        over='space',
        outputs=(
            Output(
                field=f'{output.field}_in_space',
                datatype=output.datatype,
                suffix=output.suffix,
                entities={**output.entities, 'res': '2'},
                description=f'In the space, interpolated linearly: {output.description}',
                unit=output.unit,
                sidecar={
                    **output.sidecar,
                    'Resolution': RESOLUTION,
                },
                is_zero_missing=True,
                draft=output.draft,
            ),
        ),
        init_wf=partial(init_space_map_wf, output, measure.source),
        reference=measure.reference,
        methods='',
        is_opt_in=measure.is_opt_in,
        minutes=0.1,
    )


def space_measures(measures: Iterable[Measure]) -> tuple[Measure, ...]:
    """Return a map in spaces for every output that declares ``in_spaces=True``."""
    return tuple(
        space_measure(measure, output)
        for measure in measures
        for output in measure.outputs
        if output.in_spaces
    )
