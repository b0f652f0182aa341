"""One head: a T1w image and the truth behind it, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mriderived.phantom.anatomy import load_anatomy
from mriderived.phantom.deformation import Deformation, draw_field, draw_matrix
from mriderived.phantom.rendering import NO_CAVITY, Ball, render

#: Intensities of GM, WM and CSF before scaling.
MEANS = (80.0, 110.0, 32.0)
SCALE = 6.0
#: The box that holds a head of zoom 1 (mm) and where its lower corner is.
EXTENT, CORNER = np.array([196.0, 248.0, 248.0]), np.array([-98.0, -126.0, -142.0])

Affine = NDArray[np.float64]


@dataclass(frozen=True)
class HeadOptions:
    """What can be chosen about a head.

    ``zoom`` is its size relative to MNI152NLin2009cAsym (0.93 gives 1.5 L), ``noise`` the standard
    deviation relative to white matter, ``bias`` the amplitude of the bias field. ``flip`` mirrors
    the anatomy in the world; ``orientation`` only stores the same head along other axes.
    ``anatomy`` seeds the shape, ``scan`` everything that changes from scan to scan. ``cavity`` is
    a lesion: a ball of fluid, its centre in mm of template space and its radius in mm of the head.
    """

    anatomy: tuple[int, ...] = (1,)
    scan: tuple[int, ...] = (1,)
    voxel_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    zoom: float = 0.93
    flip: bool = False
    orientation: str = 'RAS'
    warp: float = 1.0
    noise: float = 0.025
    bias: float = 0.15
    cavity: Ball | None = None


class Head(NamedTuple):
    """A scan and its truth on one grid.

    ``counts`` / ``cells`` are the true partial volumes of GM, WM and CSF (first axis), exact;
    ``bias`` multiplies the signal; ``deformation`` leads from scanner to template space.
    """

    t1w: NDArray[np.int16]
    affine: Affine
    counts: NDArray[np.uint8]
    cells: int
    bias: NDArray[np.float32]
    deformation: Deformation
    #: Centre and radius of a cavity in mm of the scanner.
    cavity: Ball | None = None

    @property
    def brain_mask(self) -> NDArray[np.bool_]:
        """Voxels of which at least half is brain (with ventricles and the fluid around it)."""
        return np.asarray(2 * self.counts.sum(axis=0, dtype=np.int64) >= self.cells)


def draw_head(options: HeadOptions, threads: int = 1) -> Head:
    """Draw a head; the same options give the same bits, with any number of threads."""
    shape, affine = _grid(options)
    deformation = draw_deformation(options)
    cavity = NO_CAVITY
    if options.cavity is not None:
        *centre, radius = options.cavity
        x, y, z = deformation.from_template(np.array(centre))
        cavity = (float(x), float(y), float(z), radius)
    drawn = render(load_anatomy(), deformation, affine, shape, MEANS, threads, cavity=cavity)
    bias = draw_bias(np.random.default_rng([*options.scan, 3]), shape, options.bias)
    bias /= np.mean(bias[drawn.counts.any(axis=0)])
    sigma = options.noise * MEANS[1]
    t1w = _scan(np.random.default_rng([*options.scan, 4]), drawn.intensity * bias, sigma)
    found = cavity if options.cavity is not None else None
    head = Head(t1w, affine, drawn.counts, drawn.cells, bias, deformation, found)
    return _turn(head, options.orientation)


def draw_deformation(options: HeadOptions) -> Deformation:
    """Draw where the head lies and its shape."""
    return Deformation(
        draw_matrix(np.random.default_rng([*options.scan, 1]), options.zoom, flip=options.flip),
        draw_field(np.random.default_rng([*options.anatomy, 2]), options.warp),
    )


def _grid(options: HeadOptions) -> tuple[tuple[int, int, int], Affine]:
    voxel = np.array(options.voxel_mm)
    size = max(1.0, options.zoom / 0.97)
    x, y, z = np.ceil(EXTENT * size / voxel).astype(int)
    affine = np.diag([*voxel, 1.0])
    affine[:3, 3] = CORNER * size + voxel / 2
    return (int(x), int(y), int(z)), affine


def draw_bias(
    rng: np.random.Generator, shape: tuple[int, int, int], amplitude: float
) -> NDArray[np.float32]:
    """Return the exponential of a random polynomial of third degree, ``amplitude`` wide."""
    axes = [np.linspace(-1, 1, size, dtype=np.float32) for size in shape]
    powers = [np.stack([axis**power for power in range(4)]) for axis in axes]
    weights = rng.standard_normal((4, 4, 4)).astype(np.float32)
    degree = np.add.outer(np.add.outer(np.arange(4), np.arange(4)), np.arange(4))
    weights[(degree == 0) | (degree > 3)] = 0
    field = np.einsum('abc,ax,by,cz->xyz', weights, *powers, optimize=True)
    inner = field[tuple(slice(size // 5, -(size // 5)) for size in shape)]
    field *= amplitude / np.abs(inner - inner.mean()).max()
    return np.asarray(np.exp(field - field.mean()), dtype=np.float32)


def _scan(
    rng: np.random.Generator, signal: NDArray[np.float32], sigma: float
) -> NDArray[np.int16]:
    """Add the noise of a magnitude image and store it as a scanner does."""
    noise = partial(rng.standard_normal, signal.shape, np.float32)
    signal = signal + np.float32(sigma) * noise()
    np.hypot(signal, np.float32(sigma) * noise(), out=signal)
    stored: NDArray[np.int16] = np.rint(signal * SCALE).astype(np.int16)
    return stored


def _turn(head: Head, axes: str) -> Head:
    """Store the same head along other axes."""
    if axes == 'RAS':
        return head
    ras, wanted = (nib.orientations.axcodes2ornt(tuple(codes)) for codes in ('RAS', axes))
    change = nib.orientations.ornt_transform(ras, wanted)
    back = nib.orientations.inv_ornt_aff(change, head.t1w.shape)
    return head._replace(
        t1w=nib.apply_orientation(head.t1w, change),
        affine=head.affine @ back,
        counts=np.stack([nib.apply_orientation(part, change) for part in head.counts]),
        bias=nib.apply_orientation(head.bias, change),
    )
