"""Head motion and eddy currents of a diffusion series, and slices that lost their signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_estimate import Estimate
from mriderived.core.eddy_terms import LINEAR, EddyMotion, check_series
from mriderived.core.gradient_table import Gradients

Matrix = NDArray[np.float64]


def estimate_eddy(
    series: NDArray[np.float32],
    affine: Matrix,
    gradients: Gradients,
    axis: int,
    slice_axis: int = 2,
    terms: int = LINEAR,
    threads: int = 1,
) -> EddyMotion:
    """Estimate head motion and eddy currents by registration to predicted volumes.

    Volumes of b = 0 are aligned with their median. The volumes of each shell are aligned with what
    the others of the shell predict, and their mean with b = 0 by mutual information. Outlying
    slices are replaced by their prediction as soon as they are found.

    Parameters
    ----------
    series : array of float32, shape (x, y, z, n)
        Denoised, not interpolated, of one phase encoding. Voxels that are not finite count as 0.
    affine : array, shape (4, 4)
        From voxels to RAS mm.
    gradients : Gradients
        Of the n volumes, directions as the scanner applied them.
    axis : int
        The phase axis, along which eddy currents displace.
    slice_axis : int
    terms : int
        3 for linear displacements, 9 for quadratic ones as well.
    threads : int
        Volumes at the same time. The result is the same for any number.

    Returns
    -------
    EddyMotion

    Raises
    ------
    ValueError
        If table and series differ in length, an axis does not exist, or a volume is empty.

    References
    ----------
    https://doi.org/10.1016/j.neuroimage.2015.10.019
    https://doi.org/10.1016/j.neuroimage.2015.07.067
    """
    check_series(series, gradients, axis, slice_axis, terms)
    return Estimate(series, np.asarray(affine, float), gradients, axis, slice_axis, terms).run(
        threads
    )
