"""The group level: from the outputs of the participants to the tables of the cohort.

It reads the output folder only, results of others where asked, and the label table of an atlas for
which nobody has a value. Neither the raw dataset's ``participants.tsv`` nor anything else about a
person goes into a table of the cohort, unless ``--join-covariates`` asks for one with it
(``group.joined``). Models that are asked for read it, and what they find stands below ``models/``;
what ``--predict`` finds of measures is a column of the cohort table, too
(``group.predicted_columns``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import PurePosixPath
from typing import NamedTuple

from mriderived import __version__
from mriderived.bids.description import read_settings
from mriderived.bids.sidecar import JSONFileError
from mriderived.bids.status import shorten_paths
from mriderived.config import Config
from mriderived.group import enigma, functional
from mriderived.group.blocks import Block, build_block
from mriderived.group.chapters import Chapter, mark_sidecars
from mriderived.group.cohort_checks import check_participants, gather_alike
from mriderived.group.columns import Source, is_cohort_output, order_variants
from mriderived.group.derivatives import Derivatives, Sheet, place_sheets
from mriderived.group.findings import Findings
from mriderived.group.guard import guard
from mriderived.group.methods_text import write_texts
from mriderived.group.outliers import FEWEST, FEWEST_OF_SITE
from mriderived.group.readers import read_derivatives
from mriderived.group.records import Cohort, read_cohort
from mriderived.group.runs import write_runs
from mriderived.group.sites import Sites, find_sites
from mriderived.group.small_samples import MANY, THRESHOLD, chance_share
from mriderived.group.table_forms import write_forms
from mriderived.group.writing import replace_listing, write_lines, write_tables
from mriderived.measures.base import Measure

LOGGER = logging.getLogger(__name__)


class GroupResult(NamedTuple):
    """What the group level made of the participants' outputs."""

    #: Paths of the tables, below the output folder.
    tables: tuple[PurePosixPath, ...]
    participants: int
    columns: int
    #: What was left out of the tables and why, ready to be shown.
    warnings: tuple[str, ...]
    #: The same for files in the form of others (``--export``).
    exports: tuple[PurePosixPath, ...] = ()
    #: The same for matrices and maps of the cohort.
    files: tuple[PurePosixPath, ...] = ()
    #: Why models that were asked for were not fitted, or a table not written.
    refused: tuple[str, ...] = ()


def check_cohort(config: Config, cohort: Cohort) -> None:
    """Raise :class:`NoInputError` where nobody has what the settings need."""
    if config.export == 'enigma':
        enigma.check_cohort(cohort)
    functional.check_cohort(config, cohort)


def run_group(
    config: Config,
    measures: Sequence[Measure],
    planned: Iterable[tuple[str, str | None]] = (),
) -> GroupResult:
    """Gather the outputs of all participants into tables below ``phenotype/``.

    ``measures`` gives the order of the columns; ``planned`` names measure and atlas or space of
    what has columns even if no participant has a record of it. Raises :class:`NoInputError` if
    there is no participant output, or none of what ``config.export`` needs.
    """
    others = read_derivatives(config)
    cohort = read_cohort(config, planned, others.rows)
    others.fit(cohort.rows)
    cohort.warnings += [*others.warnings, *others.refused, *check_participants(config)]
    check_cohort(config, cohort)
    blocks = _build_blocks(config, cohort, measures, others)
    is_sloppy = _is_sloppy(config, cohort)
    sites = find_sites(config, cohort.rows)
    cohort.warnings += sites.warnings if sites else []
    written = _write_all(config, cohort, blocks, sites, is_sloppy)
    refused = [*others.refused, *written.refused]
    exports: tuple[PurePosixPath, ...] = ()
    if config.export == 'enigma':
        exports = enigma.write_enigma(config.out_dir, cohort.rows, blocks, is_sloppy)
    chapters = functional.find_chapters(config, cohort, measures, refused, is_sloppy)
    if asks_for_statistics(config):
        # Statistics take a second to import, and most runs of the group level have none.
        from mriderived.group.statistics import find_statistics

        whole = Chapter('statistics', 'Statistics', '')
        sheets: list[Sheet] = []
        with guard(whole, refused, 'Statistics ended early.'):
            found = find_statistics(config, cohort, blocks, measures)
            chapters += found.chapters
            refused += found.refused
            sheets = found.sheets
        chapters += [whole] * bool(whole.notes)
        if sheets:
            # Tables are there before statistics, which may take long, and once more with these.
            taken = {column.name for block in blocks for column in block.columns}
            blocks += place_sheets(sheets, cohort.rows, taken)
            written = _write_all(config, cohort, blocks, sites, is_sloppy)
    if is_sloppy:
        mark_sidecars(config.out_dir, chapters)
    tables = [*written.tables, *(table for chapter in chapters for table in chapter.tables)]
    files = tuple(path for chapter in chapters for path in chapter.files)
    warnings = tuple(gather_alike(cohort.warnings))
    participants = len({row.participant for row in cohort.rows})
    columns = sum(len(block.columns) for block in blocks)
    logs = config.out_dir / 'logs'
    write_lines(logs / 'group_summary.tsv', written.findings.summaries)
    write_lines(logs / 'group_outliers.tsv', written.findings.outliers)
    replace_listing(logs / 'group.json', {
        'version': __version__,
        'participants': participants,
        'sessions': sorted({row.session for row in cohort.rows}),
        'columns': columns,
        'threshold': THRESHOLD,
        'many': MANY,
        'chance': _tell_chance(participants),
        'fewest': FEWEST,
        'sites': _tell_sites(sites),
        'tables': [str(table) for table in tables],
        'exports': [str(path) for path in exports],
        'files': [str(path) for chapter in chapters for path in chapter.written],
        'methods': write_texts(config, chapters, sites.column if sites and sites.is_known else ''),
        'chapters': [chapter.to_json() for chapter in chapters],
        'warnings': list(warnings),
    })  # fmt: skip
    for warning in warnings:
        LOGGER.warning(warning)
    return GroupResult(
        tuple(tables), participants, columns, warnings, exports, files, tuple(refused)
    )


class _Written(NamedTuple):
    tables: list[PurePosixPath]
    findings: Findings
    refused: list[str]


def _write_all(
    config: Config,
    cohort: Cohort,
    blocks: Sequence[Block],
    sites: Sites | None,
    is_sloppy: bool,
) -> _Written:
    """Write all tables of the measures, and find what stands apart in them."""
    tables: list[PurePosixPath] = []
    findings = Findings()
    first = 0
    for session, members in groupby(cohort.rows, key=lambda row: row.session):
        rows = list(members)
        tables += write_tables(config.out_dir, session, rows, first, blocks, is_sloppy)
        own = sites.labels[first : first + len(rows)] if sites else None
        findings.add(rows, first, blocks, own)
        first += len(rows)
    tables += write_runs(config.out_dir, cohort, blocks, is_sloppy)
    forms, refused = write_forms(config, cohort, blocks, is_sloppy)
    return _Written([*tables, *forms], findings, refused)


def _tell_chance(participants: int) -> str:
    """Return the percentage of so many normal values that stand apart by chance."""
    return f'{100 * float(chance_share(participants)):.2g}'


def _tell_sites(sites: Sites | None) -> dict[str, object] | None:
    """Return what the page says of the sites within which outliers are judged."""
    if sites is None or not sites.is_known:
        return None
    return {'column': sites.column, 'fewest': FEWEST_OF_SITE, 'notes': sites.notes}


def asks_for_statistics(config: Config) -> bool:
    """Tell whether anything is wanted beside tables."""
    return bool(config.models or config.map_models or config.harmonise or config.predict
                or config.norms or config.exclude or config.ratings)  # fmt: skip


def _is_sloppy(config: Config, cohort: Cohort) -> bool:
    """Tell whether the participants were run coarsely; the group level has no such setting."""
    try:
        return read_settings(config.out_dir).get('sloppy') is True
    except JSONFileError as error:
        reason = shorten_paths(str(error), config.out_dir)
        cohort.warnings.append(f'whether this was a coarse run cannot be told: {reason}')
        return False


def _build_blocks(
    config: Config, cohort: Cohort, measures: Sequence[Measure], others: Derivatives
) -> list[Block]:
    taken = {'participant_id'}
    blocks = []
    for source in _sources(config, cohort, measures):
        block = build_block(source, cohort, config.out_dir, taken)
        if block.columns:
            blocks.append(block)
    return [*blocks, *place_sheets(others.sheets, cohort.rows, taken)]


def _sources(config: Config, cohort: Cohort, measures: Sequence[Measure]) -> Iterator[Source]:
    """Yield every table that anyone may have, in the order of the columns."""
    wanted = {'atlas': config.atlases, 'space': config.output_spaces, 'image': ()}
    for measure in measures:
        outputs = [output for output in measure.outputs if is_cohort_output(output)]
        for variant in order_variants(cohort.variants(measure.name), wanted[measure.over]):
            for output in outputs:
                yield Source(measure, output, variant)
