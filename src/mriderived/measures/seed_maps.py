"""Functional connectivity of a seed in each of five further networks with every voxel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.voxel_connectivity import map_seed
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Output, Scope
from mriderived.measures.bold_maps import map_figure, save_map
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.seed_map import MIN_VOXELS, NEEDS, RADIUS_MM, find_ball

NAME = 'seed_maps'


class Seed(NamedTuple):
    """A point in mm of MNI152NLin2009cAsym, and the network of Yeo et al. 2011 that it is in."""

    field: str
    desc: str
    network: str
    place: str
    mm: tuple[float, float, float]


SEEDS = (
    Seed('visual_network', 'visual', 'visual', 'the left primary visual cortex', (-16, -74, 7)),
    Seed(
        'motor_network',
        'motor',
        'somatomotor',
        'the left sensorimotor cortex of the hand',
        (-41, -20, 62),
    ),
    Seed(
        'dorsal_attention_network',
        'dorsalattention',
        'dorsal attention',
        'the left frontal eye field',
        (-22, -8, 54),
    ),
    Seed(
        'salience_network',
        'salience',
        'salience and ventral attention',
        'the left midcingulate cortex',
        (-5, 15, 32),
    ),
    Seed('control_network', 'control', 'control', 'the left prefrontal cortex', (-40, 50, 7)),
)


class SeedMapFiles(NamedTuple):
    """The files that :func:`write_seed_maps` writes, in the order of ``SEEDS``."""

    visual_network: Path
    motor_network: Path
    dorsal_attention_network: Path
    salience_network: Path
    control_network: Path


def write_seed_maps(
    bold_denoised: Path,
    bold_mask: Path,
    xfm_bold_to_t1w: Path,
    xfm_to_space: Path,
    threads: int = 1,
) -> SeedMapFiles:
    """Correlate the mean of a ball around each seed with every voxel.

    Raises
    ------
    ValueError
        If no seed lies where this run has a signal.
    """
    mask, affine = load(bold_mask) > 0, load_affine(bold_mask)
    balls = [find_ball(seed.mm, mask, affine, xfm_to_space, xfm_bold_to_t1w) for seed in SEEDS]
    if not any(ball.sum() >= MIN_VOXELS for ball in balls):
        raise ValueError(
            'no seed of a network has a signal in this run; look at its mask and registration'
        )
    series = load_masked(bold_denoised, mask)
    files = []
    for seed, ball in zip(SEEDS, balls, strict=True):
        values, notes = _relate(series, ball, seed, threads)
        path = save_map(values, mask, affine, seed.desc)
        write_remarks(path, notes=notes, SeedVoxels=int(ball.sum()))
        files.append(path)
    return SeedMapFiles(*files)


def _relate(
    series: NDArray[np.float32], ball: NDArray[np.bool_], seed: Seed, threads: int
) -> tuple[NDArray[np.float32], list[str]]:
    """Return the map of a seed; one without a signal has an empty map and a note."""
    found = int(ball.sum())
    if found < MIN_VOXELS:
        note = f'No map of the {seed.network} network: {found} voxels of its seed have a signal.'
        return np.full(len(series), np.nan, np.float32), [note]
    return map_seed(series, series[ball].mean(axis=0, dtype=np.float64), threads), []


def init_seed_maps_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_seed_maps, NEEDS, threads=config.omp_nthreads)


def _output(seed: Seed) -> Output:
    return Output(
        field=seed.field,
        datatype='func',
        suffix='boldmap',
        entities={'stat': 'fisherz', 'desc': seed.desc},
        description=(
            f"Fisher's z of the correlation of every voxel with a ball of {RADIUS_MM:g} mm in "
            f'{seed.place}.'
        ),
        unit='1',
        title=_title(seed),
        regions=True,
        in_spaces=True,
        is_zero_missing=True,
        sidecar={
            'SkullStripped': True,
            'SeedCoordinatesMNI': list(seed.mm),
            'SeedRadiusMM': RADIUS_MM,
        },
        draft='BEP012',
    )


def _title(seed: Seed) -> str:
    return f'{seed.network.capitalize()} network'


SEED_MAPS = Measure(
    name=NAME,
    title='Networks of further seeds',
    needs=NEEDS,
    source='bold',
    outputs=tuple(_output(seed) for seed in SEEDS),
    init_wf=init_seed_maps_wf,
    reference='https://doi.org/10.1152/jn.00338.2011',
    methods=(
        "Further networks were maps of Fisher's z with seeds in "
        + ', '.join(f'{s.place} ({", ".join(f"{v:g}" for v in s.mm)})' for s in SEEDS)
        + ', in mm of MNI152; the networks are those of Yeo et al. 2011, '
        'doi:10.1152/jn.00338.2011.'
    ),
    scope=Scope(family=NAME),
    is_opt_in=True,
    figures=tuple(
        Figure(
            name=seed.desc,
            draw=map_figure(seed.field, "Fisher's z", symmetric=True),
            needs=(seed.field, 'bold_reference'),
            title=_title(seed),
            caption=f'Correlation with {seed.place}.',
        )
        for seed in SEEDS
    ),
    minutes=0.1,
    memory_gb=1.5,
)
