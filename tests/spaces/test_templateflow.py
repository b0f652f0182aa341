"""TemplateFlow: a filled folder is enough, an empty one without network says what to do."""

import socket
from pathlib import Path

import nibabel as nb
import numpy as np
import pytest

from mriderived.spaces import DEFAULT_SPACE, UnavailableError, prepare_atlas, registry
from mriderived.spaces.labels import read_table
from mriderived.spaces.model import FSL_SPACE

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError('no network in this test')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    monkeypatch.setattr(socket, 'getaddrinfo', refuse)
    registry.get_space.cache_clear()
    registry.get_atlas.cache_clear()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('TEMPLATEFLOW_HOME', str(tmp_path / 'flow'))
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    return tmp_path / 'flow'


def write(home: Path, name: str, data: np.ndarray) -> Path:
    path = home / name.split('_')[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.Nifti1Image(data, AFFINE).to_filename(path)
    return path


def fill(home: Path, space: str = 'XYZ') -> None:
    head = np.arange(1, 217, dtype=np.float32).reshape(6, 6, 6)
    mask = np.zeros((6, 6, 6), np.uint8)
    mask[1:5, 1:5, 1:5] = 1
    for resolution in ('01', '02'):
        stem = f'tpl-{space}_res-{resolution}'
        write(home, f'{stem}_T1w.nii.gz', head * int(resolution))
        write(home, f'{stem}_desc-brain_mask.nii.gz', mask)
    labels = np.where(mask, 5, 0).astype(np.int16)
    write(home, f'tpl-{space}_res-01_atlas-Toy_desc-2Parcels_dseg.nii.gz', labels)
    table = home / f'tpl-{space}' / f'tpl-{space}_atlas-Toy_desc-2Parcels_dseg.tsv'
    table.write_text('index\tname\n5\tToy_LH_one\n6\tToy_RH_two\n')
    (home / f'tpl-{space}' / 'template_description.json').write_text(
        '{"Name": "A toy", "License": "CC0", "ReferencesAndLinks": ["https://doi.org/10.1/x"]}'
    )


def test_a_space_from_a_filled_folder(home: Path) -> None:
    fill(home)
    space = registry.get_space('XYZ')
    brain = np.asarray(nb.load(space.brain).dataobj)
    assert brain[0].max() == 0
    assert brain[2, 2, 2] == 87  # the finer of two resolutions, inside the mask
    assert (space.title, space.licence, space.reference) == (
        'A toy', 'CC0', 'https://doi.org/10.1/x',
    )  # fmt: skip
    assert space.tissues is None
    assert space.mask is not None


def test_an_atlas_from_a_filled_folder(home: Path, tmp_path: Path) -> None:
    fill(home)
    atlas = registry.get_atlas('Toy:tpl-XYZ_desc-2Parcels')
    assert atlas.space == 'XYZ'
    assert atlas.entities == {'atlas': 'Toy', 'seg': '2Parcels'}
    labels = np.asarray(nb.load(prepare_atlas(atlas, tmp_path / 'made')).dataobj)
    assert set(np.unique(labels)) == {0, 5}


def test_an_atlas_in_the_default_space_needs_no_space_named(home: Path) -> None:
    fill(home, DEFAULT_SPACE)
    assert registry.get_atlas('Toy:desc-2Parcels').space == DEFAULT_SPACE


def test_entities_must_match_all(home: Path) -> None:
    fill(home)
    with pytest.raises(UnavailableError, match=r'no image of the atlas Toy:tpl-XYZ in XYZ'):
        registry.get_atlas('Toy:tpl-XYZ')


def test_unknown_to_templateflow(home: Path) -> None:
    with pytest.raises(UnavailableError, match=r'no brain mask of the space Nowhere.*flow.*check'):
        registry.get_space('Nowhere')
    with pytest.raises(UnavailableError, match='does not name an atlas'):
        registry.get_atlas('Schaefer2018:400')


def test_known_but_not_there_and_no_network(home: Path) -> None:
    """The message names the file and how to get it, and what needs no network."""
    with pytest.raises(UnavailableError) as error:
        registry.get_atlas('Schaefer2018:desc-400Parcels7Networks')
    text = str(error.value)
    assert 'tpl-MNI152NLin2009cAsym_res-01_atlas-Schaefer2018_desc-400Parcels7Networks' in text
    assert 'could not be fetched' in text
    assert 'set TEMPLATEFLOW_HOME' in text
    assert DEFAULT_SPACE in text


def test_what_is_bundled_never_asks_templateflow(home: Path) -> None:
    fill(home, FSL_SPACE)
    for name in (DEFAULT_SPACE, FSL_SPACE):
        assert 'flow' not in str(registry.get_space(name).brain)
    assert registry.get_atlas('Schaefer200').source.startswith('CAT12')


def test_an_atlas_of_white_matter_of_ones_own(home: Path) -> None:
    """Tissue and side are those of its table: its names tell neither."""
    stem = f'tpl-{DEFAULT_SPACE}'
    labels = np.arange(216, dtype=np.int16).reshape(6, 6, 6) % 3
    image = write(home, f'{stem}_res-01_atlas-MyTracts_dseg.nii.gz', labels)
    table = image.with_name(f'{stem}_atlas-MyTracts_dseg.tsv')
    table.write_text(
        'index\tname\themisphere\ttissue\n1\tCST\tL\twhite\n2\tForceps\tboth\twhite\n'
    )
    atlas = registry.get_atlas('MyTracts')
    assert (atlas.image, atlas.space) == (image, DEFAULT_SPACE)
    assert atlas.entities == {'atlas': 'MyTracts'}
    rows = read_table(registry.get_label_table('MyTracts'))
    assert rows['tissue'].tolist() == ['white', 'white']
    assert rows['hemisphere'].tolist() == ['L', 'both']
    assert rows['composition'].tolist() == ['wm', 'wm']
