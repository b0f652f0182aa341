"""First-level model of task runs: one measure for the design, and one for each contrast."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.bids.stats_model import Contrast, StatsModel
from mriderived.config import Config
from mriderived.core.first_level import find_imitators, fit_contrast
from mriderived.core.strategies import SCRUB
from mriderived.figures.designs import draw_design_matrix
from mriderived.interfaces.denoising import read_said
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Output, Scope
from mriderived.measures.bold_maps import map_figure, save_map
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.task_design import write_design

FAMILY = 'task_glm'
REFERENCE = 'https://doi.org/10.1002/hbm.460020402'
DESIGN_NEEDS = ('bold_confounds', 'bold_acquisition')
NEEDS = ('bold_preproc', 'bold_mask', 'task_design')
#: Statistic → what it is, unit.
STATISTICS = {
    'effect': ('Effect, in percent of the mean of the voxel', 'percent'),
    'variance': ('Variance of the effect', 'percent^2'),
    't': ("Student's t", '1'),
    'z': ('Standard score of t', '1'),
}
#: What goes to template spaces, and what to the tables of regions.
IN_SPACES, IN_REGIONS = ('effect', 'variance', 'z'), ('effect', 'z')


class ContrastFiles(NamedTuple):
    """The maps that :func:`write_contrast` writes."""

    effect: Path
    variance: Path
    t: Path
    z: Path


def write_contrast(
    bold_preproc: Path,
    bold_mask: Path,
    task_design: Path,
    name: str,
    conditions: tuple[str, ...],
    weights: tuple[float, ...],
    threads: int = 1,
) -> ContrastFiles:
    """Fit the design to a run and write the maps of one contrast."""
    design = pd.read_csv(task_design, sep='\t')
    columns = [str(column) for column in design]
    missing = [condition for condition in conditions if condition not in columns]
    if missing:
        raise ValueError(
            f'the contrast {name!r} needs {" and ".join(missing)}, of which this run has no events'
        )
    values = design.to_numpy(np.float64)
    vector = np.zeros(len(columns))
    for condition, weight in zip(conditions, weights, strict=True):
        vector[columns.index(condition)] = weight
    imitators = find_imitators(values, columns, vector)
    if imitators is not None:
        raise ValueError(
            f'the contrast {name!r} cannot be estimated: the design is collinear '
            f'({", ".join(imitators[1])} can stand for each other)'
        )
    keep = np.ones(len(values), bool)
    keep[read_said(task_design)['CensoredVolumes']] = False
    mask = load(bold_mask) > 0
    found = fit_contrast(load_masked(bold_preproc, mask), values, vector, keep, threads)
    affine = load_affine(bold_mask)
    files = ContrastFiles(
        *(save_map(getattr(found, stat), mask, affine, stat) for stat in STATISTICS)
    )
    without = int(np.isnan(found.t).sum())
    notes = [f'{without} voxels without a signal have no value.'] if without else []
    for path in files:
        write_remarks(
            path,
            notes=notes if path == files.effect else [],
            Contrast=dict(zip(conditions, weights, strict=True)),
            DegreesOfFreedom=found.degrees,
            VolumesCensored=int((~keep).sum()),
            NoiseModel='AR(1)',
        )
    return files


def draw_design(task_design: Path) -> list[Any]:
    """Draw the design matrix."""
    design = pd.read_csv(task_design, sep='\t')
    return [draw_design_matrix(design.to_numpy(np.float64), [str(name) for name in design])]


def init_design_wf(model: StatsModel, config: Config) -> Any:
    """Build the workflow of the design."""
    return one_node_wf(
        write_design,
        (*DESIGN_NEEDS, 'bold_events'),
        model=model.to_json(),
        censor=config.denoising.endswith(SCRUB),
    )


def init_contrast_wf(contrast: Contrast, config: Config) -> Any:
    """Build the workflow of one contrast."""
    return one_node_wf(
        write_contrast,
        NEEDS,
        {stat: _field(contrast, stat) for stat in STATISTICS},
        name=contrast.name,
        conditions=contrast.conditions,
        weights=contrast.weights,
        threads=config.omp_nthreads,
    )


def task_measures(model: StatsModel) -> tuple[Measure, ...]:
    """Return what a model adds: its design, and every contrast by itself."""
    scope = Scope(tasks=model.tasks, key=model.to_json(), family=FAMILY)
    return (
        _design_measure(model, scope),
        *(_contrast_measure(contrast, scope) for contrast in model.contrasts),
    )


def _design_measure(model: StatsModel, scope: Scope) -> Measure:
    responses = ', '.join(dict.fromkeys(condition.response for condition in model.conditions))
    return Measure(
        name=FAMILY,
        title='Design of the task',
        needs=DESIGN_NEEDS,
        optional=('bold_events',),
        source='bold',
        scope=scope,
        outputs=(
            Output(
                field='task_design',
                datatype='func',
                suffix='design',
                extension='.tsv',
                description='Design matrix: one row per volume, one column per predictor.',
                in_cohort=False,
                draft='BEP041',
            ),
        ),
        init_wf=partial(init_design_wf, model),
        reference=REFERENCE,
        methods=(
            'Runs of tasks were fitted with a general linear model (Friston et al. 1994, '
            f'doi:10.1002/hbm.460020402): events, convolved with a haemodynamic response '
            f'({responses}) at the moment to which slices were brought, confounds, cosines of '
            'slow drifts, and one column for each volume that was left out. The series were '
            'scaled to percent of their mean, and the noise was a first-order autoregression of '
            'each voxel (Woolrich et al. 2001, doi:10.1006/nimg.2001.0931), as nilearn has it '
            '(Abraham et al. 2014, doi:10.3389/fninf.2014.00014).'
        ),
        figures=(
            Figure(
                name='taskDesign',
                draw=draw_design,
                needs=('task_design',),
                title='Design of the task',
                caption='Volumes from top to bottom, predictors from left to right, each scaled '
                'to its largest value.',
            ),
        ),
        minutes=0.05,
    )


def _field(contrast: Contrast, stat: str) -> str:
    return f'task_{_word(contrast)}_{stat}'


def _word(contrast: Contrast) -> str:
    return re.sub('[^a-z0-9]+', '_', contrast.name.lower()).strip('_')


def _contrast_measure(contrast: Contrast, scope: Scope) -> Measure:
    field = _field(contrast, 'z')
    return Measure(
        name=f'{FAMILY}_{_word(contrast)}',
        title=f'Task contrast {contrast.name}',
        needs=NEEDS,
        source='bold',
        scope=scope,
        outputs=tuple(_output(contrast, stat) for stat in STATISTICS),
        init_wf=partial(init_contrast_wf, contrast),
        reference=REFERENCE,
        methods='',
        figures=(
            Figure(
                name=f'contrast{contrast.label}',
                draw=map_figure(field, 'z', symmetric=True),
                needs=(field, 'bold_reference'),
                title=f'Task contrast {contrast.name}',
                caption='Standard score of the contrast in every voxel, not thresholded.',
            ),
        ),
        minutes=0.2,
        memory_gb=2.0,
    )


def _output(contrast: Contrast, stat: str) -> Output:
    what, unit = STATISTICS[stat]
    return Output(
        field=_field(contrast, stat),
        datatype='func',
        suffix='statmap',
        entities={'contrast': contrast.label, 'stat': stat},
        description=f'{what}: contrast {contrast.name}.',
        unit=unit,
        title=f'{what.split(",")[0]}, contrast {contrast.name}',
        regions=stat in IN_REGIONS,
        in_spaces=stat in IN_SPACES,
        is_zero_missing=True,
        sidecar={'SkullStripped': True},
        draft='BEP041',
    )
