"""Times of fibre orientations, streamlines, weights and connectome on a synthetic head.

    python benchmarks/tractography.py [--seeds 1000000] [--voxel 2.5] [--threads 2]

A series without noise of 60 directions at b = 2000 s/mm2 (`mriderived.phantom`), its true tissues.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from nibabel.affines import apply_affine

from mriderived.core.connectome import join_regions, label_ends
from mriderived.core.fibre_peaks import Peaks, find_peaks, half_sphere
from mriderived.core.fibre_traversal import list_fibres, traverse
from mriderived.core.gradient_table import make_gradients
from mriderived.core.streamline_weights import fit_weights
from mriderived.core.streamlines import measure_lengths
from mriderived.interfaces.spherical_deconvolution import (
    deconvolve,
    estimate_response,
    sample_fods,
    voxel_axes,
)
from mriderived.interfaces.tractography import Tissue, TrackingOptions, draw_seeds, track
from mriderived.phantom.deformation import Deformation, draw_field, draw_matrix
from mriderived.phantom.dwi import draw_dwi, take_clean
from mriderived.phantom.dwi_options import DwiOptions


class Clock:
    """Print how long each step took, and how long the processors worked for it."""

    def __init__(self) -> None:
        self.start, self.busy = time.perf_counter(), time.process_time()

    def tell(self, what: str) -> None:
        took, busy = time.perf_counter() - self.start, time.process_time() - self.busy
        print(f'{what:<52} {took:8.1f} s, processors {busy:8.1f} s', flush=True)
        self.start, self.busy = time.perf_counter(), time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=1_000_000)
    parser.add_argument('--voxel', type=float, default=2.5)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    clock = Clock()
    rng = np.random.default_rng(5)
    head = Deformation(draw_matrix(rng, 0.93, flip=False), draw_field(rng))
    chosen = DwiOptions(voxel_mm=(options.voxel,) * 3, shells=((2000.0, 60),), b0s=2)
    dwi = draw_dwi(head, 0.93, (1,), chosen, options.threads)
    series = np.stack(list(take_clean(dwi, options.threads)), axis=-1)
    table = make_gradients(dwi.b, dwi.directions)
    grey, white, fluid = (np.ascontiguousarray(dwi.maps.shares[..., n]) for n in range(3))
    mask = white > 0.1
    clock.tell(f'synthetic series of {series.shape}')
    response = estimate_response(series[white > 0.9], table)
    harmonics = deconvolve(series[mask], table, dwi.affine, response)
    clock.tell(f'deconvolution of {mask.sum()} voxels, degree {response.order}')
    axes = half_sphere()
    peaks: Peaks = find_peaks(sample_fods(harmonics, axes), axes, 0.3, threads=options.threads)
    clock.tell('peaks')
    tissue = Tissue(grey, white, fluid)
    how = TrackingOptions(seeds=options.seeds)
    whole = np.zeros((*mask.shape, harmonics.shape[1]), np.float32)
    whole[mask] = harmonics
    seeds = draw_seeds(tissue, mask, peaks, dwi.affine, how)
    lines = track(whole, dwi.affine, tissue, seeds, how, options.threads)
    clock.tell(f'{options.seeds} seeds, {len(lines)} streamlines')
    world = peaks.directions @ voxel_axes(dwi.affine).T
    fibres = list_fibres(mask, world, peaks.density)
    lengths = traverse(lines, fibres, dwi.affine, options.threads)
    clock.tell(f'traversal, {len(lengths.lengths)} entries')
    fit = fit_weights(lengths, fibres.density, threads=options.threads)
    clock.tell(
        f'weights, {fit.iterations} steps, misfit {fit.misfit_before:.2f} to {fit.misfit:.2f}'
    )
    # cubes of 2 cm stand in for an atlas
    index = np.indices(grey.shape).reshape(3, -1).T
    cubes = (apply_affine(dwi.affine, index) // 20 + 10).astype(np.int32) @ [400, 20, 1]
    labels = np.where(grey > 0.5, cubes.reshape(grey.shape), 0).astype(np.int32)
    numbers = np.unique(labels[labels > 0])
    ends = label_ends(lines, labels, dwi.affine, threads=options.threads)
    sizes = np.bincount(labels.ravel())[numbers] * options.voxel**3
    found = join_regions(ends, numbers, sizes, measure_lengths(lines), weights=fit.weights)
    clock.tell(f'connectome of {len(numbers)} regions, {100 * found.assigned:.0f} % assigned')
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f'largest memory {peak:.1f} GB')


if __name__ == '__main__':
    main()
