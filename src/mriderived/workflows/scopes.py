"""Which images a measure runs on, and which of them stands in the cohort table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mriderived.bids.dataset import reference_image
from mriderived.bids.known_files import hash_file
from mriderived.measures.base import Measure, Scope
from mriderived.workflows.sources import Source, digest


def is_in_scope(measure: Measure, source: Source) -> bool:
    """Tell whether a measure runs on an image."""
    scope = measure.scope
    return (
        measure.source == source.image.suffix
        and (not scope.tasks or source.image.entities.get('task') in scope.tasks)
        and (not scope.is_multi_echo or len(source.acquisition.get('echoes', ())) > 1)
    )


def find_references(
    measures: Sequence[Measure], sources: Sequence[Source]
) -> Mapping[str, Sequence[Source]]:
    """Return by measure the image of each session that stands in the cohort table.

    A measure that runs on some images only has a reference among these.
    """
    return {
        measure.name: [source for source in sources if source.is_reference]
        if measure.scope == Scope()
        else _choose([source for source in sources if is_in_scope(measure, source)])
        for measure in measures
    }


def _choose(sources: Sequence[Source]) -> Sequence[Source]:
    chosen = []
    for session in dict.fromkeys(source.image.session for source in sources):
        mine = [source for source in sources if source.image.session == session]
        sound = [source for source in mine if not source.fault] or mine
        image = reference_image([source.image for source in sound])
        chosen += [source for source in mine if source.image is image]
    return chosen


def hash_scope(measure: Measure, source: Source) -> tuple[str, ...]:
    """Return what the results of a measure depend on that those of others do not."""
    scope = measure.scope
    events = source.acquisition.get('events') if scope.tasks else None
    found = (scope.key, hash_file(Path(events)) if events else '')
    return (digest(*found),) if any(found) else ()
