"""Volumes of tissues and of regions, as sums of partial volume fractions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.regions import GREY, Labels, Tissues, select_regions

Fraction = NDArray[np.floating[Any]]


class TissueVolumes(NamedTuple):
    """Volumes in mm3, and two fractions of the total intracranial volume."""

    gm_volume: float
    wm_volume: float
    csf_volume: float
    brain_volume: float
    tiv_volume: float
    gm_fraction: float
    brain_parenchymal_fraction: float


def tissue_volumes(tissues: Tissues, voxel_volume: float) -> TissueVolumes:
    """Measure the volume of each tissue, of the brain and of the skull's inside.

    The total intracranial volume (TIV) is the sum of the three tissues inside the brain mask, so
    it ends where the mask does: at the outer edge of the sulcal and cisternal CSF that belongs
    to it, not at the skull. The brain parenchymal fraction (Rudick et al. 1999,
    doi:10.1212/WNL.53.8.1698) is (GM + WM) / TIV.

    Parameters
    ----------
    tissues : Tissues
        Partial volume fractions, 0..1, 0 outside the brain mask.
    voxel_volume : float
        In mm3.

    Returns
    -------
    TissueVolumes
        The fractions are ``nan`` where the TIV is 0.

    Examples
    --------
    >>> half = np.full((2, 2, 2), 0.5)
    >>> volumes = tissue_volumes(Tissues(half, half / 2, half / 2), 2.0)
    >>> volumes.gm_volume, volumes.tiv_volume, volumes.brain_parenchymal_fraction
    (8.0, 16.0, 0.75)
    """
    gm, wm, csf = (float(np.sum(each, dtype=np.float64)) * voxel_volume for each in tissues)
    brain, total = gm + wm, gm + wm + csf
    shares = (gm / total, brain / total) if total > 0 else (np.nan, np.nan)
    return TissueVolumes(gm, wm, csf, brain, total, *shares)


def region_volumes(
    labels: Labels, table: pd.DataFrame, tissues: Tissues, voxel_volume: float
) -> pd.DataFrame:
    """Measure regions by the tissue that they are made of.

    The volume is the sum over the region's voxels of the fraction of its tissue, times the
    volume of a voxel: GM for cortex and cerebellum, WM for white matter, CSF for ventricles,
    and GM + WM for the rest, whose grey and white matter T1w contrast does not separate.

    Parameters
    ----------
    labels : array of int, shape (x, y, z)
    table : DataFrame
        Columns index and tissue.
    tissues : Tissues
    voxel_volume : float
        In mm3.

    Returns
    -------
    DataFrame
        Columns index, volume (mm3; 0 where a region has no voxel) and n_voxels.

    Examples
    --------
    >>> table = pd.DataFrame({'index': [5, 6], 'tissue': ['cortex', 'subcortex']})
    >>> gm, wm = np.array([0.5, 0.5, 0.25]), np.array([0.5, 0.0, 0.5])
    >>> region_volumes(np.array([5, 5, 6]), table, Tissues(gm, wm, 1 - gm - wm), 2.0)
       index  volume  n_voxels
    0      5     2.0         2
    1      6     1.5         1
    """
    brain = tissues.gm + tissues.wm
    by_tissue = {
        **dict.fromkeys(GREY, tissues.gm),
        'white': tissues.wm,
        'csf': tissues.csf,
    }
    index = table['index'].to_numpy(dtype=np.int64)
    volume = np.zeros(len(index))
    count = np.zeros(len(index), np.int64)
    for tissue in dict.fromkeys(table['tissue']):
        mine = (table['tissue'] == tissue).to_numpy()
        fraction = np.asarray(by_tissue.get(tissue, brain), dtype=np.float64)
        rows, numbers = select_regions(fraction, labels, index[mine])
        volume[mine] = np.bincount(rows, numbers, mine.sum()) * voxel_volume
        count[mine] = np.bincount(rows, minlength=mine.sum())
    return pd.DataFrame({'index': index, 'volume': volume, 'n_voxels': count})
