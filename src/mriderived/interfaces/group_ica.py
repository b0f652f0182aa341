"""Independent components of a group, by nilearn's CanICA, from runs that are reduced already."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.exceptions import ConvergenceWarning

from mriderived.core.frame_reduction import reduce_frames
from mriderived.interfaces.series import read_volumes
from mriderived.interfaces.volumes import voxel_size

Maps = NDArray[np.float32]
Mask = NDArray[np.bool_]
#: Full width at half maximum in mm, as CanICA's authors smooth.
SMOOTHING_MM = 6.0
#: How often the search for components starts anew; the most independent ones are kept.
STARTS = 10


class Components(NamedTuple):
    """Maps (components, voxels), and how many of the :data:`STARTS` searches came to an end."""

    maps: Maps
    converged: int


def load_smooth(path: Path, mask: Mask) -> Maps:
    """Return the smoothed series of the voxels in a mask, of shape (voxels, volumes)."""
    image = nb.load(path)
    sigma = SMOOTHING_MM / np.sqrt(8 * np.log(2)) / voxel_size(image.affine)
    series = np.empty((int(mask.sum()), image.shape[3]), np.float32)
    for t, volume in enumerate(read_volumes(path)):
        series[:, t] = ndimage.gaussian_filter(volume, sigma, truncate=3)[mask]
    return series


def write_reduced(path: Path, mask: Mask, components: int, out_file: Path, threads: int) -> Path:
    """Write a run, smoothed and reduced to as many volumes as components are wanted."""
    reduced = reduce_frames(load_smooth(path, mask), components, threads)
    data = np.zeros((*mask.shape, components), np.float32)
    data[mask] = reduced.T
    nb.Nifti1Image(data, nb.load(path).affine).to_filename(out_file)
    return out_file


def find_components(
    reduced: Sequence[Path],
    mask: Mask,
    affine: NDArray[np.float64],
    components: int,
    seed: int,
    threads: int = 1,
) -> Components:
    """Return independent components of reduced runs.

    Each map has a standard deviation of 1 over the voxels and its peak is positive. Nothing is
    thresholded, because dual regression wants whole maps.
    """
    from nilearn.decomposition import CanICA  # takes seconds, and few runs need it

    decomposition: Any = CanICA(
        n_components=components,
        mask=nb.Nifti1Image(mask.astype(np.uint8), affine),
        smoothing_fwhm=None,
        standardize=None,
        standardize_confounds=False,
        detrend=False,
        threshold=None,
        n_init=STARTS,
        random_state=seed,
        n_jobs=threads,
    )
    # Threads, because the warnings of other processes would be lost; starts are independent.
    with warnings.catch_warnings(record=True) as told, parallel_config(backend='threading'):
        warnings.simplefilter('always')
        decomposition.fit([str(path) for path in reduced])
    lost = sum(issubclass(warning.category, ConvergenceWarning) for warning in told)
    maps = np.asarray(decomposition.components_, np.float64)
    maps -= maps.mean(axis=1, keepdims=True)
    maps /= maps.std(axis=1, keepdims=True)
    return Components(maps.astype(np.float32), max(STARTS - lost, 0))
