"""What can be chosen about a synthetic DWI run, and where its voxels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epi_shift import phase_axis
from mriderived.phantom.bold_options import make_grid

Matrix = NDArray[np.float64]
FibreLayout = Literal['populations', 'layers']

#: Where the centre of a cropped grid lies for a head of zoom 1, in mm.
CROP_CENTRE = np.array([0.0, -10.0, 15.0])


@dataclass(frozen=True)
class DwiOptions:
    """What can be chosen about a run.

    ``shells`` are pairs of b in s/mm² and the number of directions; ``b0s`` volumes of b = 0 are
    spread over the run. Times are in s. ``motion_mm`` and ``motion_degrees`` are the largest
    shift and turn from the first volume, ``apart_mm`` and ``apart_degrees`` those of the head
    since the T1w. ``eddy_voxels`` is the largest displacement by eddy currents within the head.
    In each of ``dropouts`` slices most of the signal is lost. ``snr`` is that of white matter at
    b = 0. ``field`` scales the inhomogeneity (1: up to 150 Hz). ``opposite``: ``epi`` adds a
    field map of ``opposite_volumes`` volumes of b = 0 with the opposite phase encoding, ``dwi`` a
    run of them, ``none`` nothing. With ``has_compartments`` signals are not Gaussian: fibres have
    water within and around axons, grey matter fast and slow water. ``fibres`` are those of
    ``populations`` like a brain's, or of oblique ``layers``, whose course tells a wrong axis or
    sign of the gradient table, which that of the populations does not. ``crop`` is the size of a
    box of voxels within the head; ``None`` takes the whole brain. ``keeps_clean`` stores the
    series without motion, distortion and noise beside the truth.
    """

    voxel_mm: tuple[float, float, float] = (2.5, 2.5, 2.5)
    shells: tuple[tuple[float, int], ...] = ((1000.0, 30),)
    b0s: int = 4
    repetition_time: float = 6.0
    motion_mm: float = 1.0
    motion_degrees: float = 1.0
    jumps: int = 1
    apart_mm: float = 2.0
    apart_degrees: float = 2.0
    eddy_voxels: float = 1.0
    dropouts: int = 3
    snr: float = 30.0
    bias: float = 0.1
    field: float = 1.0
    direction: str = 'j-'
    echo_spacing: float = 0.00045
    opposite: str = 'epi'
    opposite_volumes: int = 3
    has_compartments: bool = False
    fibres: FibreLayout = 'populations'
    crop: tuple[int, int, int] | None = None
    keeps_clean: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        phase_axis(self.direction)
        if self.opposite not in ('epi', 'dwi', 'none'):
            raise ValueError(f'opposite {self.opposite!r} is not epi, dwi or none')
        if self.fibres not in get_args(FibreLayout):
            raise ValueError(f'fibres {self.fibres!r} are not populations or layers')
        if self.b0s < 1:
            raise ValueError('a run begins with a volume of b = 0; take at least one')
        if any(b <= 0 or count < 1 for b, count in self.shells):
            raise ValueError('a shell has a b above 0 and at least one direction')
        if self.dropouts and not self.shells:
            raise ValueError('slices drop out of volumes with b above 0; there are none')

    @property
    def volumes(self) -> int:
        """Number of volumes of the run."""
        return self.b0s + sum(count for _, count in self.shells)


def make_dwi_grid(options: DwiOptions, zoom: float) -> tuple[tuple[int, int, int], Matrix]:
    """Return the shape and the affine of a grid that holds the brain, or a box of it; RAS."""
    if options.crop is None:
        return make_grid(options.voxel_mm, zoom)
    affine = np.diag([*options.voxel_mm, 1.0])
    half = (np.array(options.crop) - 1) / 2
    affine[:3, 3] = CROP_CENTRE * max(0.5, zoom / 0.97) - half * options.voxel_mm
    return options.crop, affine
