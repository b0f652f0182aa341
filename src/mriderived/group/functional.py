"""The group level of functional MRI: what is made beside the tables, and when it is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mriderived.bids.status import NoInputError
from mriderived.config import DEFAULT_MEASURES, Config
from mriderived.group import component_runs, connectivity_files
from mriderived.group.chapters import Chapter
from mriderived.group.components import find_group_components
from mriderived.group.guard import guard
from mriderived.group.motion_check import check_motion
from mriderived.group.records import Cohort
from mriderived.group.tangent import find_tangents
from mriderived.group.task_chapter import find_task_chapter
from mriderived.measures.base import Measure


def check_cohort(config: Config, cohort: Cohort) -> None:
    """Raise :class:`NoInputError` where what was asked for lacks the runs that it needs."""
    if config.tangent:
        _want_two(cohort, '--tangent', connectivity_files.MEASURE, connectivity_files.MEASURE)
    if config.ica_components:
        measure = component_runs.MEASURE
        _want_two(cohort, '--ica-components', measure, f'{DEFAULT_MEASURES} {measure}')


def _want_two(cohort: Cohort, option: str, measure: str, names: str) -> None:
    having = (
        {row.participant for row, unit in cohort.units[measure, variant].items()
         if unit.status == 'done'}
        for variant in cohort.variants(measure)
    )  # fmt: skip
    most = max(map(len, having), default=0)
    if most < 2:
        raise NoInputError(
            f'{option} needs {measure} of two participants, and {most or "none"} '
            f'{"has" if most == 1 else "have"} it: run the participant level with --measures '
            f'{names} first'
        )


def find_chapters(
    config: Config,
    cohort: Cohort,
    measures: Sequence[Measure],
    refused: list[str],
    is_sloppy: bool = False,
) -> list[Chapter]:
    """Make what the cohort allows and the settings ask for; ``refused`` grows by what failed."""
    made: list[tuple[Chapter, Callable[[], Chapter | None]]] = [
        (Chapter('motion-connectivity', 'Motion and connectivity', ''),
         lambda: check_motion(config, cohort)),
        (Chapter('tasks', 'Tasks', ''),
         lambda: find_task_chapter(config.out_dir, cohort, measures, is_sloppy)),
    ]  # fmt: skip
    if config.tangent:
        empty = Chapter('tangent', 'Connectivity in tangent space', '')
        made.append((empty, lambda: find_tangents(config, cohort)))
    if config.ica_components:
        empty = Chapter('components', 'Components of the group', '')
        made.append((empty, lambda: find_group_components(config, cohort)))
    chapters = (_make(instead, make, refused) for instead, make in made)
    return [chapter for chapter in chapters if chapter is not None]


def _make(
    instead: Chapter, make: Callable[[], Chapter | None], refused: list[str]
) -> Chapter | None:
    """Return a chapter; ``instead`` with the reason where it fails, for all else must go on."""
    with guard(instead, refused, 'This part ended early.'):
        return make()
    return instead
