"""The ratio of T1w to T2w intensity, on the grid of the T1w image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config, RatioCalibration
from mriderived.core.ratio import LIMIT, divide
from mriderived.core.reference_tissue import Pair
from mriderived.core.sampling import resample
from mriderived.figures.overlays import map_overlay
from mriderived.interfaces.ratio_scale import scale_pair
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Figure, Measure, Output, Scope
from mriderived.measures.one_node import one_node_wf

#: A voxel is all fluid or white matter, or mostly fluid, from these fractions on.
PURE, HALF = 0.9, 0.5
#: The contrast of fluid is only looked at where there are so many voxels of it.
LEAST_VOXELS = 200
#: More of tissue without a ratio than this share should not go unsaid.
MANY = 0.05
#: Slices from here on, in mm, are noted: the map is no finer than the T2w.
COARSE_MM = 2.0
NEEDS = ('t1w', 'brain_mask', 'wm_probseg', 'csf_probseg', 't2w', 'xfm_t2w_to_t1w')
#: Where eyes and muscles are, the template says.
CALIBRATED_NEEDS = (*NEEDS, 'xfm_from_space')
#: What the ratio of a calibrated pair says of itself, by the tissues.
BY_TISSUE = {
    'eyes-muscle': 'the eyes and the temporal muscles',
    'csf-wm': 'cerebrospinal fluid and white matter',
}


class RatioFile(NamedTuple):
    """The file that :func:`map_ratio` writes."""

    t1w_t2w_ratio: Path


def map_ratio(
    t1w: Path,
    brain_mask: Path,
    wm_probseg: Path,
    csf_probseg: Path,
    t2w: Path,
    xfm_t2w_to_t1w: Path,
    threads: int,
    calibration: RatioCalibration = 'none',
    xfm_from_space: Path | None = None,
) -> RatioFile:
    """Bring the T2w to the T1w and divide."""
    first, affine, brain = load(t1w), load_affine(t1w), load(brain_mask) > 0
    there = load_affine(t2w)
    matrix = np.linalg.inv(there) @ load_rigid(xfm_t2w_to_t1w) @ affine
    second = resample(load(t2w), matrix, first.shape, threads)
    _require_contrast(second, load(wm_probseg), load(csf_probseg))
    said: dict[str, Any] = {}
    if calibration != 'none':
        pure = (load(path) > PURE for path in (csf_probseg, wm_probseg))
        pair = Pair(first, second, brain, *(part & brain & (second > 0) for part in pure))
        first, second, said = scale_pair(pair, affine, calibration, xfm_from_space)
    found = divide(first, second, brain)
    path = save(np.nan_to_num(found.values), affine, 'ratio.nii.gz')
    total = int(np.count_nonzero(brain))
    tissue = brain & (load(csf_probseg) < HALF)  # fluid may be an outlier by nature
    lost = float(np.isnan(found.values[tissue]).mean()) if tissue.any() else 1.0
    notes = []
    if lost > MANY:
        notes.append(
            f'{lost:.0%} of grey and white matter has no ratio: it is an outlier there, or the '
            'T2w has no signal.'
        )
    if voxel_size(there).max() > COARSE_MM:
        notes.append(f'The T2w has voxels of {voxel_size(there).max():.2g} mm.')
    write_remarks(
        path,
        notes=notes,
        OutlierVoxels=found.outliers,
        VoidVoxels=found.voids,
        BrainVoxels=total,
        MissingShareOfTissue=round(lost, 4),
        MedianRatio=round(float(np.nanmedian(found.values)), 4),
        IsCalibrated=bool(said),
        **({'Calibration': said} if said else {}),
    )
    return RatioFile(path)


def _require_contrast(
    image: NDArray[np.float32], white: NDArray[np.float32], fluid: NDArray[np.float32]
) -> None:
    """Refuse what is no T2w, or does not lie on the T1w: fluid is bright in a T2w."""
    inside = (white > PURE) & (image > 0), (fluid > PURE) & (image > 0)
    if min(np.count_nonzero(part) for part in inside) < LEAST_VOXELS:
        return
    levels = [float(np.median(image[part])) for part in inside]
    if levels[1] <= levels[0]:
        raise ValueError(
            'fluid is no brighter than white matter in the T2w: it is no T2w image, its fluid is '
            'suppressed, or it does not lie on the T1w'
        )


def draw_ratio(t1w: Path, brain_mask: Path, t1w_t2w_ratio: Path) -> list[Any]:
    """Draw the ratio over the T1w."""
    values = load(t1w_t2w_ratio)
    mask = (load(brain_mask) > 0) & (values > 0)
    return [map_overlay(load(t1w), load_affine(t1w), values, label='T1w/T2w', unit='1', mask=mask)]


def init_t1w_t2w_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    needs = CALIBRATED_NEEDS if config.t1t2_calibration == 'eyes-muscle' else NEEDS
    return one_node_wf(
        map_ratio, needs, threads=config.omp_nthreads, calibration=config.t1t2_calibration
    )


T1W_T2W = Measure(
    name='t1w_t2w',
    title='T1w/T2w ratio',
    needs=NEEDS,
    source='T2w',
    scope=Scope(is_of_t1w_session=True),
    outputs=(
        Output(
            field='t1w_t2w_ratio',
            datatype='anat',
            suffix='T1wT2wratio',
            entities={'space': 'T1w'},
            description='Ratio of T1w to T2w intensity on the grid of the preprocessed T1w, both '
            'without inhomogeneity; 0 where there is none. Not calibrated: its scale is that of '
            'the two sequences and scanners.',
            unit='1',
            regions=True,
            tissues=('cortex', 'subcortex', 'white', 'cerebellum', 'brainstem'),
            is_zero_missing=True,
            draft='BEP011',
        ),
    ),
    init_wf=init_t1w_t2w_wf,
    reference='https://doi.org/10.1523/JNEUROSCI.2180-11.2011',
    methods=(
        'The T2w, freed of inhomogeneity and aligned rigidly, was interpolated linearly on the '
        'T1w, and the ratio of the two taken (Glasser & Van Essen 2011, '
        'doi:10.1523/JNEUROSCI.2180-11.2011). Ratios farther from the median than '
        f'{LIMIT:g} robust standard deviations of their logarithm were left out and counted.'
    ),
    figures=(
        Figure(
            name='ratio',
            draw=draw_ratio,
            needs=('t1w', 'brain_mask', 't1w_t2w_ratio'),
            title='T1w/T2w ratio',
            caption='White matter is highest; of the cortex, primary motor, sensory and visual '
            'areas are. A slope from one side or end to the other is inhomogeneity that is left.',
        ),
    ),
    minutes=0.1,
    memory_gb=1.0,
)


def _calibrated(calibration: RatioCalibration) -> Measure:
    """Return the measure for pairs that two tissues bring to one scale."""
    if calibration == 'none':
        return T1W_T2W
    tissues = BY_TISSUE[calibration]
    (output,) = T1W_T2W.outputs
    before = output.description.partition(' Not calibrated')[0]
    return replace(
        T1W_T2W,
        needs=CALIBRATED_NEEDS if calibration == 'eyes-muscle' else NEEDS,
        outputs=(replace(output, description=f'{before} Both were calibrated by {tissues}.'),),
        methods=f'{T1W_T2W.methods} Before, both images were scaled linearly so that {tissues} '
        'have the same two intensities in all participants (after Ganzetti et al. 2014, '
        'doi:10.3389/fnhum.2014.00671).',
    )


RATIO_BY_CALIBRATION: dict[RatioCalibration, Measure] = {
    'none': _calibrated('none'),
    'eyes-muscle': _calibrated('eyes-muscle'),
    'csf-wm': _calibrated('csf-wm'),
}
