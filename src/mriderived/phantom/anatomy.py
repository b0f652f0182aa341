"""The head in the coordinates of MNI152NLin2009cAsym: which tissue is where.

The brain is made from the tissue probabilities of a population template, the rest is drawn.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.phantom.shells import Shells, draw_shells

Volume = NDArray[np.float32]

#: Tissue wins where its template probability times this is largest: the averaged template has
#: lost part of its sulci, which a preference for CSF gives back (CSF is 18 % of the whole then).
CSF_PREFERENCE = 2.2
#: The template is cut close to the cortex; this level of its smoothed mask lies 0.7 mm further
#: out, where brain extraction ends on T1w scans: volumes inside agree within 0.5 %. One tenth of
#: a millimetre here is 0.6 % of the intracranial volume and 3 % of the CSF.
SURFACE = 0.325
#: How far towards white matter deep grey matter may appear, as a share of the contrast.
MAX_DEEP_SHIFT = 0.25

#: Channels of :attr:`Anatomy.brain`.
LEVEL, GM, WM, CSF, DEEP = range(5)


class Anatomy(NamedTuple):
    """Fields over template space, to be sampled linearly.

    ``brain`` (x, y, z, channel): positive inside the brain; the evidence for GM, WM and CSF, of
    which the largest wins; shift of the grey matter's intensity towards the white matter's.
    ``origin`` and ``spacing`` (mm) locate its first voxel and its grid.
    """

    brain: Volume
    origin: NDArray[np.float64]
    spacing: float
    shells: Shells


@lru_cache(maxsize=1)
def load_anatomy() -> Anatomy:
    """Build the anatomy from the template files, once per process."""
    tissue = nib.as_closest_canonical(nib.load(_template('Template_4_GS.nii.gz')))
    gm, wm, csf = np.moveaxis(np.asarray(tissue.dataobj, dtype=np.float32), -1, 0)
    fine = nib.load(_template('Template_05mm_bet.nii.gz'))
    intensity = np.asarray(fine.dataobj, dtype=np.float32)
    share = _every_third((intensity > 0).astype(np.float32))
    level = ndimage.gaussian_filter(share, 1.0) - SURFACE
    deep = _deep_shift(_every_third(intensity), gm, wm, tissue.affine)
    brain = np.stack([level, gm, wm, CSF_PREFERENCE * csf, deep], axis=-1)
    origin, spacing = tissue.affine[:3, 3].astype(np.float64), float(tissue.affine[0, 0])
    return Anatomy(
        np.ascontiguousarray(brain), origin, spacing, draw_shells(level, origin, spacing)
    )


def _template(name: str) -> Path:
    spec = find_spec('deepmriprep')
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f'{name} is part of deepmriprep: pip install deepmriprep')
    return Path(spec.origin).parent / 'data' / 'templates' / name


def _every_third(volume: Volume) -> Volume:
    """Average a 0.5 mm volume in blocks of three, centred on the voxels of the 1.5 mm grid."""
    return np.ascontiguousarray(ndimage.uniform_filter(volume, 3, mode='nearest')[::3, ::3, ::3])


def _deep_shift(intensity: Volume, gm: Volume, wm: Volume, affine: NDArray[Any]) -> Volume:
    """Deep grey matter is brighter than cortex, as far as the template's intensity says so."""
    low, high = np.median(intensity[gm > 0.9]), np.median(intensity[wm > 0.95])
    x, y, z = np.ogrid[tuple(slice(size) for size in gm.shape)]
    x, y, z = (1.5 * axis + affine[i, 3] for i, axis in enumerate((x, y, z)))
    centre = ((np.abs(x) - 12) / 22) ** 4 + ((y + 4) / 28) ** 4 + ((z - 4) / 18) ** 4
    shift = np.clip((intensity - low) / (high - low), 0, MAX_DEEP_SHIFT) * np.exp(-centre)
    return np.asarray(shift, dtype=np.float32)
