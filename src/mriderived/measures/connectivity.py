"""Functional connectivity: series of regions, their correlations, and means of networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.autocorrelation import effective_frames, lag_one
from mriderived.core.connectivity import (
    RIDGE,
    correlate,
    fisher_z,
    ridge_partial_correlate,
    shrunk_partial_correlate,
)
from mriderived.core.region_series import MIN_COVERAGE, amplitude, average_regions
from mriderived.interfaces.denoising import read_kept
from mriderived.interfaces.series import load_masked
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.connectivity_figure import draw_connectivity
from mriderived.measures.missing_regions import explain_lesions, read_labels, remark_missing
from mriderived.measures.network_means import network_columns, write_networks
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.tables import write_table

NEEDS = ('bold_denoised', 'bold_mask', 'bold_atlas_dseg', 'bold_atlas_labels')
#: White matter and fluid have no functional connectivity worth a number.
TISSUES = ('cortex', 'subcortex', 'cerebellum', 'brainstem', 'other')


class ConnectivityFiles(NamedTuple):
    """The files that :func:`connect_regions` writes."""

    region_series: Path
    pearson: Path
    pearson_z: Path
    partial: Path
    ridge_partial: Path
    region_activity: Path
    network_means: Path


def connect_regions(
    bold_denoised: Path, bold_mask: Path, bold_atlas_dseg: Path, bold_atlas_labels: Path
) -> ConnectivityFiles:
    """Average the regions of an atlas and correlate them."""
    mask = load(bold_mask) > 0
    labels = read_labels(bold_atlas_labels)
    labels = labels[labels['tissue'].isin(TISSUES)].reset_index(drop=True)
    found = average_regions(
        load_masked(bold_denoised, mask), mask, load(bold_atlas_dseg, np.int32), labels['index']
    )
    courses = found.courses.copy()
    coverage = found.coverage * labels['coverage'].to_numpy(np.float64)
    lesions = explain_lesions(labels)
    courses[:, ~(coverage >= MIN_COVERAGE) | np.array([bool(why) for why in lesions])] = np.nan
    names = [str(name) for name in labels['name']]
    keep, degrees = read_kept(bold_denoised, len(courses))
    pearson = correlate(courses)
    partial, shrinkage = shrunk_partial_correlate(courses)
    z = fisher_z(np.where(np.eye(len(pearson), dtype=bool), np.nan, pearson))
    files = ConnectivityFiles(
        write_table(pd.DataFrame(courses, columns=names), 'series.tsv'),
        write_table(pd.DataFrame(pearson, columns=names), 'pearson.tsv'),
        write_table(pd.DataFrame(z, columns=names), 'z.tsv'),
        write_table(pd.DataFrame(partial, columns=names), 'partial.tsv'),
        write_table(pd.DataFrame(ridge_partial_correlate(courses), columns=names), 'ridge.tsv'),
        _write_activity(labels, courses, lag_one(courses, keep), coverage, z, lesions),
        write_networks(names, z, effective_frames(courses, keep, degrees)),
    )
    write_remarks(files.partial, Shrinkage=round(shrinkage, 5))
    write_remarks(files.ridge_partial, Ridge=RIDGE)
    return files


def _write_activity(
    labels: pd.DataFrame,
    courses: NDArray[np.float64],
    lag1: NDArray[np.float64],
    coverage: NDArray[np.float64],
    z: NDArray[np.float64],
    lesions: Sequence[str],
) -> Path:
    number = np.maximum(np.isfinite(z).sum(axis=0), 1)
    table = pd.DataFrame({
        'index': labels['index'],
        'name': labels['name'],
        'amplitude': amplitude(courses),
        'lag1': lag1,
        'strength': np.where(
            np.isfinite(courses[0]), np.nansum(z, axis=0) / number, np.nan
        ),
        'coverage': np.round(coverage, 3),
    })  # fmt: skip
    path = write_table(table, 'activity.tsv')
    reasons = [
        lesion or ('' if np.isfinite(value)
        else f'{100 * np.nan_to_num(share):.0f} % of the region have a signal in this run')
        for value, share, lesion in zip(table['amplitude'], coverage, lesions, strict=True)
    ]  # fmt: skip
    remark_missing(path, table, reasons, ('amplitude', 'lag1', 'strength'), 'series')
    return path


def init_connectivity_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # the denoising is that of the series
    return one_node_wf(connect_regions, NEEDS)


def _matrix(field: str, stat: str, description: str) -> Output:
    return Output(
        field=field,
        datatype='func',
        suffix='relmat',
        extension='.tsv',
        entities={'stat': stat},
        description=f'{description} One row and one column per region, in the same order.',
        unit='1',
        in_cohort=False,
        draft='BEP017',
    )


CONNECTIVITY = Measure(
    name='connectivity',
    title='Functional connectivity',
    needs=NEEDS,
    source='bold',
    over='atlas',
    atlas_tissues=TISSUES,
    outputs=(
        Output(
            field='region_series',
            datatype='func',
            suffix='timeseries',
            extension='.tsv',
            entities={'stat': 'mean'},
            description='Mean denoised series of every region; volumes that were censored are '
            'left out.',
            unit='arbitrary',
            in_cohort=False,
            draft='BEP012',
        ),
        _matrix('pearson', 'pearsoncorrelation', "Pearson's correlation of the series."),
        _matrix(
            'pearson_z',
            'fisherz',
            "Fisher's z of Pearson's correlation of the series; n/a on the diagonal.",
        ),
        _matrix(
            'partial',
            'partialcorrelation',
            'Partial correlation of the series, from the covariance shrunk after Ledoit and Wolf.',
        ),
        _matrix(
            'ridge_partial',
            'ridgepartialcorrelation',
            f'Partial correlation of the standardised series with a ridge of {RIDGE:g}.',
        ),
        Output(
            field='region_activity',
            datatype='func',
            suffix='boldmap',
            extension='.tsv',
            entities={'stat': 'activity'},
            description='What the series of each region is like.',
            columns=(
                Column('index', 'Number of the region in the label image.'),
                Column('name', 'Name of the region.', unit=''),
                Column(
                    'amplitude',
                    'Standard deviation of the denoised series.',
                    'arbitrary',
                    'Amplitude',
                ),
                Column(
                    'lag1',
                    'Autocorrelation of the series at a lag of one volume.',
                    '1',
                    'Lag-1 autocorrelation',
                ),
                Column(
                    'strength',
                    "Mean Fisher's z of its correlation with the other regions.",
                    '1',
                    'Connection strength',
                ),
                Column('coverage', 'Share of the region that has a signal.', '1', 'Coverage'),
            ),
            cohort_columns=('amplitude', 'strength'),
            tissues=TISSUES,
            draft='BEP012',
        ),
        Output(
            field='network_means',
            datatype='func',
            suffix='relmat',
            extension='.tsv',
            entities={'stat': 'networks'},
            description="Mean connectivity within and between networks, as Fisher's z.",
            columns=network_columns(),
            draft='BEP017',
        ),
    ),
    init_wf=init_connectivity_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2010.08.063',
    methods=(
        'Functional connectivity was the Pearson correlation of mean denoised series of regions, '
        'and their partial correlation from a covariance shrunk after Ledoit and Wolf (2004, '
        'doi:10.1016/S0047-259X(03)00096-4) and with a ridge of '
        f'{RIDGE:g} (Miller et al. 2016, doi:10.1038/nn.4393). '
        "Means of networks are of Fisher's z."
    ),
    figures=(
        Figure(
            name='connectivity',
            draw=draw_connectivity,
            needs=('pearson', 'partial'),
            title='Functional connectivity',
            caption="Pearson's correlation (left) and partial correlation (right) of regions, in "
            'the order of the table of the atlas.',
        ),
    ),
    minutes=0.1,
    memory_gb=1.5,
)
