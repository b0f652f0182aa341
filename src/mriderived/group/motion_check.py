"""Does motion still show in connectivity? QC-FC, and how the edges of each participant lie.

One reference run per participant; sessions are checked apart, because correlations over
participants want independent ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mriderived.bids.sidecar import write_sidecar
from mriderived.bids.status import shorten_paths
from mriderived.config import Config
from mriderived.core.motion_effect import ALPHA, FEWEST, p_values, q_values
from mriderived.figures.edges import EdgePanel, draw_edges
from mriderived.figures.style import save_svg
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.connectivity_files import (
    MEASURE,
    Matrices,
    find_runs,
    group_path,
    label,
    mixed_tasks,
    read_motion,
)
from mriderived.group.edge_kinds import (
    BINS,
    FOR_CENTRES,
    Edges,
    Effects,
    gather_edges,
    measure_lengths,
)
from mriderived.group.edge_tables import write_edge_table
from mriderived.group.records import Cohort, Row
from mriderived.group.writing import write_lines

Vector = NDArray[np.float64]
KINDS = {'pearsoncorrelation': 'Correlation', 'partialcorrelation': 'Partial correlation'}
TEXT = (
    'QC-FC is the correlation, over participants, of each edge of the connectivity matrix with '
    'the mean framewise displacement of the run (Ciric et al. 2017). Where denoising has removed '
    'the traces of motion, the median of |r| is near that of chance, few edges have p < 0.05, '
    'and r does not depend on the length of the edge.'
)
CAPTION = (
    "Left: Fisher's z of the edges, one line per participant (200 at most); named are those whose "
    'mean or spread stands apart. Middle: correlation of each edge with motion, and what chance '
    'gives (dashed). Right: the same by the length of the edge, with the median (line).'
)
HEADER = (
    'Atlas', 'Session', 'Edges', 'Participants', 'with motion', 'Median |r|', 'by chance',
    'p < 0.05', 'q < 0.05 (FDR)', 'ρ with length', 'Set apart',
)  # fmt: skip


def check_motion(config: Config, cohort: Cohort) -> Chapter | None:
    """Check every atlas and session; nothing if nobody has connectivity."""
    chapter = Chapter('motion-connectivity', 'Motion and connectivity', TEXT, HEADER)
    for atlas in dict.fromkeys(cohort.variants(MEASURE)):
        for session in sorted({row.session for row in cohort.rows}):
            rows = [row for row in cohort.rows if row.session == session]
            found = find_runs(cohort, atlas, rows, config.out_dir)
            if found.runs:
                _check(config, cohort, atlas or '', rows, found, chapter)
    return chapter if chapter.rows else None


def _check(
    config: Config,
    cohort: Cohort,
    atlas: str,
    rows: Sequence[Row],
    found: Matrices,
    chapter: Chapter,
) -> None:
    """Check one atlas in one session."""
    out_dir, session = config.out_dir, rows[0].session
    where = f'{atlas}, session {session}' if session else atlas
    reasons = dict(found.reasons)
    motion = read_motion(cohort, found.runs, out_dir, reasons)
    lengths = measure_lengths(cohort, atlas, found, out_dir)
    kinds = {}
    for stat in KINDS:
        edges = gather_edges(found, stat, motion, lengths, reasons, out_dir)
        kinds[stat] = edges
        used = [row.row for row in edges.rows if np.isfinite(motion[row.row])]
        chapter.rows.append(_row(atlas, session, KINDS[stat], edges, len(used)))
        if edges.effects is not None:
            more = {'desc': stat, **({'ses': session} if session else {})}
            path = group_path(found.runs, atlas, config, 'qcfc', **more)
            _write_edges(out_dir / path, found.names, edges.effects, used, lengths)
            chapter.files.append(path)
    chapter.notes += _notes(where, found, motion)
    cohort.warnings += [
        f'{label(row)}: {atlas}: {shorten_paths(reason, out_dir)}'
        for row, reason in reasons.items()
        if 'cannot be read' in reason
    ]
    chapter.pictures.append(_draw(out_dir, atlas, session, where, kinds, lengths))
    tabled = {stat: edges.rows for stat, edges in kinds.items()}
    chapter.tables.append(write_edge_table(out_dir, atlas, session, rows, motion, reasons, tabled))


def _notes(where: str, found: Matrices, motion: Mapping[Row, float]) -> list[str]:
    notes = mixed_tasks(run.image for run in found.runs)
    moved = sum(np.isfinite(value) for value in motion.values())
    if moved < FEWEST:
        notes.append(
            f'No QC-FC, for it wants {FEWEST} participants with a mean framewise displacement, '
            f'and there {"is" if moved == 1 else "are"} {moved}.'
        )
    still = sorted(label(row) for row, value in motion.items() if not np.isfinite(value))
    if still and moved >= FEWEST:
        notes.append(
            f'{len(still)} without a mean framewise displacement take no part in r with motion, '
            f'which is of {moved}: {", ".join(still[:5])}{", …" * (len(still) > 5)}.'
        )
    return [f'{where}: {note}' for note in notes]


def _row(atlas: str, session: str, title: str, edges: Edges, moved: int) -> tuple[str, ...]:
    names = ', '.join(label(edges.rows[place].row) for place in edges.apart) or '–'
    told = ('–',) * 5
    if edges.effects is not None:
        effect = edges.effects.summary
        rank = '–' if np.isnan(effect.distance) else f'{effect.distance:.2f}'.replace('-', '−')
        told = (
            f'{effect.median:.3f}', f'{effect.chance:.3f}', f'{100 * effect.share:.1f} %',
            f'{100 * effect.share_fdr:.1f} %', rank,
        )  # fmt: skip
    return (atlas, session or '–', title, str(len(edges.rows)), str(moved), *told, names)


def _draw(
    out_dir: Path,
    atlas: str,
    session: str,
    where: str,
    kinds: Mapping[str, Edges],
    lengths: Vector,
) -> Picture:
    panels = {}
    for stat, edges in kinds.items():
        effects = edges.effects
        panels[KINDS[stat]] = EdgePanel(
            densities=edges.densities,
            bins=BINS,
            names=[label(row.row) for row in edges.rows],
            apart=edges.apart,
            correlation=effects.correlation if effects else None,
            participants=int(np.median(effects.number)) if effects else 0,
            lengths=lengths,
            rank=effects.summary.distance if effects else np.nan,
        )
    name = '_'.join(filter(None, ('edges', ''.join(filter(str.isalnum, atlas)), session)))
    path = figure_file(name)
    save_svg(draw_edges(panels), out_dir / path)
    return Picture(path, f'Edges of {where}', CAPTION)


def _write_edges(
    path: Path, names: Sequence[str], effects: Effects, used: Sequence[Row], lengths: Vector
) -> None:
    """Write one row per edge, and what they come to beside it."""
    p = p_values(effects.correlation, effects.number)
    columns = (lengths, effects.correlation, p, q_values(p))
    lines = ['region_a\tregion_b\tdistance\tr\tp\tq\tparticipants']
    for first, second, n, *cells in zip(
        *np.triu_indices(len(names), 1), effects.number, *columns, strict=True
    ):
        told = ('n/a' if np.isnan(cell) else f'{cell:.6g}' for cell in cells)
        lines.append('\t'.join((names[first], names[second], *told, str(n))))
    write_lines(path, lines)
    effect = effects.summary
    write_sidecar(path, {
        'Description': "Correlation over participants of Fisher's z of each edge with the mean "
        'framewise displacement of the run (QC-FC).',
        'Reference': 'https://doi.org/10.1016/j.neuroimage.2017.03.020',
        'Participants': [label(row) for row in used],
        'FewestParticipants': FEWEST,
        'Edges': effect.edges,
        'MedianAbsoluteCorrelation': effect.median,
        'MedianAbsoluteCorrelationByChance': effect.chance,
        'Alpha': ALPHA,
        'ShareBelowAlpha': effect.share,
        'ShareBelowAlphaFDR': effect.share_fdr,
        'DistanceDependence': effect.distance,
        'region_a': {'Description': 'A region of the atlas.'},
        'region_b': {'Description': 'The other region.'},
        'distance': {
            'Description': 'Distance of the centres of both regions, mean over up to '
            f'{FOR_CENTRES} participants.', 'Units': 'mm',
        },
        'r': {'Description': "Pearson's correlation with motion; n/a with too few participants."},
        'p': {'Description': 'Two-sided p of r.'},
        'q': {'Description': 'p after Benjamini and Hochberg, over all edges.'},
        'participants': {'Description': 'Participants that have this edge.'},
    })  # fmt: skip
