"""Hyperintensities as numbers: each of them, and their volume by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Volume = NDArray[np.float32]
Labels = NDArray[np.int32]

#: Up to here, in mm from the ventricles, a hyperintensity is periventricular, beyond it deep: a
#: usage, as there are no two kinds (DeCarli et al. 2005, doi:10.1161/01.STR.0000150668.58689.f2).
PERIVENTRICULAR_MM = 10.0
#: Added before the logarithm, in mL, so that none at all has one, too: the least lesion.
LOG_OFFSET_ML = 0.01
_TOUCHING = np.ones((3, 3, 3), bool)
COLUMNS = ('index', 'volume_ml', 'probability', 'ventricle_mm', 'place', 'lobe', 'x', 'y', 'z')


def label_components(mask: Mask) -> Labels:
    """Number the connected parts (corners count) from 1, the largest first.

    Examples
    --------
    >>> label_components(np.array([[[1, 0, 1, 1]]], bool)).ravel().tolist()
    [2, 0, 1, 1]
    """
    parts, count = ndimage.label(mask, _TOUCHING)
    order = np.argsort(-np.bincount(parts.ravel(), minlength=count + 1)[1:], kind='stable')
    rank = np.zeros(count + 1, np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    return np.asarray(rank[parts], np.int32)


def list_components(
    components: Labels,
    probability: Volume,
    ventricle_mm: Volume,
    spacing: Sequence[float],
    lobes: Labels | None = None,
) -> pd.DataFrame:
    """Describe every hyperintensity.

    Parameters
    ----------
    components : array of int32, shape (x, y, z)
        From :func:`label_components`.
    probability, ventricle_mm : array of float32, shape (x, y, z)
        ``ventricle_mm`` is the distance from the ventricles.
    spacing : three floats
        Voxel size in mm.
    lobes : array of int32, shape (x, y, z), optional
        A hyperintensity belongs to the lobe that holds most of it; 0 is none.

    Returns
    -------
    DataFrame
        ``volume_ml``, mean ``probability``, smallest ``ventricle_mm``, ``place``
        (``periventricular`` if it comes within 10 mm of a ventricle, else ``deep``; none where
        there is no ventricle), ``lobe``, and the centre ``x``, ``y``, ``z`` in voxels.

    Examples
    --------
    >>> parts = np.int32([[[1, 1, 0, 2]]])
    >>> far = np.float32([[[4, 5, 8, 12]]])
    >>> found = list_components(parts, np.ones((1, 1, 4), np.float32), far, (10, 10, 10))
    >>> found[['volume_ml', 'ventricle_mm', 'place']].values.tolist()
    [[2.0, 4.0, 'periventricular'], [1.0, 12.0, 'deep']]
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    rows = []
    for number, box in enumerate(ndimage.find_objects(components), 1):
        mine = components[box] == number
        nearest = float(ventricle_mm[box][mine].min())
        lobe = 0 if lobes is None else int(np.bincount(lobes[box][mine]).argmax())
        centre = np.argwhere(mine).mean(axis=0) + [part.start for part in box]
        rows.append(
            (
                number,
                np.count_nonzero(mine) * voxel_ml,
                float(probability[box][mine].mean()),
                nearest,
                _place(nearest),
                lobe,
                *centre,
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _place(nearest: float) -> str | None:
    """Name the place by the distance from the ventricles; without ventricles there is none."""
    if not np.isfinite(nearest):
        return None
    return 'periventricular' if nearest <= PERIVENTRICULAR_MM else 'deep'


def sum_volumes(
    mask: Mask,
    ventricle_mm: Volume,
    spacing: Sequence[float],
    lobes: Labels | None = None,
    names: Mapping[int, str] | None = None,
) -> dict[str, float]:
    """Return volumes in mL: in all, by distance from the ventricles, and by lobe.

    Parameters
    ----------
    mask : array of bool, shape (x, y, z)
    ventricle_mm : array of float32, shape (x, y, z)
    spacing : three floats
        Voxel size in mm.
    lobes : array of int32, shape (x, y, z), optional
    names : mapping from the numbers in ``lobes``, optional

    Returns
    -------
    dict
        ``count``, ``volume_ml``, ``periventricular_ml`` and ``deep_ml`` (by voxel, so that they
        add up whether or not lesions are confluent), ``log_volume`` (natural logarithm of the
        volume plus 0.01 mL), ``<name>_ml`` for each lobe. The volumes by distance are NaN where
        there is no ventricle.

    Examples
    --------
    >>> far = np.float32([[[1, 9, 11, 20]]])
    >>> found = sum_volumes(far > 5, far, (10, 10, 10))
    >>> [found[name] for name in ('count', 'volume_ml', 'periventricular_ml', 'deep_ml')]
    [1.0, 3.0, 1.0, 2.0]
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    volume = int(np.count_nonzero(mask)) * voxel_ml
    near = float('nan')
    if np.isfinite(ventricle_mm).any():
        near = int(np.count_nonzero(mask & (ventricle_mm <= PERIVENTRICULAR_MM))) * voxel_ml
    found = {
        'count': float(ndimage.label(mask, _TOUCHING)[1]),
        'volume_ml': volume,
        'periventricular_ml': near,
        'deep_ml': volume - near,
        'log_volume': float(np.log(volume + LOG_OFFSET_ML)),
    }
    if lobes is not None:
        for number, name in (names or {}).items():
            found[f'{name}_ml'] = int(np.count_nonzero(mask & (lobes == number))) * voxel_ml
    return found
