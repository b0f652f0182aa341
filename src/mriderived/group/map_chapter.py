"""The part of ``group.html`` on voxel-wise models: maps as files, clusters and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import nibabel as nb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived import __version__
from mriderived.bids.covariates import Covariates
from mriderived.bids.names import build_path
from mriderived.bids.sidecar import bids_uri, build_sidecar, write_sidecar
from mriderived.config import Config
from mriderived.figures.overlays import map_overlay
from mriderived.figures.style import save_svg
from mriderived.group.backgrounds import template_on
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.map_clusters import ATLAS, Cluster, find_clusters, load_regions
from mriderived.group.map_files import find_maps
from mriderived.group.map_models import MapModel, Work, fit_maps
from mriderived.group.model_design import impute_policy
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Cohort, Row
from mriderived.group.writing import write_lines
from mriderived.interfaces.sink import save_output
from mriderived.measures.base import Measure

#: Without permutations, clusters are of voxels with a smaller p, which nothing corrects.
UNCORRECTED = 0.001
#: Clusters that the page shows for each contrast; the table has all.
SHOWN = 12
#: A colour is opaque from this |t| on, and fades below it.
OPAQUE_T = 3.1
_HEADER = ('Contrast', 'Cluster', 'Volume (mm³)', 'Peak t', 'at (mm)', 'p', 'Regions')
_STATS = {
    'effect': 'Effect: estimate of the contrast',
    't': "Student's t of the contrast",
    'z': 'Standard score with the tail of that t',
    'p': 'Two-sided p-value of t, uncorrected',
    'pperm': 'Share of permutations with a t at least as large here, uncorrected',
    'tfce': 'Threshold-free cluster enhancement of t (extent 0.5, height 2)',
    'pfwe': 'p-value of t, corrected over all voxels by the maximum of permutations',
    'ptfcefwe': 'p-value of the enhanced t, corrected over all voxels by the maximum of '
    'permutations',
}
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
    cohort: Cohort,
    measures: Sequence[Measure],
    models: Sequence[Model],
    known: Covariates,
    covariates: pd.DataFrame,
) -> tuple[list[Chapter], list[str]]:
    """Fit all voxel-wise models, write their maps, and say which were refused and why."""
    chapters, refused = [], []
    for model in models:
        chapter = Chapter(f'maps-{snake(model.name)}', f'Maps: {model.formula}', '', _HEADER)
        chapters.append(chapter)
        try:
            sets = find_maps(model.outcome, cohort, measures, config.out_dir)
            for maps in sets:
                fitted = fit_maps(model, maps, cohort.rows, covariates, config.out_dir,
                                  config.smoothing, _plan(config))  # fmt: skip
                _show(config, chapter, fitted)
            chapter.notes += known.notes
        except ModelError as error:
            refused.append(str(error))
            chapter.text, chapter.header = 'This model was not fitted.', ()
            chapter.notes.append(str(error))
    return chapters, refused


def _plan(config: Config) -> Work:
    return Work(config.permutations, config.random_seed, config.nprocs, config.mem_gb,
                config.dask_scheduler)  # fmt: skip


def _show(config: Config, chapter: Chapter, fitted: MapModel) -> None:
    """Write what was found in a space, and add it to the chapter."""
    out_dir, maps = config.out_dir, fitted.maps
    chapter.text = _tell(config, fitted)
    chapter.notes += [
        f'{count} left out for want of {name}' for name, count in fitted.design.left_out.items()
    ]
    lost = [f'{_name(row)} ({reason})' for row, reason in sorted(fitted.left_out.items())]
    if lost:
        chapter.notes.append(
            f'{len(lost)} left out: {"; ".join(lost[:5])}{", …" * (len(lost) > 5)}'
        )
    regions = load_regions(maps.space, maps.affine, maps.shape, config.work_dir / 'atlases')
    rows: list[str] = []
    for number, title in enumerate(fitted.tests, start=1):
        volumes = _volumes(fitted, title)
        chapter.files += _save_maps(out_dir, fitted, title, number, volumes, config.smoothing)
        p, counted = _judge(fitted, volumes)
        clusters = find_clusters(volumes['t'], p, counted, maps.affine, regions)
        rows += [_line(title, cluster) for cluster in clusters]
        chapter.rows += [_row(title, cluster) for cluster in clusters[:SHOWN]]
        chapter.pictures.append(_draw(out_dir, fitted, title, number, volumes['t'], counted))
    path = PurePosixPath(
        'models', f'maps-{fitted.model.name}_space-{_label(maps.space)}_clusters.tsv'
    )
    write_lines(out_dir / path, ['\t'.join(_COLUMNS), *rows])
    content: dict[str, Any] = {
        'Description': f'MRIderived {__version__}: clusters of {fitted.model.formula}.',
        'Rule': _rule(fitted),
        **{name: {'Description': text} for name, text in _COLUMNS.items()},
    }
    write_sidecar(out_dir / path, content)
    chapter.files.append(path)


def _name(row: Row) -> str:
    return f'sub-{row.participant}' + (f' ses-{row.session}' if row.session else '')


def _label(text: str) -> str:
    return ''.join(letter for letter in text if letter.isalnum())


def _rule(fitted: MapModel) -> str:
    if fitted.corrected:
        return (
            f'Voxels whose enhanced t has p ≤ {fitted.model.alpha:g}, corrected over all voxels '
            'by permutations.'
        )
    return f'Voxels with p < {UNCORRECTED:g}; nothing is corrected for the number of voxels.'


def _tell(config: Config, fitted: MapModel) -> str:
    design, maps = fitted.design, fitted.maps
    blur = f', smoothed by {config.smoothing:g} mm' if config.smoothing else ''
    text = (
        f'{maps.output.description.rstrip(".")} in {maps.space}{blur}: {len(fitted.rows)} maps, '
        f'{int(fitted.mask.sum())} voxels, coefficients {", ".join(design.names)}. Ordinary least '
        f'squares. {impute_policy(fitted.model.missing)} {_rule(fitted)}'
    )
    if fitted.corrected:
        fitted_tails = all(all(one.has_tail) for one in fitted.corrected.values())
        tail = ', small p-values from a generalised Pareto law of the largest' * fitted_tails
        text += f' {config.permutations} permutations of the residuals (Freedman and Lane){tail}.'
    return text


def _volumes(fitted: MapModel, title: str) -> dict[str, NDArray[np.float32]]:
    """Return every statistic of a contrast as a volume."""
    test = fitted.tests[title]
    found: dict[str, Any] = {'effect': test.effect, 't': test.t, 'z': test.z, 'p': test.p}
    corrected = fitted.corrected.get(title)
    if corrected is not None:
        found |= {'pperm': corrected.p, 'tfce': corrected.enhanced, 'pfwe': corrected.p_fwe,
                  'ptfcefwe': corrected.p_enhanced_fwe}  # fmt: skip
    volumes = {}
    for stat, values in found.items():
        volume = np.full(fitted.mask.shape, 1 if stat.startswith('p') else 0, np.float32)
        volume[fitted.mask] = np.nan_to_num(values, nan=1.0 if stat.startswith('p') else 0.0)
        volumes[stat] = volume
    return volumes


def _judge(
    fitted: MapModel, volumes: dict[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the p-values that the clusters go by, and the voxels that count."""
    if fitted.corrected:
        p = volumes['ptfcefwe'].astype(float)
        return p, fitted.mask & (p <= fitted.model.alpha)
    p = volumes['p'].astype(float)
    return p, fitted.mask & (p < UNCORRECTED)


def _save_maps(
    out_dir: Path,
    fitted: MapModel,
    title: str,
    number: int,
    volumes: dict[str, NDArray[np.float32]],
    fwhm: float,
) -> list[PurePosixPath]:
    written = []
    sources = [bids_uri('', fitted.maps.files[row]) for row in fitted.rows]
    with TemporaryDirectory() as scratch:
        for stat, values in volumes.items():
            path = build_path(
                {'tpl': fitted.maps.space, 'desc': fitted.model.name,
                 'contrast': f'{number}{_label(title)}'[:40], 'stat': stat},
                datatype=fitted.maps.output.datatype, suffix='statmap', extension='.nii.gz',
            )  # fmt: skip
            image = nb.Nifti1Image(values, fitted.maps.affine)
            image.header.set_xyzt_units('mm')
            file = Path(scratch) / 'map.nii.gz'
            image.to_filename(file)
            sidecar = build_sidecar(
                description=f'{_STATS[stat]} {title!r}; {fitted.model.formula}.',
                sources=sources,
                unit=(fitted.maps.output.unit or '1') if stat == 'effect' else '1',
                skull_stripped=True,
                extra={
                    'Formula': fitted.model.formula,
                    'Contrast': dict(
                        zip(fitted.design.names, fitted.weights[title].tolist(), strict=True)
                    ),
                    'NumberOfParticipants': len(fitted.rows),
                    'DegreesOfFreedom': fitted.tests[title].dof,
                    'SmoothingFWHM': fwhm,
                },
            )
            save_output(file, str(out_dir / path), sidecar)
            written.append(path)
    return written


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
        f'{_rule(fitted)} Elsewhere colours fade with |t|, and nothing is hidden.'
    )
    return Picture(path, f'{title}: {maps.output.field} in {maps.space}', caption)
