"""The step ``atlas`` on a small head with a known atlas, and on a real one."""

from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.figures.overlays import region_colours
from mriderived.interfaces.transforms import affine_transform, write_composite
from mriderived.measures.regional_volume import tabulate_regions
from mriderived.workflows.anat_atlas import (
    AtlasFiles,
    label_regions,
)
from mriderived.workflows.anat_atlas_figure import (
    MOST_NAMED,
    TOLD_APART,
    draw_regions,
    name_largest,
)
from mriderived.workflows.anat_structures import label_structures

AFFINE = np.array([[1.0, 0, 0, -24], [0, 1, 0, -24], [0, 0, 1, -24], [0, 0, 0, 1]])
#: Voxels whose centre is less than 5 mm from the middle.
CORE = 485
TABLE = """index\tname\themisphere\ttissue\tcomposition
11\tleft shell\tL\tcortex\tgm
12\tright shell\tR\tcortex\tgm
13\tcore\tboth\tbrainstem\tgm+wm
14\tfar away\tR\tsubcortex\tgm
"""


def write(folder: Path, name: str, data: np.ndarray) -> Path:
    path = folder / f'{name}.nii.gz'
    nb.Nifti1Image(data, AFFINE).to_filename(path)
    return path


@pytest.fixture
def head(tmp_path: Path) -> dict[str, Path]:
    """A white ball in a grey shell; the atlas's shell is thinner and its core is known."""
    x, y, z = np.indices((49, 49, 49)) - 24.0
    radius = np.sqrt(x**2 + y**2 + z**2)
    parts = {
        'gm': (radius >= 12) & (radius < 16),
        'wm': radius < 12,
        'csf': (radius >= 16) & (radius < 18),
    }
    atlas = np.where((radius > 13) & (radius < 15), np.where(x < 0, 11, 12), 0)
    atlas[radius < 5] = 13
    table = tmp_path / 'table.tsv'
    table.write_text(TABLE)
    files = {k: write(tmp_path, k, v.astype(np.float32)) for k, v in parts.items()}
    files['mask'] = write(tmp_path, 'mask', (radius < 18).astype(np.uint8))
    files['t1w'] = write(tmp_path, 't1w', (3.0 * parts['wm'] + 2 * parts['gm']))
    files['atlas'] = write(tmp_path, 'atlas', atlas.astype(np.int32))
    (tmp_path / 'structures.tsv').write_text('index\tname\tagreement\n3\tcortex\t1.0\n')
    files['structures'] = write(tmp_path, 'structures', np.zeros(radius.shape, np.int32))
    files['lesions'] = write(tmp_path, 'lesions', np.zeros(radius.shape, np.uint8))
    return files | {'table': table}


def tmp_table(head: dict[str, Path]) -> Path:
    return head['structures'].with_name('structures.tsv')


def run(head: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> AtlasFiles:
    folder.mkdir()
    monkeypatch.chdir(folder)
    xfm = write_composite([affine_transform(np.eye(4))], 'xfm.h5')
    tissues = [head[name] for name in ('gm', 'wm', 'csf')]
    structures = (head['structures'], tmp_table(head))
    given = (head['t1w'], head['mask'], *tissues, xfm, *structures)
    return label_regions(*given, head['lesions'], head['atlas'], head['table'])


def test_regions_fill_the_shell(head, tmp_path, monkeypatch) -> None:
    found = run(head, tmp_path / 'node', monkeypatch)
    labels = np.asarray(nb.load(found.atlas_dseg).dataobj)
    grey = np.asarray(nb.load(head['gm']).dataobj) > 0.5
    x = np.arange(49) - 24
    assert (np.isin(labels, (11, 12)) == grey).all()
    assert set(labels[x < 0][grey[x < 0]]) == {11}
    assert set(labels[x > 0][grey[x > 0]]) == {12}
    table = pd.read_csv(found.atlas_labels, sep='\t')
    assert table['coverage'].tolist() == [1, 1, 1, 1]
    (figure,) = draw_regions(head['t1w'], found.atlas_dseg, found.atlas_labels)
    # The third region has no voxel here.
    texts = [text.get_text() for text in figure.texts]
    assert texts[0] == '2 of 3 regions are named below'
    assert texts[-2:] == ['shell', 'core']


def test_named_regions_are_large_and_their_colours_differ() -> None:
    names = {k: f'ctx-{k}' for k in range(1, 61)}
    names[61], names[62] = '17Networks_Vis_1', 'ctx-60'
    colours = region_colours(names)
    regions = np.repeat(np.arange(1, 63), np.arange(1, 63)).astype(np.int32)
    named = name_largest(regions, names, colours)
    assert 10 <= len(named) <= MOST_NAMED
    # The two halves of a pair count together, so 60 (with 62) is the largest.
    assert list(named.items())[:2] == [(60, '60'), (61, 'Vis_1')]
    chosen = np.array([colours[index] for index in named])
    steps = np.linalg.norm(chosen[:, None] - chosen[None], axis=2)
    assert steps[np.triu_indices(len(chosen), 1)].min() > TOLD_APART


def test_volumes_are_those_of_the_shell(head, tmp_path, monkeypatch) -> None:
    found = run(head, tmp_path / 'node', monkeypatch)
    tissues = [head[name] for name in ('gm', 'wm', 'csf')]
    morph = tabulate_regions(*tissues, found.atlas_dseg, found.atlas_labels).regional_morph
    table = pd.read_csv(morph, sep='\t').set_index('index')
    shell = 4 / 3 * np.pi * (16**3 - 12**3)
    assert table.loc[[11, 12], 'volume'].sum() == pytest.approx(shell, rel=0.01)
    assert table.loc[13, 'volume'] == CORE
    assert np.isnan(table.loc[14, 'volume'])


def test_a_mirrored_head_has_its_sides_exchanged(head, tmp_path, monkeypatch) -> None:
    """Everything turned over but the atlas; the head is not symmetric."""
    grey = np.asarray(nb.load(head['gm']).dataobj)
    grey[30:36, 20:30] = 0
    write(tmp_path, 'gm', grey)
    straight = np.asarray(nb.load(run(head, tmp_path / 'a', monkeypatch).atlas_dseg).dataobj)
    for name in ('gm', 'wm', 'csf', 'mask', 't1w'):
        write(tmp_path, name, np.asarray(nb.load(head[name]).dataobj)[::-1])
    turned = np.asarray(nb.load(run(head, tmp_path / 'b', monkeypatch).atlas_dseg).dataobj)[::-1]
    off_middle = np.arange(49) != 24
    exchange = {11: 12, 12: 11}
    for here, there in exchange.items():
        assert ((straight == here) == (turned == there))[off_middle].all()
    assert (straight == 12).sum() != (straight == 11).sum()


def test_an_image_that_misses_a_part_says_so(head, tmp_path, monkeypatch) -> None:
    for name in ('gm', 'wm', 'csf', 'mask', 't1w', 'lesions'):
        write(tmp_path, name, np.asarray(nb.load(head[name]).dataobj)[:24])
    found = run(head, tmp_path / 'node', monkeypatch)
    coverage = pd.read_csv(found.atlas_labels, sep='\t').set_index('index')['coverage']
    assert coverage[11] > 0.95
    assert coverage[12] == 0
    assert 0.35 < coverage[13] < 0.65


@pytest.mark.real
@pytest.mark.slow
def test_a_real_head_agrees_with_freesurfer(test_data, tmp_path, monkeypatch) -> None:
    """With FreeSurfer's own tissues, so that only registration and labels are judged."""
    from mriderived.spaces import DEFAULT_SPACE, get_atlas, get_space, prepare_atlas
    from mriderived.workflows.anat_registration import register_to_space

    folder = test_data / 'aomic' / 'derivatives' / 'freesurfer' / 'sub-0001' / 'mri'
    image, reference = (
        nb.as_closest_canonical(nb.load(path))
        for path in (next((test_data / 'aomic').rglob('*_T1w.nii.gz')),
                     folder / 'aparc+aseg.nii.gz')
    )  # fmt: skip
    truth = np.asarray(reference.dataobj).astype(int)
    brain = np.asarray(nb.as_closest_canonical(nb.load(folder / 'brainmask.nii.gz')).dataobj) > 0
    white = np.isin(truth, (2, 41, 7, 46, 16, 77, 85, 13, 52, 28, 60, *range(251, 256)))
    fluid = np.isin(truth, (0, 4, 5, 14, 15, 24, 43, 44))
    parts = {'wm': white, 'csf': fluid, 'gm': ~white & ~fluid}
    files = {}
    for name, data in (*parts.items(), ('mask', brain), ('t1w', np.asarray(image.dataobj))):
        data = data if name == 't1w' else data & brain
        files[name] = tmp_path / f'{name}.nii.gz'
        nb.Nifti1Image(data.astype(np.float32), reference.affine).to_filename(files[name])
    monkeypatch.chdir(tmp_path)
    space = get_space(DEFAULT_SPACE)
    given = (files['t1w'], files['mask'], files['gm'], files['wm'])
    xfm = register_to_space(*given, space.brain, 2, False, space.tissues).xfm_from_space
    atlas = get_atlas('DesikanKilliany')
    source = (prepare_atlas(atlas, tmp_path), atlas.table)
    lesions = tmp_path / 'lesions.nii.gz'
    nb.Nifti1Image(np.zeros(brain.shape, np.uint8), reference.affine).to_filename(lesions)
    refined = label_structures(*given, files['csf'], xfm, lesions, *source, threads=2)
    found = label_regions(*given, files['csf'], xfm, *refined, lesions, *source)
    structures = np.asarray(nb.load(refined.structures_dseg).dataobj)
    ours = np.asarray(nb.load(found.atlas_dseg).dataobj)
    cortex = [base + i for base in (1000, 2000) for i in range(1, 36) if i != 4]
    overlap = [dice(ours == i, truth == i) for i in cortex]
    is_gyrus = ours >= 1000
    assert (is_gyrus == np.isin(structures, (3, 42))).all()
    assert (ours[~is_gyrus] == structures[~is_gyrus]).all()
    volumes = [((ours == i).sum(), (truth == i).sum()) for i in cortex]
    assert np.mean(overlap) > 0.75
    assert np.corrcoef(np.transpose(volumes))[0, 1] > 0.96
    for pair, least in (((10, 49), 0.82), ((11, 50), 0.78), ((17, 53), 0.75)):
        assert np.mean([dice(ours == i, truth == i) for i in pair]) > least


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))
