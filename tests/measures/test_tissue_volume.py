"""The table of tissue volumes."""

import json
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest

from mriderived.interfaces.sink import remarks_file
from mriderived.measures.tissue_volume import TISSUE_VOLUME, tabulate_tissue


def write(folder: Path, zooms: tuple[float, ...], edge: int = 0) -> list[Path]:
    """GM, WM and CSF cubes of 1000, 512 and 216 voxels, ``edge`` voxels off the first face."""
    paths = []
    for name, width, fraction in (('gm', 10, 0.5), ('wm', 8, 0.25), ('csf', 6, 1.0)):
        data = np.zeros((24, 24, 24), np.float32)
        data[edge : edge + width, 5 : 5 + width, 5 : 5 + width] = fraction
        path = folder / f'{name}.nii.gz'
        nb.Nifti1Image(data, np.diag([-zooms[0], zooms[1], zooms[2], 1.0])).to_filename(path)
        paths.append(path)
    return paths


def test_volumes_in_mm3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = tabulate_tissue(*write(tmp_path, (0.5, 1.0, 3.0), edge=5)).tissue_morph
    table = pd.read_csv(found, sep='\t')
    declared = [column.name for column in TISSUE_VOLUME.output('tissue_morph').columns]
    assert table.columns.tolist() == declared
    gm, wm, csf = 500 * 1.5, 128 * 1.5, 216 * 1.5
    assert table.loc[0].tolist() == pytest.approx(
        [gm, wm, csf, gm + wm, gm + wm + csf, gm / (gm + wm + csf), (gm + wm) / (gm + wm + csf)],
        rel=1e-6,
    )
    assert not remarks_file(found).exists()


def test_a_zoomed_image_has_volumes_times_the_cube(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    tables = []
    for zoom in (1.0, 1.1):
        out = tabulate_tissue(*write(tmp_path, (zoom,) * 3, edge=5)).tissue_morph
        tables.append(pd.read_csv(out, sep='\t').loc[0])
    assert tables[1]['tiv_volume'] / tables[0]['tiv_volume'] == pytest.approx(1.331, rel=1e-5)
    assert tables[1]['gm_fraction'] == pytest.approx(tables[0]['gm_fraction'], rel=1e-6)


def test_a_brain_at_the_edge_is_noted(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = write(tmp_path, (1.0, 1.0, 1.0), edge=0)
    found = tabulate_tissue(*paths).tissue_morph
    assert 'edge of the image' in json.loads(remarks_file(found).read_text())['Notes'][0]
