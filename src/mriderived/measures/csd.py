"""Orientation distributions of fibres, by constrained spherical deconvolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.fibre_peaks import MOST_PEAKS, Peaks, find_peaks, half_sphere
from mriderived.figures.fods import Fods, fod_mosaic
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.spherical_deconvolution import (
    LEAST_DIRECTIONS,
    deconvolve,
    estimate_response,
    measure_sharpest_peak,
    sample_fods,
    voxel_axes,
)
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.dwi_maps import SIGNALS, load_signals, map_output, save_dwi_map
from mriderived.measures.one_node import one_node_wf

NEEDS = (*SIGNALS, 'dwi_wm')
#: White matter from which the response may be taken.
SURE_WHITE = 0.9
#: Distributions are estimated where there is some white matter, and in the voxels around.
SOME_WHITE = 0.1
#: Peaks lower than this share of that of one bundle are noise.
LEAST_PEAK = 0.1
#: Over half a sphere, to draw the surface of a distribution without holes.
GLYPH_DIRECTIONS = 2500


class CsdFiles(NamedTuple):
    """The files that :func:`write_csd` writes."""

    csd_fod: Path
    csd_peaks: Path
    csd_afd: Path
    csd_nufo: Path


def write_csd(
    dwi_preproc: Path,
    dwi_bval: Path,
    dwi_bvec: Path,
    dwi_mask: Path,
    dwi_wm: Path,
    threads: int = 1,
) -> CsdFiles:
    """Deconvolve the series, and find the directions of fibres."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    white = load(dwi_wm)
    found = estimate_response(
        np.ascontiguousarray(signals.series[white[signals.mask] > SURE_WHITE]), signals.gradients
    )
    near = ndimage.binary_dilation(white > SOME_WHITE)[signals.mask]
    harmonics = deconvolve(signals.series[near], signals.gradients, signals.affine, found)
    axes = half_sphere()
    highest = measure_sharpest_peak(signals.gradients, signals.affine, found)
    peaks = find_peaks(
        sample_fods(harmonics, axes), axes, least=LEAST_PEAK * highest, threads=threads
    )
    world = peaks.directions @ voxel_axes(signals.affine).T.astype(np.float32)
    world *= peaks.density[..., None]

    def save(values: NDArray[Any], name: str) -> Path:
        whole = np.zeros((len(signals.series), *values.shape[1:]), np.float32)
        whole[near] = values
        return save_dwi_map(whole, signals, name)

    files = CsdFiles(
        save(harmonics, 'fod'),
        save(world.reshape(len(world), -1), 'peaks'),
        save(peaks.density.sum(axis=1), 'afd'),
        save((peaks.density > 0).sum(axis=1), 'nufo'),
    )
    write_remarks(
        files.csd_fod,
        Shell=found.b,
        SphericalHarmonicDegree=found.order,
        ResponseFunction={
            'ZonalHarmonics': [round(float(value), 4) for value in found.zonal],
            'S0': round(found.s0, 3),
            'MedianFA': round(found.fa, 4),
            'Voxels': found.voxels,
        },
    )
    return files


def load_peaks(path: Path, mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Peaks:
    """Load peaks of the voxels of a mask, along the axes of the voxels."""
    stored = np.asarray(nb.load(path).dataobj, np.float32)[mask]
    vectors = stored.reshape(len(stored), MOST_PEAKS, 3) @ voxel_axes(affine).astype(np.float32)
    density = np.linalg.norm(vectors, axis=2)
    directions = vectors / np.maximum(density, 1e-12)[..., None]
    return Peaks(directions, density, density)


def init_csd_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_csd, NEEDS, threads=config.omp_nthreads)


def draw_fods(
    csd_fod: Path,
    csd_peaks: Path,
    dwi_reference: Path,
    dwi_mask: Path,
    tensor_fa: Path | None = None,
) -> list[Any]:
    """Draw the directions of fibres as sticks, and the distributions where most cross."""
    peaks = np.asarray(nb.load(csd_peaks).dataobj, np.float32)
    affine = load_affine(csd_peaks)
    axes = half_sphere(GLYPH_DIRECTIONS)
    fods = Fods(
        peaks.reshape(*peaks.shape[:3], MOST_PEAKS, 3),
        np.asarray(nb.load(csd_fod).dataobj, np.float32),
        lambda harmonics: sample_fods(harmonics, axes),
        axes @ voxel_axes(affine).T,
    )
    behind = load(dwi_reference if tensor_fa is None else tensor_fa)
    limits = None if tensor_fa is None else (0.0, 1.0)
    return [fod_mosaic(np.nan_to_num(behind), affine, fods, load(dwi_mask) > 0, limits)]


CSD = Measure(
    name='csd',
    title='Fibre orientations',
    needs=NEEDS,
    source='dwi',
    scope=Scope(least_shells=1, least_directions=LEAST_DIRECTIONS, needs_unweighted=True),
    outputs=(
        map_output('csd', 'fod', 'Fibre orientation distribution',
                   'Spherical harmonics of the distribution of fibre orientations, of even '
                   "degree, in dipy's basis descoteaux07 (legacy), along the axes of the voxels; "
                   'where there is white matter and in the voxels around.',
                   is_summed_up=False,
                   OrientationEncoding={'EncodingAxis': 3, 'Reference': 'ijk', 'Type': 'sh',
                                        'SphericalHarmonicBasis': 'descoteaux',
                                        'AntipodalSymmetry': True}),
        map_output('csd', 'peaks', 'Fibre directions',
                   'Up to three directions of fibres, the largest first (x y z x y z x y z): '
                   'vectors in world axes (RAS), as long as their apparent fibre density.',
                   is_summed_up=False,
                   OrientationEncoding={'EncodingAxis': 3, 'Reference': 'xyz',
                                        'Type': '3vector', 'AntipodalSymmetry': True}),
        map_output('csd', 'afd', 'Apparent fibre density',
                   'Apparent fibre density: the integral of the distribution of fibre '
                   'orientations; 1 is about that of a bundle as in the response.'),
        map_output('csd', 'nufo', 'Number of fibre directions',
                   'Number of directions of fibres, up to three.', is_summed_up=False),
    ),
    init_wf=init_csd_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2007.02.016',
    methods=(
        'Distributions of fibre orientations were estimated by constrained spherical '
        'deconvolution (Tournier et al. 2007, doi:10.1016/j.neuroimage.2007.02.016; dipy, '
        'Garyfallidis et al. 2014, doi:10.3389/fninf.2014.00008) with a response that was the '
        'mean of the 300 voxels of white matter with the largest FA.'
    ),
    figures=(
        Figure(
            name='peaks',
            draw=draw_fods,
            needs=('csd_fod', 'csd_peaks', 'dwi_reference', 'dwi_mask'),
            title='Directions of fibres',
            caption='Above: up to three directions in each voxel as sticks, as long as the fibre '
            'density, on the cuts with most fibres. Below: the distributions themselves, in the '
            'frames, where fibres cross most. Red: from side to side, green: from front to back, '
            'blue: up and down. Behind: FA, or the image without weighting.',
        ),
    ),
    minutes=1.5,
    memory_gb=3.0,
)  # fmt: skip
