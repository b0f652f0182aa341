"""Where a head scan shows head, air, artefacts in air, and filled-in nothing.

The method is that of Mortamet et al. 2009 (https://doi.org/10.1002/mrm.21992): noise and
ghosts are looked for in the air above a plane through the brow and the back of the head, away
from the face, whose signal leaks with every movement of the eyes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.core.masks import clean_mask
from mriderived.core.quality import MAD_TO_SD
from mriderived.core.quality_masks import coarsen, erode, open_edges, open_faces, refine

Mask = NDArray[np.bool_]
Volume = NDArray[np.float32]
Affine = NDArray[np.float64]

#: Values of the label image of :func:`label_air`; what is none of these is 0.
AIR, ARTEFACT, HEAD, PADDING, BELOW = 1, 2, 3, 4, 5
#: Midline landmarks in MNI152 (mm, RAS): the glabella, and the inion as the 10-20 system has it.
GLABELLA, INION = (0.0, 88.0, -16.0), (0.0, -118.0, -23.0)
#: Air nearer to the head than this is not looked at: ringing and blur are signal, not noise.
MARGIN_MM = 10.0
#: Air this many spreads above its median is an artefact.
ARTEFACT_Z = 10.0
#: The head is found on blocks of about this edge.
BLOCK_MM = 2.0
#: The head is what exceeds this fraction of the brain's median intensity: below scalp and muscle,
#: above all but the worst ghosts. The second holds where the noise floor is high.
HEAD_FRACTION, MAX_HEAD_FRACTION = 0.25, 0.4


def block_factors(spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Return how many voxels make a block of about 2 mm along each axis.

    Examples
    --------
    >>> block_factors((1.0, 0.8, 5.0))
    (2, 2, 1)
    """
    return tuple(max(1, round(BLOCK_MM / size)) for size in spacing)


def find_padding(raw: Volume) -> Mask:
    """Return filled-in regions: blocks of voxels that all have the image's lowest value.

    Masking, rotation and gradient unwarping leave such regions; real noise has no blocks of
    19 equal voxels, unless rounding made them, and then the noise cannot be measured either.

    Parameters
    ----------
    raw : (x, y, z) float array
        The image as acquired.

    Returns
    -------
    (x, y, z) bool array

    Examples
    --------
    >>> image = np.ones((6, 6, 6), np.float32); image[:3] = 0; image[4, 4, 4] = 0
    >>> int(find_padding(image).sum())
    108
    """
    padded = np.pad(raw <= max(float(raw.min()), 0.0), 1, constant_values=True)
    return open_edges(padded)[1:-1, 1:-1, 1:-1]


def find_head(image: Volume, brain: Mask, spacing: tuple[float, ...]) -> Mask:
    """Segment the head (with its skull and skin) on a grid that may be coarse.

    What exceeds 25 % of the brain's median (more where the noise floor does), with gaps of
    6 mm closed; of this the largest part, with its holes filled.

    Parameters
    ----------
    image : (x, y, z) float array
        Bias-corrected intensities.
    brain : (x, y, z) bool array
        The brain.
    spacing : three float
        Voxel size in mm.

    Returns
    -------
    (x, y, z) bool array
    """
    sigma = [BLOCK_MM / 2 / size for size in spacing]
    smooth = ndimage.gaussian_filter(image, sigma)
    level = float(np.median(smooth[brain]))
    outside = smooth[~brain & (smooth > 0)]
    floor = float(np.percentile(outside, 10)) if outside.size else 0.0
    threshold = min(max(HEAD_FRACTION * level, 2 * floor), MAX_HEAD_FRACTION * level)
    head = _drop_specks((smooth > threshold) | brain)
    pad = [int(np.ceil(6.0 / size)) for size in spacing]
    head = np.pad(head, [(p, p) for p in pad], mode='edge')
    head = _dilate_mm(head, 6.0, spacing)
    head = ~_dilate_mm(~head, 6.0, spacing)
    crop = tuple(slice(p, -p) for p in pad)
    return clean_mask(head[crop])


def _drop_specks(mask: Mask, share: float = 0.005) -> Mask:
    """Drop parts smaller than ``share`` of the largest: noise, but not a jaw that lies apart."""
    parts, _ = ndimage.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= share * sizes.max())[parts] & mask)


def _dilate_mm(mask: Mask, radius: float, spacing: tuple[float, ...]) -> Mask:
    if not mask.any():
        return mask
    distance = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return np.asarray(distance <= radius)


def fit_affine(points: NDArray[np.float64], targets: NDArray[np.float64]) -> Affine:
    """Return the affine that maps ``points`` to ``targets`` with the least squared error.

    Parameters
    ----------
    points, targets : (n, 3) float array
        At least four points that are not in a plane.

    Returns
    -------
    (4, 4) float array

    Examples
    --------
    >>> points = np.vstack([np.zeros(3), np.eye(3)])
    >>> fit_affine(points, points * 2 + 1)[:3, 3].round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    design = np.column_stack([points, np.ones(len(points))])
    solution = np.linalg.lstsq(design, targets, rcond=None)[0]
    return np.vstack([solution.T, [0.0, 0.0, 0.0, 1.0]])


def above_plane(shape: tuple[int, ...], voxel_to_space: Affine) -> Mask:
    """Return the voxels above the plane through glabella and inion, across left and right.

    Parameters
    ----------
    shape : three int
        The grid.
    voxel_to_space : (4, 4) float array
        From voxel indices to MNI152 coordinates in mm. An affine keeps the plane a plane.

    Returns
    -------
    (x, y, z) bool array

    Examples
    --------
    >>> to_space = np.diag([2.0, 2, 2, 1]); to_space[:3, 3] = -100
    >>> mask = above_plane((100, 100, 100), to_space)
    >>> bool(mask[50, 50, 45]), bool(mask[50, 50, 35])
    (True, False)
    """
    (_, front_y, front_z), (_, back_y, back_z) = GLABELLA, INION
    normal = np.array([0.0, -(front_z - back_z), front_y - back_y])
    a, b, c = normal @ voxel_to_space[:3, :3]
    d = float(normal @ (voxel_to_space[:3, 3] - np.array(GLABELLA)))
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return np.asarray(k * c > -(i * a + j * b + d))


def label_air(
    raw: Volume, image: Volume, brain: Mask, spacing: tuple[float, ...], voxel_to_space: Affine
) -> NDArray[np.uint8]:
    """Label air, artefacts in air, head and padding of a scan.

    Parameters
    ----------
    raw, image : (x, y, z) float32 array
        The image as acquired and bias-corrected.
    brain : (x, y, z) bool array
        The brain.
    spacing : three float
        Voxel size in mm.
    voxel_to_space : (4, 4) float array
        From voxel indices to MNI152 coordinates in mm.

    Returns
    -------
    (x, y, z) uint8 array
        1 air above the plane, 10 mm and more from the head, without artefacts; 2 artefacts
        there; 3 head; 4 padding; 5 air as far from the head, but below the plane; 0 the rest.
    """
    factors = block_factors(spacing)
    blocks = tuple(size * factor for size, factor in zip(spacing, factors, strict=True))
    coarse_brain = coarsen(brain.view(np.uint8), factors) > 0.5
    head = find_head(coarsen(image, factors), coarse_brain, blocks)
    near = _dilate_mm(head, MARGIN_MM, blocks)
    padding = find_padding(raw)
    air = ~np.asarray(refine(near, factors, raw.shape)) & ~padding
    hat = air & above_plane(raw.shape, voxel_to_space)
    artefacts = find_artefacts(raw, hat)
    labels = np.zeros(raw.shape, np.uint8)
    labels[air & ~hat] = BELOW
    labels[padding] = PADDING
    labels[np.asarray(refine(head, factors, raw.shape)) | brain] = HEAD
    # next to padding, interpolation has mixed noise with nothing
    labels[erode(hat)] = AIR
    labels[artefacts] = ARTEFACT
    return labels


def find_artefacts(raw: Volume, hat: Mask) -> Mask:
    """Return clusters in air that exceed its median by ten spreads (scaled MAD).

    What is thinner than three voxels along any axis is noise and is dropped. (The code of
    MRIQC after 2019 divides by the spread without subtracting the median.)

    Parameters
    ----------
    raw : (x, y, z) float array
        The image as acquired.
    hat : (x, y, z) bool array
        The air to look at.

    Returns
    -------
    (x, y, z) bool array
        Empty where the spread of air is zero.

    Examples
    --------
    >>> air = np.random.default_rng(0).rayleigh(size=(20, 20, 20)).astype(np.float32)
    >>> air[5:9, 5:9, 5:9] += 30
    >>> int(find_artefacts(air, np.ones(air.shape, bool)).sum())
    32
    """
    values = raw[hat]
    if values.size == 0:
        return np.zeros(raw.shape, bool)
    median = float(np.median(values))
    spread = float(np.median(np.abs(values - median))) * MAD_TO_SD
    if spread == 0:
        return np.zeros(raw.shape, bool)
    return open_faces(hat & (raw > median + ARTEFACT_Z * spread))
