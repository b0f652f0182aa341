"""Step ``dwi_denoising``: all parts of an acquisition as one series, without noise and ringing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.encodings import list_groups, take_volumes
from mriderived.core.gibbs import remove_ringing
from mriderived.core.masks import find_signal
from mriderived.core.mppca import LEAST_VOLUMES, denoise
from mriderived.interfaces.dwi_acquisition import DwiAcquisition, read_dwi_acquisition
from mriderived.interfaces.dwi_parts import join_scaled
from mriderived.interfaces.gradient_tables import save_fsl
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine, save
from mriderived.measures.base import Measure, Output
from mriderived.measures.one_node import one_node_wf

#: A smaller change of brightness is not worth a note.
LEAST_CHANGE = 0.01
NEEDS = ('raw_dwi', 'dwi_acquisition')
_NAME = {'desc': 'denoised'}


class DenoisedFiles(NamedTuple):
    """The files that :func:`denoise_dwi` writes."""

    dwi_denoised: Path
    dwi_noise: Path
    dwi_denoised_bval: Path
    dwi_denoised_bvec: Path


def denoise_dwi(raw_dwi: Path, dwi_acquisition: Path, threads: int = 1) -> DenoisedFiles:
    """Join the parts, remove noise by principal components, then Gibbs ringing."""
    acquisition = read_dwi_acquisition(dwi_acquisition)
    affine = load_affine(raw_dwi)
    series, gains = join_scaled(acquisition)
    notes = [*_tell_parts(acquisition), *_tell_gains(acquisition, gains)]
    head = np.zeros(series.shape[:3], bool)
    variance, counted = np.zeros(series.shape[:3], np.float32), 0
    for volumes in list_groups(acquisition.encoding):
        some, count = take_volumes(series, volumes), len(volumes)
        seen = _find_head(acquisition, some, volumes)
        head |= seen
        if count < LEAST_VOLUMES:
            notes.append(
                f'Noise was not removed: of {count} volumes principal components tell none.'
            )
            continue
        # shrinking what stays has the least squared error, but takes contrast away: FA falls by
        # 0.01 on average; in place, here and below: a series may be of gigabytes
        found = denoise(some, seen, shrink=False, threads=threads, in_place=True)
        if some is not series:
            series[..., volumes] = found.series
        variance += np.nan_to_num(found.sigma) ** 2 * np.float32(count)
        counted += count
    sigma = np.sqrt(variance / np.float32(max(counted, 1)))
    remove_ringing(series, acquisition.slice_axis, head, threads)
    path = save_series(
        (series[..., t] for t in range(series.shape[3])),
        affine, series.shape[:3], series.shape[3], acquisition.repetition_time, 'denoised.nii.gz',
    )  # fmt: skip
    factors = [float(gain) if np.isfinite(gain) else 'n/a' for gain in gains]
    write_remarks(path, notes=notes, **({'PartGains': factors} if len(factors) > 1 else {}))
    # another stem than that of the series, whose remarks are not theirs
    tables = save_fsl(acquisition.gradients, affine, 'table')
    return DenoisedFiles(path, save(sigma, affine, 'noise.nii.gz'), *tables)


def _tell_parts(acquisition: DwiAcquisition) -> Iterator[str]:
    """Say which files were joined, and what that means where they are distorted otherwise."""
    if len(acquisition.parts) < 2:
        return
    names = ', '.join(part.path.name for part in acquisition.parts)
    if not acquisition.encoding.any():
        yield f'{names} were joined (MultipartID).'
        return
    yield (
        f'{names} were joined: their phase encodings are opposite. Each was corrected in its own '
        'direction; volumes of the same weighting and direction were all kept.'
    )


def _tell_gains(acquisition: DwiAcquisition, gains: NDArray[np.float64]) -> Iterator[str]:
    """Say what parts were multiplied by, and of which that is not known."""
    named = [(part.path.name, gain) for part, gain in zip(acquisition.parts, gains, strict=True)]
    scaled = [f'{name} by {gain:.3f}' for name, gain in named if abs(gain - 1) > LEAST_CHANGE]
    if scaled:
        yield f'Brightness was multiplied to that of the first: {", ".join(scaled)}.'
    alone = [name for name, gain in named if np.isnan(gain)]
    if alone:
        yield (
            f'Whether {", ".join(alone)} has the brightness of the others is not known: it has no '
            'volume without diffusion weighting to compare.'
        )


def _find_head(
    acquisition: DwiAcquisition, series: NDArray[np.float32], volumes: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return the voxels of the head in the volumes of one phase encoding."""
    unweighted = acquisition.gradients.shell[volumes] == 0
    mean = series[..., unweighted if unweighted.any() else slice(None)].mean(axis=3)
    return find_signal(mean)


def init_dwi_denoising_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(denoise_dwi, NEEDS, threads=config.omp_nthreads)


DWI_DENOISING = Measure(
    name='dwi_denoising',
    title='Denoising of diffusion',
    needs=NEEDS,
    source='dwi',
    outputs=(
        Output(
            field='dwi_denoised',
            datatype='dwi',
            suffix='dwi',
            entities=_NAME,
            description=(
                'All parts of the acquisition as acquired, without most of the noise and of the '
                'Gibbs ringing.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': False},
        ),
        Output(
            field='dwi_noise',
            datatype='dwi',
            suffix='dwimap',
            entities={'model': 'mppca', 'param': 'sigma'},
            description='Standard deviation of the noise that was found; 0 outside the head.',
            unit='arbitrary',
            draft='BEP016',
        ),
        Output(
            field='dwi_denoised_bval',
            datatype='dwi',
            suffix='dwi',
            extension='.bval',
            entities=_NAME,
            description='b-values of the volumes, in s/mm^2.',
            draft='mriderived',
        ),
        Output(
            field='dwi_denoised_bvec',
            datatype='dwi',
            suffix='dwi',
            extension='.bvec',
            entities=_NAME,
            description=(
                'Directions of the volumes as acquired, before their axes are checked, along the '
                'axes of the voxels (the first one reversed where the determinant of the affine '
                'is positive).'
            ),
            draft='mriderived',
        ),
    ),
    init_wf=init_dwi_denoising_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2016.08.016',
    methods=(
        'Noise was removed from diffusion series by principal components of patches, whose number '
        'random-matrix theory tells (Veraart et al. 2016, doi:10.1016/j.neuroimage.2016.08.016), '
        'then Gibbs ringing by shifts of parts of a voxel (Kellner et al. 2016, '
        'doi:10.1002/mrm.26054).'
    ),
    is_preprocessing=True,
    minutes=1.5,
    memory_gb=4.0,
)
