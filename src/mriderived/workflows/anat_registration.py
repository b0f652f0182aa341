"""Step ``registration``: the mapping between a T1w image and a space, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.affine import Brain
from mriderived.core.diffeomorphism import Schedule
from mriderived.core.registration import SLOPPY, Alignment, align, to_template, volume_change
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.space_files import load_template
from mriderived.interfaces.transforms import affine_transform, field_transform, write_composite
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_figures import draw_registration

#: Grey matter of well-registered adults overlaps with the template's by 0.82 to 0.87; of brains
#: that lie 8 mm apart, by 0.57 to 0.62. Below the first, look; below the second, it failed.
DOUBTFUL, FAILED = 0.74, 0.6
#: Images that are sampled on the grid of the mapping, and the template they go to.
NEEDS = ('t1w', 'brain_mask', 'gm_probseg', 'wm_probseg', 'space_brain', 'space_tissues')


class Overlap(NamedTuple):
    """How well the tissues of an image lie on those of the template (soft Dice)."""

    grey: float
    white: float


class RegistrationFiles(NamedTuple):
    """What the step writes."""

    xfm_to_space: Path
    xfm_from_space: Path
    t1w_in_space: Path
    log_jacobian: Path


def register_to_space(
    t1w: Path,
    brain_mask: Path,
    gm_probseg: Path,
    wm_probseg: Path,
    space_brain: Path,
    threads: int,
    sloppy: bool,
    space_tissues: Path | None = None,
) -> RegistrationFiles:
    """Align an image with the brain template of a space."""
    data, affine = load(t1w), load_affine(t1w)
    brain = Brain(np.where(load(brain_mask, bool), data, 0).astype(np.float32), affine)
    template = load_template(space_brain, space_tissues, threads)
    tissues = (
        np.stack([load(gm_probseg), load(wm_probseg)]) if template.tissues is not None else None
    )
    found = align(template, brain, tissues, SLOPPY if sloppy else Schedule(), threads)
    overlap = None
    if tissues is not None and template.tissues is not None:
        warped = [to_template(tissue, affine, found, threads) for tissue in tissues]
        overlap = Overlap(*map(soft_dice, warped, template.tissues))
        if overlap.grey < FAILED and not sloppy:
            raise ValueError(
                f'the registration to the space failed: grey matter overlaps with that of the '
                f'template by {overlap.grey:.2f} (usual: 0.8 to 0.9); look at the brain mask and '
                'the tissues in the report'
            )
    return write_alignment(found, data, brain, threads, overlap)


def write_alignment(
    found: Alignment,
    data: NDArray[np.float32],
    brain: Brain,
    threads: int,
    overlap: Overlap | None = None,
) -> RegistrationFiles:
    """Write the mapping between the image ``data``, of which ``brain`` is a part, and a space."""
    change = volume_change(found, threads)
    forward = field_transform(found.warp.fixed_to_moving, found.grid)
    backward = field_transform(found.warp.moving_to_fixed, found.grid)
    inverse = np.asarray(np.linalg.inv(found.affine), dtype=np.float64)
    t1w_in_space = save(
        to_template(data, brain.affine, found, threads), found.grid, 't1w_in_space.nii.gz'
    )
    is_stripped = not (data[brain.data == 0] != 0).any()
    write_remarks(t1w_in_space, SkullStripped=is_stripped, **_describe(overlap))
    notes = []
    if overlap is not None and overlap.grey < DOUBTFUL:
        notes.append(
            f'The registration is doubtful: grey matter overlaps with that of the template by '
            f'{overlap.grey:.2f} (usual: 0.8 to 0.9).'
        )
    log_jacobian = save(np.log(change), found.grid, 'log_jacobian.nii.gz')
    if found.warp.mended:
        notes.append(f'The mapping was smoothed where it folded: {found.warp.mended} voxels.')
    write_remarks(
        log_jacobian,
        notes=notes,
        **({'MendedVoxels': found.warp.mended} if found.warp.mended else {}),
    )
    return RegistrationFiles(
        write_composite([forward, affine_transform(found.affine)], 'to_space.h5'),
        write_composite([affine_transform(inverse), backward], 'from_space.h5'),
        t1w_in_space,
        log_jacobian,
    )


def soft_dice(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the overlap of two maps of fractions: 1 where they are the same."""
    total = float(first.sum(dtype=np.float64) + second.sum(dtype=np.float64))
    shared = float(np.minimum(first, second).sum(dtype=np.float64))
    return 2 * shared / total if total > 0 else 0.0


def _describe(overlap: Overlap | None) -> dict[str, Any]:
    if overlap is None:
        return {}
    return {'TissueOverlap': {'GM': round(overlap.grey, 4), 'WM': round(overlap.white, 4)}}


def init_registration_wf(config: Config) -> Any:
    """Build the workflow of the step ``registration``."""
    return one_node_wf(register_to_space, NEEDS, threads=config.omp_nthreads, sloppy=config.sloppy)


REGISTRATION = Measure(
    name='registration',
    title='Registration',
    needs=NEEDS,
    outputs=(
        Output(
            field='xfm_to_space',
            datatype='anat',
            suffix='xfm',
            extension='.h5',
            entities={'from': 'T1w', 'to': '*', 'mode': 'image'},
            description='Composite transform that brings images from the T1w to the space.',
            draft='BEP014',
        ),
        Output(
            field='xfm_from_space',
            datatype='anat',
            suffix='xfm',
            extension='.h5',
            entities={'from': '*', 'to': 'T1w', 'mode': 'image'},
            description='Composite transform that brings images from the space to the T1w.',
            draft='BEP014',
        ),
        Output(
            field='t1w_in_space',
            datatype='anat',
            suffix='T1w',
            entities={'desc': 'preproc'},
            description='Preprocessed T1w on the grid of the space (linear interpolation).',
            unit='arbitrary',
        ),
        Output(
            field='log_jacobian',
            datatype='anat',
            suffix='jacobian',
            entities={'desc': 'log'},
            description='Natural logarithm of the volume in the T1w that a unit of volume in the '
            'space stands for (affine and warp together).',
            unit='1',
            sidecar={'SkullStripped': True},
            draft='mriderived',
        ),
    ),
    init_wf=init_registration_wf,
    reference='https://doi.org/10.1016/j.media.2007.06.004',
    methods=(
        'Images were registered to each space with a 12-parameter affine transform and symmetric '
        'diffeomorphic normalisation (Avants et al. 2008, doi:10.1016/j.media.2007.06.004) driven '
        'by the local correlation of the T1w and, where the space has tissue maps, of grey and '
        'white matter.'
    ),
    over='space',
    is_preprocessing=True,
    figures=(
        Figure(
            name='registration',
            draw=draw_registration,
            needs=('t1w_in_space', 'space_brain', 'space_tissues'),
            title='Registration',
            caption='The image in the space and the template of the space, by turns, with '
            'outlines of the template: the outer border of grey matter (or of the brain, where '
            'the space has no tissues) in amber, the border of white matter in blue.',
            section='registration',
        ),
    ),
    minutes=0.5,
    memory_gb=3.0,
)
