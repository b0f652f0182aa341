"""The steps of BOLD, one after the other, on a run of which everything is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mriderived.bids.sidecar import write_json
from mriderived.config import Config
from mriderived.phantom.bold_truth import BoldTruth
from mriderived.phantom.truth import Truth
from mriderived.workflows.func_confounds import find_confounds
from mriderived.workflows.func_distortion import find_distortion
from mriderived.workflows.func_mask import mask_epi
from mriderived.workflows.func_motion import estimate_motion
from mriderived.workflows.func_registration import coregister
from mriderived.workflows.func_series import resample_bold
from mriderived.workflows.sources import find_sources


class Processed(NamedTuple):
    """The files of the steps, by the names of the resources, and the truth."""

    files: dict[str, Path]
    bold: BoldTruth
    head: Truth
    folder: Path


def process(folder: Path, truth: BoldTruth, head: Truth, label: str = '01') -> dict[str, Path]:
    """Run the steps one after the other; the tissues of the T1w are the true ones."""
    acquisition = folder / 'acquisition.json'
    write_json(acquisition, acquire(folder, label))
    moved = estimate_motion(truth.bold, 2)
    flat = find_distortion(moved.bold_distorted, acquisition, 2)
    tissues = (head.gm_probseg, head.wm_probseg, head.csf_probseg)
    anatomy = (head.t1w, head.brain_mask, *tissues[:2])
    fit = coregister(
        flat.bold_reference, moved.bold_distorted, flat.bold_displacement, acquisition, *anatomy
    )
    xfm = fit.xfm_to_t1w
    mask = mask_epi(flat.bold_reference, xfm, head.brain_mask).mask
    series = resample_bold(
        truth.bold, acquisition, moved.bold_motion, flat.bold_displacement, 2
    ).bold_preproc
    table = find_confounds(series, mask, moved.bold_motion, xfm, *tissues, 2).bold_confounds
    return {
        **moved._asdict(),
        **flat._asdict(),
        'xfm': xfm,
        'fit': fit.coregistration,
        'mask': mask,
        'series': series,
        'confounds': table,
    }


def acquire(folder: Path, label: str = '01') -> dict[str, Any]:
    """Return what is known of the only run of a participant."""
    sources = find_sources(Config(folder / 'bids', folder / 'out', folder / 'work'), label)
    (bold,) = (source for source in sources if source.image.suffix == 'bold')
    assert bold.fault == ''
    assert bold.lender == f'sub-{label}/anat/sub-{label}_T1w.nii.gz'
    return dict(bold.acquisition)
