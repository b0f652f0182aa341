"""Which images a measure runs on, and which of them stands in the cohort table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nb

from mriderived.bids.dataset import reference_image
from mriderived.bids.known_files import hash_file
from mriderived.bids.qmri_collections import kind_of
from mriderived.measures.base import Measure, Scope
from mriderived.spaces.labels import read_table
from mriderived.spaces.registry import get_label_table
from mriderived.workflows.sources import Source, digest, keep_fullest

#: The step that tells why other images of quantitative MRI than collections are not measured.
FIRST_OF_COLLECTIONS = 'qmri_alignment'
#: With fewer directions than a tensor has numbers, a shell tells nothing by itself.
FEWEST_DIRECTIONS = 6


def is_in_scope(measure: Measure, source: Source) -> bool:
    """Tell whether a measure runs on an image."""
    scope = measure.scope
    if source.lack:  # one row says why
        return measure.name == FIRST_OF_COLLECTIONS
    return (
        measure.source == kind_of(source.image.suffix)
        and (not scope.collections or source.image.suffix in scope.collections)
        and (not scope.tasks or source.image.entities.get('task') in scope.tasks)
        and (not scope.is_multi_echo or len(source.acquisition.get('echoes', ())) > 1)
        and (not scope.needs_phase or bool(source.fault) or _has_phase(source.acquisition, any))
    )


def explain_scope(measure: Measure, source: Source) -> str:
    """Say why an image does not do for a measure, or nothing.

    Its voxels may be too large, the gradient table of a diffusion series or the images of a
    collection may not do, or the T1w image be of another session.
    """
    if source.lack:
        return source.lack
    if 'collection' in source.acquisition:
        return _explain_collection(measure.scope, source.acquisition)
    shells = source.acquisition.get('shells')
    if measure.scope.least_shells and shells is not None:
        return _explain_shells(measure.scope, shells)
    return _explain_image(measure.scope, source)


def explain_atlas(measure: Measure, variant: str | None) -> str:
    """Say why an atlas does not do for a measure that is over atlases, or nothing."""
    if not measure.atlas_tissues or variant is None:
        return ''
    tissues = set(read_table(get_label_table(variant))['tissue'])
    return (
        '' if tissues & set(measure.atlas_tissues) else f'{variant} has no region of grey matter'
    )


def _explain_image(scope: Scope, source: Source) -> str:
    """Say why the voxels of an image or the T1w that it leans on do not do, or nothing."""
    image = source.image
    if scope.largest_voxel and not source.fault:
        edges = [float(edge) for edge in nb.load(image.path).header.get_zooms()[:3]]
        if max(edges) > scope.largest_voxel + 1e-3:
            size = ' x '.join(f'{edge:.3g}' for edge in edges)
            return f'voxels of {size} mm are too large for it; {scope.largest_voxel:g} mm at most'
    if (
        scope.is_of_t1w_session
        and source.lender
        and Path(source.lender).parts[:-2] != Path(source.relative).parts[:-2]
    ):
        return f'the T1w image is of another session than this {image.suffix}'
    return ''


def _explain_shells(scope: Scope, shells: Sequence[Sequence[float]]) -> str:
    """Say why a gradient table does not do, or nothing."""
    weighted = [(b, int(count)) for b, count in shells[1:]]
    usable = [
        count
        for b, count in weighted
        if count >= FEWEST_DIRECTIONS and (not scope.largest_b or b <= scope.largest_b)
    ]
    if len(usable) >= scope.least_shells and max(usable) >= scope.least_directions:
        has_more = len(usable) > scope.least_shells and not scope.needs_unweighted
        if shells[0][1] or has_more:
            return ''
        return 'it needs volumes without diffusion weighting, and there are none'
    needed = (
        f'{scope.least_shells} shell{"s" * (scope.least_shells > 1)} of at least '
        f'{FEWEST_DIRECTIONS} directions'
    )
    if scope.least_directions > FEWEST_DIRECTIONS:
        needed += f', one of them of at least {scope.least_directions}'
    if scope.largest_b:
        needed += f', up to b = {scope.largest_b:g}'
    found = ' and '.join(f'{count} at b = {b:g}' for b, count in weighted) or 'none'
    return f'it needs {needed}; directions here: {found}'


def _has_phase(acquisition: Mapping[str, Any], how_many: Callable[[Iterable[Any]], bool]) -> bool:
    """Tell whether any, or all, images of a collection come with their phase."""
    return how_many(image['phase'] or image['imag'] for image in acquisition['images'])


def _explain_collection(scope: Scope, acquisition: Mapping[str, Any]) -> str:
    """Say what a collection lacks for a measure, or nothing."""
    images = acquisition['images']
    if len(images) < scope.least_images:
        return f'it needs {scope.least_images} images, there are {len(images)}'
    if scope.needs_phase and not _has_phase(acquisition, all):
        return 'it needs the phase of every image'
    if scope.needs_transmit_field and not acquisition['transmit_field']:
        return str(acquisition['field_reason'])
    return scope.obstacle(acquisition) if scope.obstacle else ''


def find_references(
    measures: Sequence[Measure], sources: Sequence[Source]
) -> Mapping[str, Sequence[Source]]:
    """Return by measure the image of each session that stands in the cohort table.

    A measure that runs on some images only has a reference among these.
    """
    return {
        measure.name: [source for source in sources if source.is_reference]
        if measure.scope == Scope()
        else _choose(_able(measure, [s for s in sources if is_in_scope(measure, s)]))
        for measure in measures
    }


def _able(measure: Measure, sources: Sequence[Source]) -> Sequence[Source]:
    """Leave out series whose gradient table does not do, where others of the session are."""
    able = [source for source in sources if not explain_scope(measure, source)]
    served = {source.image.session for source in able}
    return [*able, *(source for source in sources if source.image.session not in served)]


def _choose(sources: Sequence[Source]) -> Sequence[Source]:
    chosen = []
    for session in dict.fromkeys(source.image.session for source in sources):
        mine = [source for source in sources if source.image.session == session]
        sound = keep_fullest([source for source in mine if not source.fault] or mine)
        image = reference_image([source.image for source in sound])
        chosen += [source for source in mine if source.image is image]
    return chosen


def hash_scope(measure: Measure, source: Source) -> tuple[str, ...]:
    """Return what the results of a measure depend on that those of others do not."""
    scope = measure.scope
    events = source.acquisition.get('events') if scope.tasks else None
    found = (scope.key, hash_file(Path(events)) if events else '')
    return (digest(*found),) if any(found) else ()
