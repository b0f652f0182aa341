"""Steps by networks, end to end on a synthetic head, with networks of ours in place of theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ants
import nibabel as nb
import numpy as np
import pytest

from mriderived.interfaces.network_weights import (
    NO_GREY,
    PATCHES,
    VARIABLE,
    WHOLE,
    digest_weights,
)
from mriderived.interfaces.space_files import load_template
from mriderived.interfaces.volumes import load, save
from mriderived.phantom.head import Head, HeadOptions, draw_head
from mriderived.spaces import DEFAULT_SPACE, get_space
from mriderived.workflows import anat_network_registration
from mriderived.workflows.anat_network_registration import register_to_space_by_network
from mriderived.workflows.anat_network_tissue import _notes, segment_t1w_by_networks
from mriderived.workflows.anat_tissue import TissueFiles
from network_fakes import write_fakes

slow = pytest.mark.slow


class Scan(NamedTuple):
    head: Head
    t1w: Path
    brain_mask: Path
    files: TissueFiles


@pytest.fixture(scope='module')
def scan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scan]:
    """Return a head at 2 mm, and what the step made of it."""
    folder, before = tmp_path_factory.mktemp('networks'), Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(write_fakes(folder / 'models')))
        os.chdir(folder)
        head = draw_head(HeadOptions(voxel_mm=(2, 2, 2), bias=0.0, warp=0.0), 2)
        t1w = save(head.t1w.astype(np.float32), head.affine, 't1w.nii.gz')
        mask = save(head.brain_mask.astype(np.uint8), head.affine, 'brain_mask.nii.gz')
        yield Scan(head, t1w, mask, segment_t1w_by_networks(t1w, mask, 'cpu', 2))
        os.chdir(before)


@slow
def test_fractions_are_sane_and_near_the_truth(scan: Scan) -> None:
    mask, truth = scan.head.brain_mask, scan.head.counts / scan.head.cells
    parts = [load(path) for path in scan.files[:3]]
    assert np.abs(sum(parts)[mask] - 1).max() < 1e-5
    assert all((part[~mask] == 0).all() and part.min() >= 0 for part in parts)
    for part, true, least in zip(parts, truth, (0.90, 0.96, 0.94), strict=True):
        assert np.corrcoef(part[mask], true[mask])[0, 1] > least
    for path in scan.files[:3]:
        assert np.allclose(nb.load(path).affine, scan.head.affine)


@slow
def test_the_other_files_follow_from_the_fractions(scan: Scan) -> None:
    gm, wm, csf = (load(path) for path in scan.files[:3])
    assert np.allclose(load(scan.files.tissue_map), csf + 2 * gm + 3 * wm, atol=1e-5)
    labels = load(scan.files.dseg, int)
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    assert np.array_equal(labels > 0, scan.head.brain_mask)
    assert scan.files.dseg_labels.read_text().splitlines()[3].startswith('3\tcerebrospinal')
    remarks = json.loads(scan.files.tissue_map.with_name('tissue_map.remarks.json').read_text())
    assert remarks['NetworkWeightsSHA256'] == digest_weights((WHOLE, *PATCHES, NO_GREY))
    assert remarks['NetworkBackground'] < 0.01
    assert remarks['Notes'] == []


@slow
def test_registration_without_a_warp_is_the_affine(scan: Scan) -> None:
    space = get_space(DEFAULT_SPACE)
    assert space.tissues is not None
    found = register_to_space_by_network(
        scan.t1w, scan.brain_mask, scan.files.gm_probseg, scan.files.wm_probseg, space.brain,
        'cpu', 2, False, space.tissues,
    )  # fmt: skip
    template = load_template(space.brain, space.tissues, 2)
    grid = save(np.zeros(template.brain.shape, np.float32), template.affine, 'grid.nii.gz')
    moved = ants.apply_transforms(
        ants.image_read(str(grid)), ants.image_read(str(scan.files.wm_probseg)),
        transformlist=[str(found.xfm_to_space)],
    ).numpy()  # fmt: skip
    # the head is the template itself, brought elsewhere by an affine transform
    assert np.corrcoef(moved.ravel(), template.tissues[1].ravel())[0, 1] > 0.9
    back = ants.apply_transforms(
        ants.image_read(str(scan.t1w)), ants.from_numpy(moved, *_geometry(grid)),
        transformlist=[str(found.xfm_from_space)],
    ).numpy()  # fmt: skip
    assert np.corrcoef(back.ravel(), load(scan.files.wm_probseg).ravel())[0, 1] > 0.95
    change = np.exp(load(found.log_jacobian))
    # zoom 0.93 by 0.93 by 0.93, and what differs between the two brain templates
    assert change.std() < 1e-4
    assert 0.7 < change.mean() < 0.95


def _geometry(path: Path) -> tuple[list[float], list[float], np.ndarray]:
    image = ants.image_read(str(path))
    return list(image.origin), list(image.spacing), image.direction


def test_another_space_is_reached_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(
        anat_network_registration, 'register_to_space', lambda *args: calls.append(args)
    )
    other = tmp_path / 'tissues.nii.gz'
    other.write_bytes(b'')
    places = [tmp_path / name for name in ('t1w', 'mask', 'gm', 'wm', 'brain')]
    for tissues in (other, None):
        register_to_space_by_network(*places, 'cpu', 2, True, tissues)
    assert calls == [(*places, 2, True, other, None), (*places, 2, True, None, None)]


def test_background_in_the_brain_is_noted() -> None:
    assert _notes(0.01) == []
    assert _notes(0.053) == [
        'The networks take 5.3% of the brain mask for background; it is CSF here.'
    ]
