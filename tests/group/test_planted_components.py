"""Two synthetic participants, from the raw runs to the components of the group.

Runs hold networks, motion, drift and noise of the scanner, but no pulsation. Voxels are
standardised, so that outside of the networks a map holds noise, whose variance falls with the
number of volumes, and is amplified by the planted correlations of the networks.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pytest
from cohort_outputs import make_config, write_description
from functional_outputs import BoldParticipant
from scipy import ndimage

from bold_steps import Processed, process
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
from planted_correlations import check_close, connect, tell

pytestmark = [pytest.mark.slow, pytest.mark.long]
VOXEL_MM = 4.5
OPTIONS = BoldOptions(
    voxel_mm=(VOXEL_MM,) * 3, volumes=240, motion_mm=0.5, motion_degrees=0.5, field_map='none',
    field=0.0, network_percent=2.5, csf_percent=0.0, white_percent=0.0, tsnr=150.0,
)  # fmt: skip
PARTICIPANTS = 2
#: All frequencies but the slowest, so that most degrees of freedom are left.
STRATEGY, BAND = '24P', (0.01, 0.25)
#: Of the voxels of a region, for correlations, so much is grey matter of the network.
PURE = 0.5
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


class Cohort(NamedTuple):
    """The maps of the components (first axis), and the run of the first participant."""

    maps: np.ndarray
    run: Processed


def write_participant(run: Processed, out_dir: Path, label: str) -> None:
    """Bring a run to the space and write what the group level reads of it."""
    space = get_space(DEFAULT_SPACE)
    head, files = run.head, run.files
    registered = register_to_space(
        head.t1w, head.brain_mask, head.gm_probseg, head.wm_probseg, space.brain, 2, True,
        space.tissues,
    )  # fmt: skip
    sampled = bring_to_space(
        run.bold.bold, run.folder / 'acquisition.json', files['bold_motion'],
        files['bold_displacement'], files['xfm'], registered.xfm_to_space, space.mask, 2,
    )  # fmt: skip
    denoised = denoise_in_space(
        sampled.bold_in_space, files['confounds'], space.mask, STRATEGY, BAND, 2
    ).bold_denoised_in_space
    person = BoldParticipant(out_dir, label)
    file = f'{person.stem}_space-{DEFAULT_SPACE}_res-2_desc-denoised_bold.nii.gz'
    save_output(denoised, str(out_dir / PurePosixPath(file)), {})
    person.add('denoised_in_space', DEFAULT_SPACE, outputs=[file]).write()


def process_participant(
    folder: Path, out_dir: Path, label: str, head: Truth, patch: pytest.MonkeyPatch
) -> Processed:
    """Take a run through all steps, each in a folder of its own where names are the same."""
    own = folder / label
    (own / 'space').mkdir(parents=True)
    (own / 'bids').symlink_to(folder / 'bids')
    truth = bold_truth(folder / 'bids', label)
    patch.chdir(own)
    run = Processed(process(own, truth, head, label), truth, head, own)
    files = {name: own / path for name, path in run.files.items()}
    run = run._replace(files=files)
    patch.chdir(own / 'space')
    write_participant(run, out_dir, label)
    return run


@pytest.fixture(scope='module')
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp('planted')
    out_dir = folder / 'out'
    write_description(out_dir)
    heads = write_dataset(
        folder / 'bids', participants=PARTICIPANTS, voxel_mm=2.0, bold=True,
        bold_options=OPTIONS, threads=2,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        runs = [
            process_participant(folder, out_dir, f'{place:02d}', head, patch)
            for place, head in enumerate(heads, start=1)
        ]
    config = make_config(out_dir, ica_components=len(NAMES), nprocs=2)
    result = run_group(config, (DENOISED_IN_SPACE,))
    assert result.warnings == ()
    image = nb.load(out_dir / GROUP)
    return Cohort(np.moveaxis(np.asarray(image.dataobj, np.float32), -1, 0), runs[0])


def test_planted_networks_are_components(cohort: Cohort) -> None:
    grid = read_space_grid(get_space(DEFAULT_SPACE).mask)
    mask = cohort.maps.any(axis=0)
    shares = draw_planted(mask, grid.affine)
    maps = cohort.maps[:, mask]
    r = np.corrcoef(maps, standardise(shares))[: len(maps), len(maps) :]
    best = np.abs(r).argmax(axis=0)
    assert len(set(best.tolist())) == len(NAMES)
    # maps have a variance of 1
    noise = maps[best][:, shares.max(axis=0) < 1e-3].var(axis=1)
    strongest = np.abs(r).max(axis=0)
    alike = strongest / np.sqrt(1 - noise)
    for row in zip(NAMES, strongest, noise, alike, strict=True):
        print('{}: r {:.3f}, share of noise {:.3f}, r without it {:.3f}'.format(*row))
    assert strongest.min() >= 0.9
    assert alike.min() >= 0.97
    assert alike.max() <= 1.03


@pytest.mark.parametrize('strategy', ['24P', '36P'])
def test_without_pulsation_no_component_is_needed(
    cohort: Cohort, strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted correlations come back within two hundredths of what is expected."""
    monkeypatch.chdir(tmp_path)
    found = connect(cohort.run, strategy, PURE)
    tell(f'no pulsation, {strategy}', found)
    check_close(found)
