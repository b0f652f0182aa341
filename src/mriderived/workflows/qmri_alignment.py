"""Step ``qmri_alignment``: the images of a collection at one position and on one grid."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.contrast_alignment import align_contrast
from mriderived.core.masks import find_signal
from mriderived.core.rigid import COLUMNS, rigid_parameters
from mriderived.interfaces.motion_files import MATRIX
from mriderived.interfaces.qmri_acquisition import (
    QmriAcquisition,
    Setting,
    read_qmri_acquisition,
)
from mriderived.interfaces.qmri_images import load_setting, move
from mriderived.interfaces.series import save_series
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import save, voxel_size
from mriderived.measures.base import COLLECTION, Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.qmri_figures import draw_qmri_motion

#: An image on the grid of the reference that is displaced by less, in mm, stays as it is: what
#: interpolation smooths would cost more than what it mends.
LEAST_MM = 0.15
#: A larger displacement, in mm, is told.
FAR_MM = 10.0
#: In a slab that is thinner, in mm, motion cannot be told from what leaves it.
THIN_MM = 30.0
THIN = (
    'The images were not aligned with each other, but placed by their headers: their field of '
    f'view is less than {THIN_MM:g} mm along one axis.'
)
NEEDS = ('qmri_acquisition',)

Matrix = NDArray[np.float64]


class AlignmentFiles(NamedTuple):
    """The files that :func:`align_collection` writes."""

    qmri_series: Path
    qmri_reference: Path
    qmri_motion: Path


class _Place(NamedTuple):
    """Where an acquisition lies: from mm of the reference to mm of it, and how well that fits."""

    matrix: Matrix
    before: float
    after: float


def align_collection(qmri_acquisition: Path, threads: int = 1) -> AlignmentFiles:
    """Bring every image to the position of the reference, echoes of one acquisition together."""
    acquisition = read_qmri_acquisition(qmri_acquisition)
    reference, grid = load_setting(acquisition.settings[acquisition.reference])
    mask = find_signal(np.abs(reference))
    is_thin = bool((voxel_size(grid) * reference.shape < THIN_MM).any())
    groups = {setting.group for setting in acquisition.settings}
    places = (
        dict.fromkeys(groups, _Place(np.eye(4), np.nan, np.nan))
        if is_thin
        else _find_places(acquisition, np.abs(reference), grid, mask)
    )
    points = apply_affine(grid, np.argwhere(mask)[::97])
    table = _tabulate(acquisition, places, points, (reference.shape, grid))
    motion = Path.cwd() / 'motion.tsv'
    table.to_csv(motion, sep='\t', index=False, na_rep='n/a', float_format='%.9g')
    shares: list[float] = []
    volumes = _resample(acquisition, table, (reference.shape, grid), shares, threads)
    series = save_series(volumes, grid, reference.shape, len(table), 1.0, 'series.nii.gz')
    write_remarks(
        series,
        notes=[*_tell(acquisition, table), *([THIN] * (is_thin and len(groups) > 1))],
        NegativeSetToZeroShare=shares,
        **{key: list(values) for key, values in _describe(acquisition).items()},
    )
    return AlignmentFiles(series, save(reference, grid, 'reference.nii.gz'), motion)


def _describe(acquisition: QmriAcquisition) -> dict[str, tuple[Any, ...]]:
    names = {
        'EchoTime': 'echo_time', 'FlipAngle': 'flip_angle', 'InversionTime': 'inversion_time',
        'RepetitionTimeExcitation': 'repetition_time', 'MTState': 'mt',
    }  # fmt: skip
    found = {name: acquisition.values(key) for name, key in names.items()}
    return {name: values for name, values in found.items() if any(v is not None for v in values)}


def _find_places(
    acquisition: QmriAcquisition, reference: Any, grid: Matrix, mask: NDArray[np.bool_]
) -> dict[int, _Place]:
    """Find where every acquisition lies, each from the place of the one most like it before."""
    settings = acquisition.settings
    own = settings[acquisition.reference].group
    places = {own: _Place(np.eye(4), 1.0, 1.0)}
    start = np.eye(4)
    # settings are ordered by contrast, so that neighbours resemble each other
    groups = list(dict.fromkeys(setting.group for setting in settings))
    at = groups.index(own)
    for side in (groups[at + 1 :], groups[:at][::-1]):
        start = np.eye(4)
        for group in side:
            first = next(setting for setting in settings if setting.group == group)
            image, affine = load_setting(first)
            try:
                found = align_contrast(reference, grid, mask, np.abs(image), affine, start)
            except ValueError as error:
                raise ValueError(f'{first.path.name} and the reference: {error}') from error
            places[group] = _Place(found.matrix, found.before, found.after)
            start = found.matrix
    return places


def _tabulate(
    acquisition: QmriAcquisition,
    places: dict[int, _Place],
    points: Matrix,
    target: tuple[tuple[int, ...], Matrix],
) -> pd.DataFrame:
    """Return one row for each image."""
    rows = []
    for setting in acquisition.settings:
        place = places[setting.group]
        moved = apply_affine(place.matrix, points) - points
        displacement = float(np.sqrt((moved**2).sum(axis=1)).mean())
        parameters = rigid_parameters(place.matrix, points.mean(axis=0))
        is_moved = displacement >= LEAST_MM or not _has_grid(setting, target)
        rows.append([setting.path.name, setting.group, *parameters, displacement,
                     place.before, place.after, int(is_moved),
                     *place.matrix[:3].ravel()])  # fmt: skip
    names = ['image', 'acquisition', *COLUMNS, 'displacement', 'information_before',
             'information_after', 'resampled', *MATRIX]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _has_grid(setting: Setting, target: tuple[tuple[int, ...], Matrix]) -> bool:
    image = nb.load(setting.path)
    return image.shape[:3] == target[0] and bool(np.allclose(image.affine, target[1], atol=1e-3))


def _resample(
    acquisition: QmriAcquisition,
    table: pd.DataFrame,
    target: tuple[tuple[int, ...], Matrix],
    shares: MutableSequence[float],
    threads: int,
) -> Iterator[NDArray[np.float32]]:
    """Yield the images where the reference lies; ``shares`` gets how much of each was set to 0."""
    shape, grid = target
    for number, setting in enumerate(acquisition.settings):
        volume, affine = load_setting(setting)
        share = 0.0
        if table['resampled'].iloc[number]:
            matrix = np.eye(4)
            matrix[:3] = table.loc[number, list(MATRIX)].to_numpy(float).reshape(3, 4)
            volume = move(volume, affine, matrix, grid, shape, threads)
            if not setting.is_signed:  # splines ring below 0 beside the head
                share = np.count_nonzero(volume < 0) / volume.size
                np.maximum(volume, 0, out=volume)
        shares.append(round(share, 6))
        yield volume


def _tell(acquisition: QmriAcquisition, table: pd.DataFrame) -> list[str]:
    notes = list(acquisition.notes)
    far = table[table['displacement'] > FAR_MM]
    if len(far):
        notes.append(
            f'{len(far)} images lie more than {FAR_MM:g} mm off the reference '
            f'({far["image"].iloc[0]}): look at their alignment.'
        )
    return notes


def init_qmri_alignment_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(align_collection, NEEDS, threads=config.omp_nthreads)


def _columns() -> tuple[Column, ...]:
    shifts = [Column(name, 'Shift from the reference.', 'mm') for name in COLUMNS[:3]]
    turns = [Column(name, 'Turn from the reference.', 'rad') for name in COLUMNS[3:]]
    matrix = [
        Column(name, 'Of the matrix from RAS mm of the reference to RAS mm of the image.')
        for name in MATRIX
    ]
    return (
        Column('image', 'Name of the raw image.', ''),
        Column('acquisition', 'Number of the acquisition; images of one moved together.'),
        *shifts,
        *turns,
        Column('displacement', 'Mean displacement over the head.', 'mm'),
        Column('information_before', 'Normalised mutual information with the reference, less 1, '
               'as acquired.'),
        Column('information_after', 'The same after alignment.'),
        Column('resampled', '1 where the image was interpolated, 0 where it stayed as it was.'),
        *matrix,
    )  # fmt: skip


QMRI_ALIGNMENT = Measure(
    name='qmri_alignment',
    title='Alignment of quantitative MRI',
    needs=NEEDS,
    source='qmri',
    outputs=(
        Output(
            field='qmri_series',
            datatype='anat',
            suffix=COLLECTION,
            entities={'desc': 'preproc'},
            description=(
                'The images of the collection at the position and on the grid of the reference, '
                'in the order of the parameters beside.'
            ),
            unit='arbitrary',
            sidecar={'SkullStripped': False},
            draft='mriderived',
        ),
        Output(
            field='qmri_reference',
            datatype='anat',
            suffix=COLLECTION,
            entities={'desc': 'reference'},
            description='The image with which the others of the collection were aligned.',
            unit='arbitrary',
            sidecar={'SkullStripped': False},
            draft='mriderived',
        ),
        Output(
            field='qmri_motion',
            datatype='anat',
            suffix=COLLECTION,
            extension='.tsv',
            entities={'desc': 'motion'},
            description='Position of every image of the collection.',
            in_cohort=False,
            columns=_columns(),
            draft='mriderived',
        ),
    ),
    init_wf=init_qmri_alignment_wf,
    reference='https://doi.org/10.1016/S0031-3203(98)00091-0',
    methods=(
        'The images of a collection were aligned with one of them by normalised mutual '
        'information (Studholme et al. 1999, doi:10.1016/S0031-3203(98)00091-0) with six degrees '
        'of freedom, echoes of one acquisition together, and interpolated once by cubic splines.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='qmriMotion',
            draw=draw_qmri_motion,
            needs=('qmri_motion',),
            title='Motion between images',
            caption='Shifts and turns of every image from the reference, in the order of the '
            'series; echoes of one acquisition move together.',
            section='quality',
        ),
    ),
    minutes=0.3,
    memory_gb=2.0,
)
