"""Volumes of tissues and of regions, as sums of partial volume fractions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.core.labels import Labels, spread_labels
from mriderived.core.partial_volume import Fractions
from mriderived.core.regions import select_regions

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


def tissue_volumes(tissues: Fractions, voxel_volume: float) -> TissueVolumes:
    """Measure the volume of each tissue, of the brain and of the skull's inside.

    The total intracranial volume (TIV) is the sum of the three tissues inside the brain mask, so
    it ends where the mask does: at the outer edge of the sulcal and cisternal CSF that belongs
    to it, not at the skull. The brain parenchymal fraction (Rudick et al. 1999,
    doi:10.1212/WNL.53.8.1698) is (GM + WM) / TIV.

    Parameters
    ----------
    tissues : Fractions
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
    >>> volumes = tissue_volumes(Fractions(half, half / 2, half / 2), 2.0)
    >>> volumes.gm_volume, volumes.tiv_volume, volumes.brain_parenchymal_fraction
    (8.0, 16.0, 0.75)
    """
    gm, wm, csf = (float(np.sum(each, dtype=np.float64)) * voxel_volume for each in tissues)
    brain, total = gm + wm, gm + wm + csf
    shares = (gm / total, brain / total) if total > 0 else (np.nan, np.nan)
    return TissueVolumes(gm, wm, csf, brain, total, *shares)


def region_volumes(
    labels: Labels, table: pd.DataFrame, tissues: Fractions, spacing: Sequence[float]
) -> pd.DataFrame:
    """Measure regions by the tissue that they are made of.

    The volume is the sum of the fraction of the region's tissue, its composition in ``table``,
    times the volume of a voxel: GM for cortex, cerebellum and grey nuclei, WM for white matter,
    CSF for ventricles, and GM + WM where a T1w image does not tell the two apart.

    Of the first three, a voxel that is mostly another tissue gives its part to the touching
    region, so that the regions of a cortex add up to all of its grey matter and not to what lies
    in voxels of mostly grey matter.

    Parameters
    ----------
    labels : array of int32, shape (x, y, z)
    table : DataFrame
        Columns index and composition (gm, wm, csf, gm+wm).
    tissues : Fractions
    spacing : three floats
        Voxel size in mm.

    Returns
    -------
    DataFrame
        Columns index, volume (mm3; 0 where a region has no voxel) and n_voxels.

    Examples
    --------
    >>> table = pd.DataFrame({'index': [5], 'composition': ['gm']})
    >>> gm = np.array([[[0.0, 1.0, 0.25, 0.25]]])
    >>> labels = np.array([[[0, 5, 0, 0]]], np.int32)
    >>> region_volumes(labels, table, Fractions(gm, 1 - gm, 0 * gm), (1, 1, 2))
       index  volume  n_voxels
    0      5     2.5         1
    """
    index = table['index'].to_numpy(dtype=np.int64)
    composition = table['composition'].to_numpy(dtype=str)
    closed = np.isin(labels, index[composition == 'gm+wm'])
    fractions = {**tissues._asdict(), 'gm+wm': tissues.gm + tissues.wm}
    measured = np.zeros(len(index))
    for name, fraction in fractions.items():
        mine = index[composition == name]
        wide = np.where(np.isin(labels, mine), labels, 0).astype(np.int32)
        if name in Fractions._fields:
            edge = (fraction > 0) & (fraction < _most(tissues)) & ~closed
            wide = spread_labels(wide, (wide > 0) | edge, spacing, 1.01 * _diagonal(spacing))
        measured[composition == name] = _add(fraction, wide, mine)
    count = _add(np.ones(labels.shape), labels, index).astype(np.int64)
    volume = measured * np.prod(spacing)
    return pd.DataFrame({'index': index, 'volume': volume, 'n_voxels': count})


def _most(tissues: Fractions) -> Fraction:
    most: Fraction = np.maximum(np.maximum(tissues.gm, tissues.wm), tissues.csf)
    return most


def _diagonal(spacing: Sequence[float]) -> float:
    """Return the distance in mm between voxels that touch by an edge."""
    return float(np.sqrt(np.sum(np.sort(spacing)[1:] ** 2)))


def _add(values: Fraction, labels: Labels, index: NDArray[np.int64]) -> NDArray[np.float64]:
    if not len(index):
        return np.zeros(0)
    rows, numbers = select_regions(np.asarray(values, dtype=np.float64), labels, index)
    return np.asarray(np.bincount(rows, numbers, len(index)), dtype=np.float64)
