"""What is known of a synthetic DWI run, kept beside the other truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.bids.sidecar import sidecar_path, write_json
from mriderived.core.motion_measures import framewise_displacement
from mriderived.core.rigid import COLUMNS, rigid_matrix
from mriderived.phantom.dwi import Dwi, eddy_of_voxels, take_clean
from mriderived.phantom.truth import relative_paths, save_image

Matrix = NDArray[np.float64]

#: Columns of the displacement by eddy currents: voxels, then voxels per mm.
EDDY_COLUMNS = ('eddy', 'eddy_x', 'eddy_y', 'eddy_z')
_FILES = ('dwi', 'table', 'outliers', 'displacement', 'field', 'brain_mask', 'tensor', 'fa',
          'tissue', 'peaks', 'share', 'clean')  # fmt: skip


@dataclass(frozen=True)
class DwiTruth:
    """The truth of one run. Images are on its grid, with the head at rest and no distortion.

    ``table``: by volume, b (s/mm²), the gradient's direction (x, y, z of the scanner), head
    motion (mm and rad about ``centre``), framewise displacement, and the displacement by eddy
    currents (see :meth:`load_eddy`). ``outliers``: volume, slice (from 0) and what is left of
    its signal. ``displacement``: what is at voxel u is seen at u plus this many voxels along the
    axis of ``direction``; ``field`` in Hz. ``tissue``: shares of GM, WM and CSF (last axis).
    ``tensor`` (Dxx Dxy Dxz Dyy Dyz Dzz of the scanner's axes, mm²/s) is the mean in a voxel,
    weighted with the signal at b = 0, and ``fa`` its anisotropy: exact where one fibre or one
    isotropic tissue fills the voxel and its neighbours. ``peaks`` are the unit vectors of the two
    populations (x1 y1 z1 x2 y2 z2), ``share`` is that of the second. ``clean``: the series
    without noise, motion, distortion, bias and lost slices. ``t1w_to_dwi``: matrix from mm of the
    T1w to mm of the head at rest.
    """

    dwi: Path
    table: Path
    outliers: Path
    displacement: Path
    field: Path
    brain_mask: Path
    tensor: Path
    fa: Path
    tissue: Path
    peaks: Path
    share: Path
    clean: Path | None
    centre: tuple[float, ...]
    t1w_to_dwi: tuple[tuple[float, ...], ...]
    direction: str
    readout_time: float
    sigma: float

    def load_motion(self) -> tuple[Matrix, Matrix]:
        """Return the parameters (volumes, 6), and the matrices (volumes, 4, 4) that they make.

        The matrices lead from mm of the head at rest to mm of each volume.
        """
        parameters = self.load_table()[list(COLUMNS)].to_numpy()
        centre = np.array(self.centre)
        return parameters, np.stack([rigid_matrix(row, centre) for row in parameters])

    def load_eddy(self) -> Matrix:
        """Return the displacement by eddy currents (volumes, 4), in voxels along the phase axis.

        What truly is at voxel (i, j, k) of a volume is displaced by the product of its row with
        (1, i, j, k), beside what the field does.
        """
        affine = nib.load(self.displacement).affine
        eddy = self.load_table()[list(EDDY_COLUMNS)].to_numpy()
        return eddy_of_voxels(eddy, affine, np.array(self.centre))

    def load_table(self) -> pd.DataFrame:
        """Return the table of volumes."""
        return pd.read_csv(self.table, sep='\t', na_values='n/a')

    def load_outliers(self, slices: int) -> NDArray[np.bool_]:
        """Return which slices were lost (volumes, slices)."""
        found = np.zeros((len(self.load_table()), slices), dtype=bool)
        listed = pd.read_csv(self.outliers, sep='\t')
        found[listed['volume'].to_numpy(np.intp), listed['slice'].to_numpy(np.intp)] = True
        return found

    def load(self, name: str) -> NDArray[np.float32]:
        """Return one of the images, such as tensor, fa, tissue or clean."""
        path = getattr(self, name)
        if path is None:
            raise FileNotFoundError(f'{name} was not kept; write the phantom with keeps_clean')
        return np.asarray(nib.load(path).dataobj, dtype=np.float32)


def write_dwi_truth(folder: Path, path: Path, dwi: Dwi, threads: int = 1) -> DwiTruth:
    """Write the truth of the run at ``path``, a file of the dataset in ``folder``."""
    below = folder / 'sourcedata' / 'truth' / path.relative_to(folder).parent
    below.mkdir(parents=True, exist_ok=True)
    stem = path.name.partition('.')[0].removesuffix('dwi')

    def save(name: str, data: NDArray[Any]) -> Path:
        return save_image(below / f'{stem}{name}.nii.gz', data, dwi.affine)

    truth = DwiTruth(
        dwi=path,
        table=_save_table(below / f'{stem}desc-motion_timeseries.tsv', _list_volumes(dwi)),
        outliers=_save_table(
            below / f'{stem}outliers.tsv',
            pd.DataFrame(dwi.dropouts, columns=['volume', 'slice', 'left']),
        ),
        displacement=save('displacement', dwi.displacement.shift),
        field=save('field', dwi.hz),
        brain_mask=save('mask', dwi.brain_mask.astype('u1')),
        tensor=save('param-diffusivity_dwimap', dwi.maps.tensor),
        fa=save('param-fa_dwimap', _anisotropy(dwi.maps.tensor)),
        tissue=save('probseg', dwi.maps.shares),
        peaks=save('peaks', dwi.maps.peaks),
        share=save('share', dwi.maps.share),
        clean=save('desc-clean_dwi', np.stack(list(take_clean(dwi, threads)), axis=-1))
        if dwi.options.keeps_clean
        else None,
        centre=tuple(map(float, dwi.centre)),
        t1w_to_dwi=tuple(tuple(map(float, row)) for row in dwi.t1w_to_dwi),
        direction=dwi.options.direction,
        readout_time=dwi.readout_time,
        sigma=dwi.sigma,
    )
    write_json(_file(folder, path), relative_paths(truth, folder))
    return truth


def read_dwi_truth(folder: Path, path: Path) -> DwiTruth:
    """Read the truth of a run of the dataset in ``folder``."""
    content = json.loads(_file(folder, path).read_text())
    for name in _FILES:
        if content[name] is not None:
            content[name] = folder / content[name]
    content['t1w_to_dwi'] = tuple(tuple(row) for row in content['t1w_to_dwi'])
    content['centre'] = tuple(content['centre'])
    return DwiTruth(**content)


def _file(folder: Path, path: Path) -> Path:
    return sidecar_path(folder / 'sourcedata' / 'truth' / path.relative_to(folder))


def _list_volumes(dwi: Dwi) -> pd.DataFrame:
    table = pd.DataFrame({'b': dwi.b})
    table[['x', 'y', 'z']] = dwi.directions
    table[list(COLUMNS)] = dwi.parameters
    table['framewise_displacement'] = framewise_displacement(dwi.parameters)
    table[list(EDDY_COLUMNS)] = dwi.eddy
    return table


def _anisotropy(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    xx, xy, xz, yy, yz, zz = np.moveaxis(tensor.astype(np.float64), -1, 0)
    mean = (xx + yy + zz) / 3
    squares = xx**2 + yy**2 + zz**2 + 2 * (xy**2 + xz**2 + yz**2)
    ratio = 1.5 * (squares - 3 * mean**2) / np.maximum(squares, 1e-20)
    return np.asarray(np.sqrt(np.clip(ratio, 0, 1)), np.float32)


def _save_table(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.9g')
    return path
