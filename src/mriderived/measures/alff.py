"""Amplitude of low-frequency fluctuations of BOLD, and its share of all frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.config import AlffDefinition, Config
from mriderived.core.alff import measure_alff
from mriderived.interfaces.denoising import Band, denoise_run, describe
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.bold_maps import map_figure, save_map
from mriderived.measures.one_node import one_node_wf

NEEDS = ('bold_preproc', 'bold_mask', 'bold_confounds')


class AlffFiles(NamedTuple):
    """The files that :func:`write_alff` writes."""

    alff: Path
    falff: Path


def write_alff(
    bold_preproc: Path,
    bold_mask: Path,
    bold_confounds: Path,
    strategy: str,
    band: Band,
    definition: AlffDefinition = 'amplitude',
    threads: int = 1,
) -> AlffFiles:
    """Measure amplitudes after confounds and drifts, but no frequencies, were taken off."""
    run = denoise_run(bold_preproc, bold_mask, bold_confounds, strategy, None, threads)
    keep = run.denoised.keep
    series = np.zeros((len(run.denoised.series), len(keep)), np.float32)
    series[:, keep] = run.denoised.series
    # Volumes before the steady state are at the start: left out, they leave no gap.
    first = int(np.argmax(keep))
    found = measure_alff(
        series[:, first:], run.repetition_time, band, definition, keep[first:], threads
    )
    affine = load_affine(bold_mask)
    files = AlffFiles(
        save_map(found.alff, run.mask, affine, 'alff'),
        save_map(found.falff, run.mask, affine, 'falff'),
    )
    said = describe(run, strategy, None) | {
        'FrequencyBandHz': list(found.band),
        'FrequencyBins': found.bins,
        'Definition': definition,
    }
    for path in files:
        write_remarks(path, **said)
    return files


def init_alff_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(
        write_alff,
        NEEDS,
        strategy=config.denoising,
        band=config.band,
        definition=config.alff_definition,
        threads=config.omp_nthreads,
    )


def _output(field: str, title: str, description: str, unit: str) -> Output:
    return Output(
        field=field,
        datatype='func',
        suffix='boldmap',
        entities={'stat': field},
        description=description,
        unit=unit,
        title=title,
        regions=True,
        in_spaces=True,
        is_zero_missing=True,
        sidecar={'SkullStripped': True},
        draft='BEP012',
    )


ALFF = Measure(
    name='alff',
    title='Amplitude of low-frequency fluctuations',
    needs=NEEDS,
    source='bold',
    outputs=(
        _output(
            'alff',
            'Amplitude of low-frequency fluctuations',
            'Amplitude of low-frequency fluctuations: mean amplitude of the frequencies in the '
            'band.',
            'arbitrary',
        ),
        _output(
            'falff',
            'Fractional amplitude of low-frequency fluctuations',
            'Fractional amplitude of low-frequency fluctuations: sum of amplitudes in the band '
            'over that of all frequencies.',
            '1',
        ),
    ),
    init_wf=init_alff_wf,
    reference='https://doi.org/10.1016/j.jneumeth.2008.04.012',
    methods=(
        'The amplitude of low-frequency fluctuations was the mean of the square root of power in '
        'the band (Zang et al. 2007, doi:10.1016/j.braindev.2006.07.002), the fractional one '
        'the sum in the band over that of all frequencies (Zou et al. 2008, '
        'doi:10.1016/j.jneumeth.2008.04.012), of series without confounds.'
    ),
    figures=(
        Figure(
            name='alff',
            draw=map_figure('alff', 'amplitude of low-frequency fluctuations', 'arbitrary'),
            needs=('alff', 'bold_reference'),
            title='ALFF',
            caption='Mean amplitude of the frequencies in the band, in the unit of the image.',
        ),
        Figure(
            name='falff',
            draw=map_figure('falff', 'share of the band'),
            needs=('falff', 'bold_reference'),
            title='fALFF',
            caption='Sum of amplitudes in the band over that of all frequencies.',
        ),
    ),
    minutes=0.1,
    memory_gb=2.0,
)

_DEVIATION = (
    _output(
        'alff',
        'Amplitude of low-frequency fluctuations',
        'Amplitude of low-frequency fluctuations: standard deviation of the frequencies in the '
        'band.',
        'arbitrary',
    ),
    _output(
        'falff',
        'Fractional amplitude of low-frequency fluctuations',
        'Fractional amplitude of low-frequency fluctuations: standard deviation of the '
        'frequencies in the band over that of all frequencies.',
        '1',
    ),
)
_CAPTIONS = (
    'Standard deviation of the frequencies in the band, in the unit of the image.',
    'Standard deviation of the frequencies in the band over that of all frequencies.',
)
#: The measure by each ``--alff-definition``; files and figures have the same names.
ALFF_BY_DEFINITION: Mapping[AlffDefinition, Measure] = {
    'amplitude': ALFF,
    'deviation': replace(
        ALFF,
        outputs=_DEVIATION,
        methods=(
            'The amplitude of low-frequency fluctuations was the standard deviation of the series '
            'after all other frequencies were taken off, the fractional one its ratio to the '
            'standard deviation of all frequencies, as C-PAC has them (Craddock et al. 2013, '
            'doi:10.3389/conf.fninf.2013.09.00042), of series without confounds; the concept is '
            'of Zou et al. 2008, doi:10.1016/j.jneumeth.2008.04.012.'
        ),
        figures=tuple(
            replace(figure, caption=caption)
            for figure, caption in zip(ALFF.figures, _CAPTIONS, strict=True)
        ),
    ),
}
