"""Write the transmit field of a synthetic head in any of the ways in which it is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import raw_path
from mriderived.bids.sidecar import write_sidecar
from mriderived.phantom.qmri_tissue import Substance

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]
Image = tuple[dict[str, str], Volume, dict[str, Any]]

#: Voxels of field maps are this many times as large.
COARSER = 2
ANGLE = 60.0
AFI_TIMES = (0.02, 0.1)
TFL_ANGLE = 80.0


def write_transmit(
    bids_dir: Path,
    participant: str,
    kind: str,
    substance: Substance,
    b1: Volume,
    affine: Matrix,
) -> None:
    """Write the images of one kind of measurement, without noise, on coarser voxels."""
    images = {
        'TB1map': _map, 'TB1DAM': _double_angle, 'TB1AFI': _two_delays, 'TB1TFL': _angles,
    }[kind](substance, b1)  # fmt: skip
    coarse = affine @ np.diag([COARSER, COARSER, COARSER, 1.0])
    for entities, volume, metadata in images:
        name = {'sub': participant, **entities}
        path = bids_dir / raw_path(name, datatype='fmap', suffix=kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = volume[::COARSER, ::COARSER, ::COARSER].astype(np.float32)
        image = nib.Nifti1Image(data, coarse)
        image.set_sform(coarse, code=1)
        image.set_qform(coarse, code=1)
        image.header.set_xyzt_units('mm', 'sec')
        image.to_filename(path)
        write_sidecar(path, metadata)


def _map(substance: Substance, b1: Volume) -> Iterator[Image]:
    yield {}, 100 * b1 * (substance.pd > 0.1), {'Units': 'percent'}


def _double_angle(substance: Substance, b1: Volume) -> Iterator[Image]:
    for number, factor in enumerate((1, 2)):
        signal = 1000 * substance.pd * np.abs(np.sin(np.radians(factor * ANGLE * b1)))
        yield {'flip': str(number + 1)}, signal, {'FlipAngle': factor * ANGLE}


def _two_delays(substance: Substance, b1: Volume) -> Iterator[Image]:
    cosine, ratio = np.cos(np.radians(ANGLE * b1)), AFI_TIMES[1] / AFI_TIMES[0]
    share = (1 + ratio * cosine) / (ratio + cosine)
    for number, (time, factor) in enumerate(zip(AFI_TIMES, (1.0, share), strict=True)):
        metadata: Mapping[str, Any] = {'FlipAngle': ANGLE, 'RepetitionTimeExcitation': time}
        signal = 1000 * substance.pd * factor
        yield {'acq': f'tr{number + 1}'}, signal, dict(metadata)


def _angles(substance: Substance, b1: Volume) -> Iterator[Image]:
    yield {'acq': 'anat'}, 1000 * substance.pd, {'FlipAngle': 8.0}
    angles = 10 * TFL_ANGLE * b1 * (substance.pd > 0.1)
    yield {'acq': 'famp'}, angles, {'FlipAngle': TFL_ANGLE}
