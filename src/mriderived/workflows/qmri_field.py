"""Step ``qmri_field``: the transmit field (B1+) on the grid of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.contrast_alignment import align_contrast
from mriderived.core.filters import smooth
from mriderived.core.masks import find_signal
from mriderived.core.sampling import resample
from mriderived.core.transmit_field import as_percent
from mriderived.interfaces.qmri_acquisition import read_qmri_acquisition
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.transmit_maps import FieldMap, compute_field
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import COLLECTION, Figure, Measure, Output, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_registration import find_difference
from mriderived.workflows.qmri_alignment import THIN_MM
from mriderived.workflows.qmri_figures import draw_transmit_field

#: Width of the Gaussian that smooths fields, at half of its height, in mm.
FWHM_MM = 8.0
#: Less of the window of the Gaussian than this is no ground for a value.
LEAST_SHARE = 0.05
#: Displacements that are larger are not believed, in mm and radians.
MAX_SHIFT_MM, MAX_TURN = 15.0, 0.35
NEEDS = ('qmri_reference', 'qmri_mask', 'qmri_acquisition')

Matrix = NDArray[np.float64]


class FieldFiles(NamedTuple):
    """The files that :func:`map_field` writes."""

    qmri_b1: Path
    qmri_tb1map: Path


def map_field(
    qmri_reference: Path, qmri_mask: Path, qmri_acquisition: Path, threads: int = 1
) -> FieldFiles:
    """Compute the field, and bring it to the collection: aligned, smoothed and resampled."""
    acquisition = read_qmri_acquisition(qmri_acquisition)
    if acquisition.transmit_field is None:
        raise ValueError(acquisition.field_reason)
    found = compute_field(acquisition.transmit_field)
    image, grid = np.abs(load(qmri_reference)), load_affine(qmri_reference)
    matrix, placed = _align(found, image, grid)
    notes = [*found.notes, *placed]
    values, weights = smooth_transmit(found.values, voxel_size(found.affine), threads)
    to_field = np.linalg.inv(found.affine) @ matrix @ grid
    share = resample(weights, to_field, image.shape, threads)
    field = np.where(
        share > LEAST_SHARE,
        resample(values * weights, to_field, image.shape, threads) / np.maximum(share, 1e-6),
        0,
    ).astype(np.float32)
    inside = load(qmri_mask) > 0
    lost = int((inside & (field == 0)).sum())
    if lost:
        notes.append(
            f'{100 * lost / inside.sum():.1f} % of the mask has no value of the transmit field.'
        )
    metadata: dict[str, Any] = {
        'EstimationAlgorithm': found.algorithm,
        'EstimationReference': found.reference,
        'SmoothingFWHM': FWHM_MM,
        'VoxelsImplausible': found.counts['implausible'] + found.counts['no_solution'],
        'VoxelsWithoutValue': lost,
    }
    path = save(field, grid, 'b1.nii.gz')
    write_remarks(path, notes=notes, **metadata)
    percent = save(as_percent(field), grid, 'tb1map.nii.gz')
    write_remarks(percent, **metadata)
    return FieldFiles(path, percent)


def smooth_transmit(
    values: NDArray[np.float32], size: Matrix, threads: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the Gaussian mean of what is known of a field around each voxel, and how much is.

    The weights are 1 deep inside, and 0 where nothing is known.
    """
    known = np.isfinite(values)
    width = FWHM_MM / 2.3548 / size
    share = smooth(known.astype(np.float32), width, threads)
    total = smooth(np.where(known, values, 0).astype(np.float32), width, threads)
    return (total / np.maximum(share, 1e-6)).astype(np.float32), share


def _align(found: FieldMap, image: Any, grid: Matrix) -> tuple[Matrix, list[str]]:
    """Return the matrix from mm of the collection to mm of the field, and sentences on it."""
    if found.anatomy is None:
        return np.eye(4), ['The transmit field was placed by the headers of the images.']
    thin = [
        (voxel_size(affine) * shape < THIN_MM).any()
        for affine, shape in ((grid, image.shape), (found.affine, found.values.shape))
    ]
    if any(thin):
        return np.eye(4), ['The transmit field was placed by the headers: a slab is too thin.']
    mask = find_signal(image)
    try:
        matrix = align_contrast(image, grid, mask, found.anatomy, found.affine).matrix
    except ValueError as error:
        raise ValueError(f'the transmit field and the collection: {error}') from error
    centre = grid[:3, :3] @ np.argwhere(mask).mean(axis=0) + grid[:3, 3]
    moved, turn = find_difference(matrix, np.eye(4), centre)
    if moved > MAX_SHIFT_MM or turn > MAX_TURN:
        return np.eye(4), [
            f'The alignment of the transmit field moved it by {moved:.0f} mm and was not '
            'believed: it was placed by the headers of the images.'
        ]
    return matrix, []


def init_qmri_field_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(map_field, NEEDS, threads=config.omp_nthreads)


QMRI_FIELD = Measure(
    name='qmri_field',
    title='Transmit field of quantitative MRI',
    needs=NEEDS,
    source='qmri',
    scope=Scope(needs_transmit_field=True),
    outputs=(
        Output(
            field='qmri_b1',
            datatype='fmap',
            suffix='TB1map',
            entities={'space': COLLECTION, 'desc': 'ratio'},
            description='Transmit field over its nominal value; 0 where it is not known.',
            unit='1',
            sidecar={'SkullStripped': False},
        ),
        Output(
            field='qmri_tb1map',
            datatype='fmap',
            suffix='TB1map',
            entities={'space': COLLECTION},
            description='Transmit field in percent of its nominal value; 0 where it is not known.',
            unit='percent',
            sidecar={'SkullStripped': False},
        ),
    ),
    init_wf=init_qmri_field_wf,
    reference='https://doi.org/10.1006/jmra.1993.1133',
    methods=(
        'The transmit field (B1) was computed from two flip angles (Insko and Bolinger 1993, '
        'doi:10.1006/jmra.1993.1133) or two repetition times (Yarnykh 2007, '
        'doi:10.1002/mrm.21120), or taken from a map, smoothed with a Gaussian of 8 mm and '
        'resampled to the collection, where one belonged to it.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='qmriField',
            draw=draw_transmit_field,
            needs=('qmri_reference', 'qmri_mask', 'qmri_b1'),
            title='Transmit field',
            caption='The flip angle over its nominal value, over the reference of the collection. '
            'It varies slowly, and is most often highest in the middle of the head.',
            section='quality',
        ),
    ),
    minutes=0.2,
    memory_gb=1.5,
)
