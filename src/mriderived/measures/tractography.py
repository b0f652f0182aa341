"""Streamlines through the white matter, and how much of the fibres each stands for."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config, TrackingAlgorithm
from mriderived.core.fibre_traversal import list_fibres, traverse
from mriderived.core.streamline_weights import fit_weights
from mriderived.core.streamlines import Streamlines, measure_lengths, select_streamlines
from mriderived.figures.fibres import tract_mosaic
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.spherical_deconvolution import voxel_axes
from mriderived.interfaces.tractograms import load_trx, save_trx
from mriderived.interfaces.tractography import Tissue, TrackingOptions, draw_seeds, track
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.csd import load_peaks
from mriderived.measures.one_node import one_node_wf

NEEDS = ('csd_fod', 'csd_peaks', 'dwi_gm', 'dwi_wm', 'dwi_csf')
#: With fewer streamlines than this a connectome is mostly chance.
FEW = 10_000


class TractogramFile(NamedTuple):
    """The file that :func:`write_tractogram` writes."""

    tractogram: Path


def write_tractogram(
    csd_fod: Path,
    csd_peaks: Path,
    dwi_gm: Path,
    dwi_wm: Path,
    dwi_csf: Path,
    seeds: int = Config.tracking_seeds,
    algorithm: TrackingAlgorithm = 'probabilistic',
    threads: int = 1,
) -> TractogramFile:
    """Track streamlines, and weight them by the density of fibres."""
    affine = load_affine(csd_fod)
    harmonics = np.asarray(nb.load(csd_fod).dataobj, np.float32)
    mask: NDArray[np.bool_] = harmonics[..., 0] != 0
    peaks = load_peaks(csd_peaks, mask, affine)
    tissue = Tissue(load(dwi_gm), load(dwi_wm), load(dwi_csf))
    options = TrackingOptions(algorithm=algorithm, seeds=seeds)
    begun = draw_seeds(tissue, mask, peaks, affine, options)
    found = track(harmonics, affine, tissue, begun, options, threads)
    lengths = measure_lengths(found)
    # dipy counts points, which are as many for a shorter one
    found = select_streamlines(found, lengths >= options.min_length)
    lengths = lengths[lengths >= options.min_length]
    if not len(found):
        raise ValueError(
            'no streamline joins grey matter with grey matter; look at the directions of fibres '
            'and at the tissues in the report'
        )
    world = peaks.directions @ voxel_axes(affine).T
    fibres = list_fibres(mask, world, peaks.density)
    weights = fit_weights(
        traverse(found, fibres, affine, threads), fibres.density, threads=threads
    )
    path = save_trx(
        found,
        affine,
        mask.shape,
        'tractogram.trx',
        {'weight': weights.weights, 'length': lengths},
    )
    notes = []
    if len(found) < FEW:
        notes.append(
            f'Only {len(found)} of {seeds} seeds made a streamline that joins grey matter with '
            'grey matter.'
        )
    write_remarks(
        path,
        notes=notes,
        TractographyClass='local',
        TractographyMethod=algorithm,
        Seeds=seeds,
        Streamlines=len(found),
        MedianLength=round(float(np.median(lengths)), 2),
        WeightProportion=weights.proportion,
        WeightMisfit=round(weights.misfit, 4),
        WeightMisfitBefore=round(weights.misfit_before, 4),
        StreamlinesWithoutWeight=int((weights.weights == 0).sum()),
    )
    return TractogramFile(path)


def init_tractography_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(
        write_tractogram,
        NEEDS,
        seeds=config.tracking_seeds,
        algorithm=config.tracking_algorithm,
        threads=config.omp_nthreads,
    )


def draw_tractogram(tractogram: Path, dwi_reference: Path, dwi_mask: Path) -> list[Any]:
    """Draw streamlines in the colours of their direction."""
    found: Streamlines = load_trx(tractogram)[0]
    return [
        tract_mosaic(load(dwi_reference), load_affine(dwi_mask), found.points, found.offsets,
                     load(dwi_mask) > 0)
    ]  # fmt: skip


#: Parts of the text of methods that the settings change.
_DRAWN = 'probabilistically, with directions drawn from the distributions'
_LARGEST = 'deterministically, in the directions where the distributions are largest'
_SEEDS = f'{Config.tracking_seeds:,}'.replace(',', ' ')

TRACTOGRAPHY = Measure(
    name='tractography',
    title='Tractography',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='tractogram',
            datatype='dwi',
            suffix='tractogram',
            extension='.trx',
            entities={'model': 'csd', 'track': 'probabilistic'},
            description=(
                'Streamlines from grey matter to grey matter (TRX, mm, RAS), with the length in '
                'mm and the weight of each: weights make the density of streamlines that of the '
                'fibres in the data.'
            ),
            in_cohort=False,
            draft='BEP046',
        ),
    ),
    init_wf=init_tractography_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2012.06.005',
    methods=(
        f'Streamlines were tracked {_DRAWN} (dipy, Garyfallidis et al. 2014, '
        f'doi:10.3389/fninf.2014.00008), from {_SEEDS} seeds where grey and white matter meet, in '
        'steps of half a voxel that turn by at most 30 degrees, and kept if they joined grey '
        'matter with grey matter and entered no fluid (Smith et al. 2012, '
        'doi:10.1016/j.neuroimage.2012.06.005), and were 10 to 250 mm long. Non-negative weights '
        'fitted their density to the apparent fibre density (after Smith et al. 2015, '
        'doi:10.1016/j.neuroimage.2015.06.092).'
    ),
    figures=(
        Figure(
            name='tractogram',
            draw=draw_tractogram,
            needs=('tractogram', 'dwi_reference', 'dwi_mask'),
            title='Streamlines',
            caption='Streamlines within 3 mm of each cut. Red: from side to side, green: from '
            'front to back, blue: up and down.',
        ),
    ),
    minutes=2.0,
    memory_gb=3.0,
)


@lru_cache
def declare_tractography(algorithm: TrackingAlgorithm, seeds: int) -> Measure:
    """Return the measure for ``--tracking-algorithm`` and ``--tracking-seeds``."""
    if (algorithm, seeds) == (Config.tracking_algorithm, Config.tracking_seeds):
        return TRACTOGRAPHY
    methods = TRACTOGRAPHY.methods.replace(_SEEDS, f'{seeds:,}'.replace(',', ' '))
    if algorithm == 'deterministic':
        methods = methods.replace(_DRAWN, _LARGEST)
    (tractogram,) = TRACTOGRAPHY.outputs
    named = replace(tractogram, entities={**tractogram.entities, 'track': algorithm})
    return replace(TRACTOGRAPHY, outputs=(named,), methods=methods)
