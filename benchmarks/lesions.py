"""Plant lesions in real scans, and search finished participants for lesions.

    python benchmarks/lesions.py plant SCAN.nii.gz TARGET.nii.gz X Y Z RADIUS LEVEL
    python benchmarks/lesions.py search OUT_DIR

``plant`` puts a ball of RADIUS mm with a smooth edge and noise at X Y Z (mm of the scan) whose
intensity is LEVEL times that of the white matter around it: 0.1 is fluid, 0.5 grey matter.
``search`` looks with the thresholds that the program uses, and with a fiftieth of both volumes:
what only the latter finds tells how far a healthy brain is from a false alarm.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nibabel as nb
import numpy as np
from scipy import ndimage

from mriderived.core import lesions
from mriderived.interfaces.lesion_evidence import gather_evidence
from mriderived.spaces import DEFAULT_SPACE, get_space

NOISE = 0.07
EDGE_MM = 0.5


def plant(
    source: Path, target: Path, centre: tuple[float, float, float], radius: float, level: float
) -> float:
    """Write the scan with a lesion and return the lesion's volume in mL."""
    image = nb.loadsave.load(source)
    data = np.asarray(image.dataobj, dtype=np.float32)
    to_mm = image.affine
    voxels = np.indices(data.shape).reshape(3, -1)
    away = to_mm[:3, :3] @ voxels + to_mm[:3, 3:] - np.array(centre)[:, None]
    distance = np.sqrt((away**2).sum(axis=0)).reshape(data.shape)
    share = 1 / (1 + np.exp((distance - radius) / EDGE_MM))
    # the bright part of what surrounds it
    white = np.percentile(data[(distance < 2 * radius) & (distance > radius + 3)], 75)
    noise = np.random.default_rng(0).normal(0, NOISE * white, data.shape)
    share *= ndimage.gaussian_filter((data > 0).astype(np.float32), 0.7)
    new = data * (1 - share) + share * np.clip(level * white + noise, 0, None)
    target.parent.mkdir(parents=True, exist_ok=True)
    nb.Nifti1Image(np.rint(new).astype(np.int16), to_mm).to_filename(target)
    return float((share > 0.5).sum() * abs(np.linalg.det(to_mm[:3, :3])) / 1000)


def search(transform: Path) -> None:
    """Print what is found in the image that a transform belongs to."""
    stem = transform.name.partition('_from-')[0]

    def path(ending: str) -> Path:
        return transform.with_name(f'{stem}_{ending}.nii.gz')

    start = time.perf_counter()
    tissues = get_space(DEFAULT_SPACE).tissues
    if tissues is None:
        raise ValueError(f'{DEFAULT_SPACE} has no tissue maps')
    maps = (path('desc-brain_mask'), path('label-WM_probseg'), path('label-CSF_probseg'))
    evidence, _ = gather_evidence(*maps, tissues, transform, 2)
    lesions.find_lesions(evidence)
    seconds = time.perf_counter() - start
    usual = lesions.LEAST_ML, lesions.LEAST_WRONG_ML
    told = []
    for part in (1.0, 0.02):
        lesions.LEAST_ML, lesions.LEAST_WRONG_ML = (part * least for least in usual)
        found = [
            f'{each.kind} {each.volume_ml:.1f} mL ({each.wrong_ml:.2f} in doubt)'
            for each in lesions.find_lesions(evidence)
        ]
        told.append(', '.join(found) or 'none')
    lesions.LEAST_ML, lesions.LEAST_WRONG_ML = usual
    print(f'{stem}: {told[0]}; at a fiftieth: {told[1]} ({seconds:.1f} s)', flush=True)


def main(arguments: list[str]) -> None:
    """Plant or search."""
    match arguments:
        case ['plant', source, target, x, y, z, radius, level]:
            centre = float(x), float(y), float(z)
            volume = plant(Path(source), Path(target), centre, float(radius), float(level))
            print(f'{volume:.2f} mL')
        case ['search', folder]:
            name = f'*_from-{DEFAULT_SPACE}_to-T1w_mode-image_xfm.h5'
            for transform in sorted(Path(folder).glob(f'sub-*/**/{name}')):
                search(transform)
        case _:
            sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
