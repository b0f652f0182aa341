"""The group level of functional MRI: what is made beside the tables, and when it is refused."""

from __future__ import annotations

from collections.abc import Sequence

from mriderived.bids.status import NoInputError
from mriderived.config import DEFAULT_MEASURES, Config
from mriderived.group import component_runs, connectivity_files
from mriderived.group.chapters import Chapter
from mriderived.group.components import find_group_components
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
    config: Config, cohort: Cohort, measures: Sequence[Measure], is_sloppy: bool = False
) -> list[Chapter]:
    """Make what the cohort allows and the settings ask for."""
    chapters = []
    motion = check_motion(config, cohort)
    if motion is not None:
        chapters.append(motion)
    tasks = find_task_chapter(config.out_dir, cohort, measures, is_sloppy)
    if tasks is not None:
        chapters.append(tasks)
    if config.tangent:
        chapters.append(find_tangents(config, cohort))
    if config.ica_components:
        chapters.append(find_group_components(config, cohort))
    return chapters
