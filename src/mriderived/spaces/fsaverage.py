"""fsaverage5: the surface template of FreeSurfer with 10,242 vertices per hemisphere.

Its meshes lie in MNI305. FreeSurfer's own matrix takes them to MNI152NLin6Asym, and the warp that
this package ships takes them on to MNI152NLin2009cAsym.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.spaces.packages import find_package_file
from mriderived.spaces.transform import load_warp, map_points

Side = Literal['L', 'R']

#: From MNI305 to MNI152 (FreeSurfer's documentation of its coordinate systems).
MNI305_TO_MNI152 = np.array(
    [
        [0.9975, -0.0073, 0.0176, -0.0429],
        [0.0146, 1.0009, -0.0024, 1.5496],
        [-0.0130, -0.0093, 0.9971, 1.1840],
        [0, 0, 0, 1],
    ]
)
#: The files in nilearn's package, by their SHA-256.
FILES = {
    'white_left': 'ecd590c1405e5553604fd4b113cee13d62638e5fb4084438201db82a4c711c64',
    'white_right': 'bd0f184539c82eae3b5b22297c4b5f64f901e276152f79d9fa62337f7e0d30d8',
    'pial_left': '1e76fe43ac194c15fd272643f7ae7995621e2a496b3102b2d6175f0f8e6d7fc8',
    'pial_right': 'fdfae008bc10acf7cba82737ea5db9a7298948c41884a2d3330a785783a60a91',
    'infl_left': '1a571c9d598a476a202c7295c235a709de63360047b92c0e7b75ed18b0f37e74',
    'infl_right': '9f66b009e1da72158d75b4e739c6289aba0c1b08d818b2f0f9f61204aa4ba895',
    'sulc_left': 'bd0f87e0cba153e9d5c5281edc7267f631b1967e5883d4027924766c8430eb62',
    'sulc_right': '97afe76225903205a16b88f88cd796945f2a27011328e98decaa9128ff063afb',
    'thick_left': '89ac80c01387cd0858218eb62440f5a301be06de6553427938401c387bcdcae9',
    'thick_right': 'b0cfbdaabc092035f2a1c9c4dd67b7b82e871a5bf03ae0947a28ac394abade53',
}
#: Where the template's own cortex is thinner, in mm, is its medial wall.
LEAST_THICKNESS = 1.0
NAMES = {'L': 'left', 'R': 'right'}
#: The inverse of the shipped warp converges to a thousandth of a millimetre in so many rounds of
#: half steps. Whole steps go to and fro for ever where the warp stretches to the double and more.
ROUNDS, STEP = 100, 0.5


class Mesh(NamedTuple):
    """One hemisphere of fsaverage5."""

    #: shape (10242, 3): between white and pial surface, in MNI152NLin2009cAsym, mm.
    midthickness: NDArray[np.float64]
    #: shape (10242, 3): for pictures only.
    inflated: NDArray[np.float64]
    #: shape (20480, 3)
    triangles: NDArray[np.int32]
    #: shape (10242,): FreeSurfer's sulcal depth, positive in sulci.
    sulcal_depth: NDArray[np.float64]
    #: shape (10242,): where the template has cortex.
    is_cortex: NDArray[np.bool_]


@lru_cache
def load_fsaverage(side: Side) -> Mesh:
    """Read a hemisphere of fsaverage5 from the package that carries it."""
    inflated, triangles = _read_mesh(f'infl_{NAMES[side]}')
    fsl = MNI305_TO_MNI152[:3, :3] @ read_midthickness(side).T + MNI305_TO_MNI152[:3, 3:]
    return Mesh(
        _invert_warp(fsl).T,
        inflated,
        triangles.astype(np.int32),
        _read_map(f'sulc_{NAMES[side]}'),
        _read_map(f'thick_{NAMES[side]}') > LEAST_THICKNESS,
    )


def read_midthickness(side: Side) -> NDArray[np.float64]:
    """Read points halfway between white and pial surface, shape (10242, 3), in MNI305."""
    white, _ = _read_mesh(f'white_{NAMES[side]}')
    pial, _ = _read_mesh(f'pial_{NAMES[side]}')
    return np.asarray((white + pial) / 2)


def _invert_warp(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points (3, n) of MNI152NLin6Asym to MNI152NLin2009cAsym."""
    warp = load_warp()
    found = points.copy()
    for _ in range(ROUNDS):
        found = found + STEP * (points - map_points(found, warp))
    return found


def _find(name: str) -> Path:
    return find_package_file('nilearn', f'datasets/data/fsaverage5/{name}.gii.gz', FILES[name])


def _read_mesh(name: str) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    image = nb.loadsave.load(_find(name))
    points, triangles = (array.data for array in image.darrays)
    return np.asarray(points, dtype=np.float64), np.asarray(triangles, dtype=np.int32)


def _read_map(name: str) -> NDArray[np.float64]:
    return np.asarray(nb.loadsave.load(_find(name)).darrays[0].data, dtype=np.float64)
