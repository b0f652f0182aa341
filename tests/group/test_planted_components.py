"""Components of three synthetic participants, from the raw runs to the maps of the group.

Voxels are standardised, so that outside of the networks a map holds noise, whose variance falls
with the number of volumes. Of 360 volumes, it is a fifth to a half of the whole: what is planted
is told by the correlation that would be there without it.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import nibabel as nb
import numpy as np
import pytest
from cohort_outputs import make_config, write_description
from functional_outputs import BoldParticipant
from scipy import ndimage

from bold_steps import process
from mriderived.group.stage import run_group
from mriderived.interfaces.bold_spaces import STEP_MM, read_space_grid
from mriderived.interfaces.group_ica import SMOOTHING_MM
from mriderived.interfaces.sink import save_output
from mriderived.measures.denoised_space import DENOISED_IN_SPACE, denoise_in_space
from mriderived.phantom.anatomy import CSF, GM, LEVEL, WM, load_anatomy
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.dataset import bold_truth, write_dataset
from mriderived.phantom.networks import NAMES, label_networks
from mriderived.phantom.truth import Truth
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.workflows.anat_registration import register_to_space
from mriderived.workflows.func_spaces import bring_to_space

pytestmark = pytest.mark.slow
VOXEL_MM = 4.0
OPTIONS = BoldOptions(
    voxel_mm=(VOXEL_MM,) * 3, volumes=120, motion_mm=0.5, motion_degrees=0.5, field_map='none',
    field=0.0,
)  # fmt: skip
#: Four minutes leave too few degrees of freedom in the usual band.
STRATEGY, BAND = '24P+aCompCor', (0.01, 0.25)
#: The networks, and what pulsates.
COMPONENTS = 7
STEM = f'tpl-{DEFAULT_SPACE}_task-rest_res-2_desc-canica_components.nii.gz'
GROUP = f'tpl-{DEFAULT_SPACE}/func/{STEM}'


def draw_planted(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return how much of each voxel of the mask is grey matter of each network (first axis).

    It is as smooth as the maps: by the voxels of the run, and by what the group level adds.
    """
    anatomy, inside = load_anatomy(), np.argwhere(ndimage.binary_dilation(mask, iterations=3))
    shares = np.zeros((len(NAMES), *mask.shape), np.float32)
    for corner in np.ndindex(2, 2, 2):
        voxels = inside + (np.array(corner) - 0.5) / 2
        points = voxels @ affine[:3, :3].T + affine[:3, 3]
        places = ((points - anatomy.origin) / anatomy.spacing).T
        seen = [
            ndimage.map_coordinates(anatomy.brain[..., channel], places, order=1)
            for channel in (LEVEL, GM, WM, CSF)
        ]
        is_grey = (seen[0] > 0) & (seen[1] > seen[2]) & (seen[1] > seen[3])
        labels = np.where(is_grey, label_networks(points), 0)
        for number in range(len(NAMES)):
            shares[number][tuple(inside.T)] += (labels == number + 1) / 8
    for share in shares:
        share[:] = ndimage.uniform_filter(share, round(VOXEL_MM / STEP_MM) + 1)
        share[:] = ndimage.gaussian_filter(share, SMOOTHING_MM / 2.355 / STEP_MM)
    return shares[:, mask]


def standardise(shares: np.ndarray) -> np.ndarray:
    """Return the part of the standard deviation of voxels that the networks make."""
    signal = OPTIONS.network_percent * shares
    width = SMOOTHING_MM / 2.355 / VOXEL_MM
    noise = 100 / OPTIONS.tsnr / (np.sqrt(4 * np.pi) * width) ** 1.5
    return np.asarray(signal / np.hypot(signal, noise))


def write_participant(folder: Path, out_dir: Path, label: str, head: Truth) -> None:
    """Take a run through all steps and write what the group level reads of it."""
    space = get_space(DEFAULT_SPACE)
    truth = bold_truth(folder / 'bids', label)
    files = process(folder, truth, head, label)
    registered = register_to_space(
        head.t1w, head.brain_mask, head.gm_probseg, head.wm_probseg, space.brain, 2, True,
        space.tissues,
    )  # fmt: skip
    sampled = bring_to_space(
        truth.bold, folder / 'acquisition.json', files['bold_motion'],
        files['bold_displacement'], files['xfm'], registered.xfm_to_space, space.mask, 2,
    )  # fmt: skip
    denoised = denoise_in_space(
        sampled.bold_in_space, files['confounds'], space.mask, STRATEGY, BAND, 2
    ).bold_denoised_in_space
    person = BoldParticipant(out_dir, label)
    file = f'{person.stem}_space-{DEFAULT_SPACE}_res-2_desc-denoised_bold.nii.gz'
    save_output(denoised, str(out_dir / PurePosixPath(file)), {})
    person.add('denoised_in_space', DEFAULT_SPACE, outputs=[file]).write()


@pytest.fixture(scope='module')
def maps(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = tmp_path_factory.mktemp('planted')
    out_dir = folder / 'out'
    write_description(out_dir)
    with pytest.MonkeyPatch.context() as patch:
        heads = write_dataset(
            folder / 'bids', participants=3, voxel_mm=2.0, bold=True, bold_options=OPTIONS,
            threads=2,
        )  # fmt: skip
        for place, head in enumerate(heads, start=1):
            label = f'{place:02d}'
            own = folder / label
            own.mkdir()
            (own / 'bids').symlink_to(folder / 'bids')
            patch.chdir(own)
            write_participant(own, out_dir, label, head)
    config = make_config(out_dir, ica_components=COMPONENTS, nprocs=2)
    result = run_group(config, (DENOISED_IN_SPACE,))
    assert result.warnings == ()
    image = nb.load(out_dir / GROUP)
    return np.moveaxis(np.asarray(image.dataobj, np.float32), -1, 0)


def test_planted_networks_are_components(maps: np.ndarray) -> None:
    grid = read_space_grid(get_space(DEFAULT_SPACE).mask)
    mask = maps.any(axis=0)
    shares = draw_planted(mask, grid.affine)
    maps_of = maps[:, mask]
    r = np.corrcoef(maps_of, standardise(shares))[: len(maps), len(maps) :]
    best = np.abs(r).argmax(axis=0)
    assert len(set(best.tolist())) == len(NAMES)
    # maps have a variance of 1
    noise = maps_of[best][:, shares.max(axis=0) < 1e-3].var(axis=1)
    strongest = np.abs(r).max(axis=0)
    alike = strongest / np.sqrt(1 - noise)
    for row in zip(NAMES, strongest, noise, alike, strict=True):
        print('{}: r {:.3f}, share of noise {:.3f}, r without it {:.3f}'.format(*row))
    assert strongest.min() >= 0.7
    assert alike.min() >= 0.95
    assert alike.max() <= 1.05
