"""The part of ``group.html`` on voxel-wise models: maps as files, clusters and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mriderived import __version__
from mriderived.bids.covariates import Covariates
from mriderived.bids.sidecar import write_sidecar
from mriderived.config import Config
from mriderived.figures.overlays import map_overlay
from mriderived.figures.style import save_svg
from mriderived.group.backgrounds import template_on
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.exclusion_effects import compare_maps
from mriderived.group.guard import guard
from mriderived.group.map_clusters import ATLAS, Cluster, find_clusters, load_regions
from mriderived.group.map_engine import Work
from mriderived.group.map_files import find_maps
from mriderived.group.map_models import MapModel, fit_maps
from mriderived.group.map_outputs import judge_voxels, label, make_volumes, save_maps, tell_rule
from mriderived.group.model_design import impute_policy
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Row
from mriderived.group.sample import Sample
from mriderived.group.writing import write_lines
from mriderived.measures.base import Measure

#: Clusters that the page shows for each contrast; the table has all.
SHOWN = 12
#: A colour is opaque from this |t| on, and fades below it.
OPAQUE_T = 3.1
_HEADER = ('Contrast', 'Cluster', 'Volume (mm³)', 'Peak t', 'at (mm)', 'p', 'Regions')
_COLUMNS = {
    'contrast': 'Contrast.',
    'cluster': 'Number of the cluster, the largest peak first.',
    'volume': 'Volume in mm³.',
    'peak_t': 't of its peak.',
    'x': 'Place of the peak in mm, from left to right.',
    'y': 'From back to front.',
    'z': 'From bottom to top.',
    'p': 'Smallest p-value of the cluster, by the rule of this table.',
    'regions': f'Regions of the atlas {ATLAS} that hold most of it, with its share.',
}


def find_map_chapters(
    config: Config,
    measures: Sequence[Measure],
    models: Sequence[Model],
    known: Covariates,
    sample: Sample,
    everybody: Sample | None = None,
) -> tuple[list[Chapter], list[str]]:
    """Fit all voxel-wise models, write their maps, and say which were refused and why.

    With ``everybody``, each is fitted with those who are left out, too, and compared.
    """
    chapters: list[Chapter] = []
    refused: list[str] = []
    for model in models:
        chapter = Chapter(f'maps-{snake(model.name)}', f'Maps: {model.formula}', '', _HEADER)
        chapters.append(chapter)
        with guard(chapter, refused, 'This model was not fitted.'):
            fits = _fit(config, model, measures, sample)
            for fitted in fits:
                _show(config, chapter, fitted)
            chapter.notes += known.notes
            if everybody is None:
                continue
            try:
                whole = _fit(config, model, measures, everybody)
                chapters.append(compare_maps(config, fits, whole))
            except ModelError as error:
                chapter.notes.append(f'everybody cannot be fitted: {error}')
    return chapters, refused


def _fit(
    config: Config, model: Model, measures: Sequence[Measure], sample: Sample
) -> list[MapModel]:
    if model.harmonised:
        raise ModelError(
            f'{model.formula}: maps are not harmonised: put the sites into the formula, as in '
            f'{model.terms} + C(site)'
        )
    rows, covariates = sample.cohort.rows, sample.covariates
    return [
        fit_maps(model, maps, rows, covariates, config.out_dir, config.smoothing, _plan(config))
        for maps in find_maps(model.outcome, sample.cohort, measures, config.out_dir)
    ]


def _plan(config: Config) -> Work:
    return Work(config.permutations, config.random_seed, config.nprocs, config.mem_gb,
                config.dask_scheduler)  # fmt: skip


def _show(config: Config, chapter: Chapter, fitted: MapModel) -> None:
    """Write what was found in a space, and add it to the chapter."""
    out_dir, maps = config.out_dir, fitted.maps
    chapter.text = _tell(config, fitted)
    chapter.notes += fitted.design.notes
    lost = [f'{_name(row)} ({reason})' for row, reason in sorted(fitted.left_out.items())]
    if lost:
        chapter.notes.append(
            f'{len(lost)} left out: {"; ".join(lost[:5])}{", …" * (len(lost) > 5)}'
        )
    regions = load_regions(maps.space, maps.affine, maps.shape, config.work_dir / 'atlases')
    rows: list[str] = []
    for number, title in enumerate(fitted.tests, start=1):
        volumes = make_volumes(fitted, title)
        chapter.files += save_maps(out_dir, fitted, title, number, volumes, config.smoothing)
        p, counted = judge_voxels(fitted, volumes)
        clusters = find_clusters(volumes['t'], p, counted, maps.affine, regions)
        rows += [_line(title, cluster) for cluster in clusters]
        chapter.rows += [_row(title, cluster) for cluster in clusters[:SHOWN]]
        chapter.pictures.append(_draw(out_dir, fitted, title, number, volumes['t'], counted))
    path = PurePosixPath(
        'models', f'maps-{fitted.model.name}_space-{label(maps.space)}_clusters.tsv'
    )
    write_lines(out_dir / path, ['\t'.join(_COLUMNS), *rows])
    content: dict[str, Any] = {
        'Description': f'MRIderived {__version__}: clusters of {fitted.model.formula}.',
        'Rule': tell_rule(fitted),
        **{name: {'Description': text} for name, text in _COLUMNS.items()},
    }
    write_sidecar(out_dir / path, content)
    chapter.files.append(path)


def _name(row: Row) -> str:
    return f'sub-{row.participant}' + (f' ses-{row.session}' if row.session else '')


def _tell(config: Config, fitted: MapModel) -> str:
    design, maps = fitted.design, fitted.maps
    blur = f', smoothed by {config.smoothing:g} mm' if config.smoothing else ''
    text = (
        f'{maps.output.description.rstrip(".")} in {maps.space}{blur}: {len(fitted.rows)} maps, '
        f'{int(fitted.mask.sum())} voxels, coefficients {", ".join(design.names)}. Ordinary least '
        f'squares. {impute_policy(fitted.model.missing)} {tell_rule(fitted)}'
    )
    if fitted.corrected:
        fitted_tails = all(all(one.has_tail) for one in fitted.corrected.values())
        tail = ', small p-values from a generalised Pareto law of the largest' * fitted_tails
        text += f' {config.permutations} permutations of the residuals (Freedman and Lane){tail}.'
    return text


def _line(title: str, cluster: Cluster) -> str:
    cells = (title, str(cluster.number), f'{cluster.volume:.8g}', f'{cluster.peak:.6g}',
             *(f'{value:.6g}' for value in cluster.place), f'{cluster.p:.6g}',
             cluster.regions)  # fmt: skip
    return '\t'.join(cells)


def _row(title: str, cluster: Cluster) -> tuple[str, ...]:
    return (title, str(cluster.number), f'{cluster.volume:.0f}', f'{cluster.peak:.2f}',
            ', '.join(f'{value:.0f}' for value in cluster.place), f'{cluster.p:.2g}',
            cluster.regions)  # fmt: skip


def _draw(
    out_dir: Path,
    fitted: MapModel,
    title: str,
    number: int,
    t: NDArray[np.float32],
    counted: NDArray[np.bool_],
) -> Picture:
    maps = fitted.maps
    most = max(OPAQUE_T, float(np.percentile(np.abs(t[fitted.mask]), 99.9)))
    weights = np.where(counted, 1.0, np.clip(np.abs(t) / OPAQUE_T, 0, 1) ** 2 * 0.6)
    figure = map_overlay(
        template_on(maps.space, fitted.mask, maps.affine),
        maps.affine,
        t,
        label='t',
        unit='1',
        mask=fitted.mask,
        limits=(-most, most),
        colours='RdBu_r',
        weights=weights,
    )
    path = figure_file(f'maps_{snake(fitted.model.name)}_{number}_{snake(maps.space)}')
    save_svg(figure, out_dir / path)
    caption = (
        't over the template of the space: red is positive. Full colours are voxels that count: '
        f'{tell_rule(fitted)} Elsewhere colours fade with |t|, and nothing is hidden.'
    )
    return Picture(path, f'{title}: {maps.output.field} in {maps.space}', caption)
