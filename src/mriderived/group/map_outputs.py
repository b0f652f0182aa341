"""What a voxel-wise model gives as files: statistics as volumes, and which voxels count."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import build_path
from mriderived.bids.sidecar import bids_uri, build_sidecar
from mriderived.group.map_models import MapModel
from mriderived.interfaces.sink import save_output

#: Without permutations, clusters are of voxels with a smaller p, which nothing corrects.
UNCORRECTED = 0.001
STATS = {
    'effect': 'Effect: estimate of the contrast',
    't': "Student's t of the contrast",
    'z': 'Standard score with the tail of that t',
    'p': 'Two-sided p-value of t, uncorrected',
    'pperm': 'Share of permutations with a t at least as large here, uncorrected',
    'tfce': 'Threshold-free cluster enhancement of t (extent 0.5, height 2)',
    'pfwe': 'p-value of t, corrected over all voxels by the maximum of permutations',
    'ptfcefwe': 'p-value of the enhanced t, corrected over all voxels by the maximum of '
    'permutations',
}


def label(text: str) -> str:
    """Return letters and digits of a name, for a file."""
    return ''.join(letter for letter in text if letter.isalnum())


def tell_rule(fitted: MapModel) -> str:
    """Say which voxels count."""
    if fitted.corrected:
        return (
            f'Voxels whose enhanced t has p ≤ {fitted.model.alpha:g}, corrected over all voxels '
            'by permutations.'
        )
    return f'Voxels with p < {UNCORRECTED:g}; nothing is corrected for the number of voxels.'


def make_volumes(fitted: MapModel, title: str) -> dict[str, NDArray[np.float32]]:
    """Return every statistic of a contrast as a volume."""
    test = fitted.tests[title]
    found: dict[str, Any] = {'effect': test.effect, 't': test.t, 'z': test.z, 'p': test.p}
    corrected = fitted.corrected.get(title)
    if corrected is not None:
        found |= {'pperm': corrected.p, 'tfce': corrected.enhanced, 'pfwe': corrected.p_fwe,
                  'ptfcefwe': corrected.p_enhanced_fwe}  # fmt: skip
    volumes = {}
    for stat, values in found.items():
        volume = np.full(fitted.mask.shape, 1 if stat.startswith('p') else 0, np.float32)
        volume[fitted.mask] = np.nan_to_num(values, nan=1.0 if stat.startswith('p') else 0.0)
        volumes[stat] = volume
    return volumes


def judge_voxels(
    fitted: MapModel, volumes: dict[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the p-values that the clusters go by, and the voxels that count."""
    if fitted.corrected:
        p = volumes['ptfcefwe'].astype(float)
        return p, fitted.mask & (p <= fitted.model.alpha)
    p = volumes['p'].astype(float)
    return p, fitted.mask & (p < UNCORRECTED)


def save_maps(
    out_dir: Path,
    fitted: MapModel,
    title: str,
    number: int,
    volumes: dict[str, NDArray[np.float32]],
    fwhm: float,
) -> list[PurePosixPath]:
    """Write the statistics of a contrast as images, and return where."""
    written = []
    sources = [bids_uri('', fitted.maps.files[row]) for row in fitted.rows]
    with TemporaryDirectory() as scratch:
        for stat, values in volumes.items():
            path = build_path(
                {'tpl': fitted.maps.space, 'desc': fitted.model.name,
                 'contrast': f'{number}{label(title)}'[:40], 'stat': stat},
                datatype=fitted.maps.output.datatype, suffix='statmap', extension='.nii.gz',
            )  # fmt: skip
            image = nb.Nifti1Image(values, fitted.maps.affine)
            image.header.set_xyzt_units('mm')
            file = Path(scratch) / 'map.nii.gz'
            image.to_filename(file)
            sidecar = build_sidecar(
                description=f'{STATS[stat]} {title!r}; {fitted.model.formula}.',
                sources=sources,
                unit=(fitted.maps.output.unit or '1') if stat == 'effect' else '1',
                skull_stripped=True,
                extra={
                    'Formula': fitted.model.formula,
                    'Contrast': dict(
                        zip(fitted.design.names, fitted.weights[title].tolist(), strict=True)
                    ),
                    'NumberOfParticipants': len(fitted.rows),
                    **fitted.design.counts,
                    'DegreesOfFreedom': fitted.tests[title].dof,
                    'SmoothingFWHM': fwhm,
                },
            )
            save_output(file, str(out_dir / path), sidecar)
            written.append(path)
    return written
