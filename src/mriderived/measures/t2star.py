"""T2* of multi-echo BOLD: the decay of the signal over the echoes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.config import Config
from mriderived.core.echo_combination import BOUNDS, map_decay
from mriderived.core.series_route import plan_route
from mriderived.interfaces.acquisition import read_acquisition
from mriderived.interfaces.bold_sampling import average_echoes, echo_times, make_distortion
from mriderived.interfaces.motion_files import read_motion
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Column, Figure, Measure, Output, Scope
from mriderived.measures.bold_maps import map_figure, save_map
from mriderived.measures.one_node import one_node_wf

NEEDS = ('raw_bold', 'bold_acquisition', 'bold_motion', 'bold_displacement', 'bold_mask')
#: With more voxels of the brain without a plausible T2* than this, a note says so.
MANY_IMPLAUSIBLE = 0.05
TWO_ECHOES = 'two echoes lie on every exponential: a third would tell'


class T2starFiles(NamedTuple):
    """The files that :func:`write_t2star` writes."""

    t2star: Path
    t2star_fit: Path


def write_t2star(
    raw_bold: Path,
    bold_acquisition: Path,
    bold_motion: Path,
    bold_displacement: Path,
    bold_mask: Path,
    threads: int = 1,
) -> T2starFiles:
    """Fit T2* to the mean of each echo, after motion and distortion."""
    acquisition = read_acquisition(bold_acquisition)
    times = echo_times(acquisition)
    affine, mask = load_affine(raw_bold), load(bold_mask) > 0
    _, matrices, unsteady = read_motion(bold_motion)
    distortion = make_distortion(load(bold_displacement), acquisition)
    route = plan_route(mask.shape, affine, mask.shape, affine, distortion=distortion,
                       modulate=distortion is not None, threads=threads)  # fmt: skip
    found = map_decay(
        average_echoes(acquisition, matrices, unsteady, route, threads), times, threads
    )
    t2star, misfit = found.t2star[mask], found.misfit[mask]
    plausible = t2star > 0
    share = 1 - float(plausible.mean()) if plausible.size else np.nan
    row = {
        'median': float(np.median(t2star[plausible])) if plausible.any() else np.nan,
        'misfit': float(np.median(misfit[plausible])) if plausible.any() else np.nan,
        'implausible': share,
    }
    files = T2starFiles(
        save_map(t2star, mask, load_affine(bold_mask), 't2star'), Path.cwd() / 'fit.tsv'
    )
    pd.DataFrame([row]).to_csv(
        files.t2star_fit, sep='\t', index=False, na_rep='n/a', float_format='%.7g'
    )
    notes = []
    if share > MANY_IMPLAUSIBLE:
        notes = [f'{100 * share:.0f} % of the voxels of the brain have no plausible T2*.']
    write_remarks(
        files.t2star,
        notes=notes,
        EchoTime=times,
        VoxelsImplausible=int((~plausible).sum()),
        PlausibleRange=list(BOUNDS),
    )
    reasons = {'misfit': TWO_ECHOES} if len(times) == 2 else {}
    if not plausible.any():
        reasons = dict.fromkeys(('median', 'misfit'), 'no voxel has a plausible T2*')
    write_remarks(files.t2star_fit, MissingReasons=reasons)
    return files


def init_t2star_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_t2star, NEEDS, threads=config.omp_nthreads)


T2STAR = Measure(
    name='t2star',
    title='T2* of BOLD',
    needs=NEEDS,
    source='bold',
    scope=Scope(is_multi_echo=True),
    outputs=(
        Output(
            field='t2star',
            datatype='func',
            suffix='T2starmap',
            description='T2*: time constant of the decay of the signal over the echoes.',
            unit='s',
            title='T2*',
            regions=True,
            in_spaces=True,
            is_zero_missing=True,
            sidecar={'SkullStripped': True},
            draft='mriderived',
        ),
        Output(
            field='t2star_fit',
            datatype='func',
            suffix='qc',
            extension='.tsv',
            entities={'desc': 't2star'},
            description='How well an exponential decay describes the echoes.',
            columns=(
                Column('median', 'Median T2* of the brain.', 's', 'T2*, median'),
                Column(
                    'misfit',
                    'Median over the brain of what the exponential leaves of the echoes (root '
                    'mean square), over their mean.',
                    '1',
                    'T2*, misfit',
                ),
                Column(
                    'implausible',
                    'Share of the voxels of the brain without a plausible T2*.',
                    '1',
                    'T2*, implausible voxels',
                ),
            ),
            draft='mriderived',
        ),
    ),
    init_wf=init_t2star_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2011.12.028',
    methods=(
        'T2* was fitted to the mean of each echo over volumes of the steady state, as the slope '
        'of the logarithm of the signal, weighted by the squared signal (Posse et al. 1999, '
        'doi:10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O; for BOLD, Kundu et al. '
        '2012, doi:10.1016/j.neuroimage.2011.12.028).'
    ),
    figures=(
        Figure(
            name='t2star',
            draw=map_figure('t2star', 'T2*', 's'),
            needs=('t2star', 'bold_reference'),
            title='T2*',
            caption='Time constant of the decay over the echoes, in s.',
        ),
    ),
    minutes=0.1,
    memory_gb=1.5,
)
