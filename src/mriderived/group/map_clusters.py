"""Where a voxel-wise effect is: clusters with their peaks, sizes and the regions they lie in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.group.map_voxels import Mask
from mriderived.spaces import UnavailableError, get_atlas, prepare_atlas
from mriderived.spaces.labels import read_table

#: The atlas whose regions name clusters.
ATLAS = 'DesikanKilliany'
#: Clusters are joined over faces and edges.
_TOUCHING = ndimage.generate_binary_structure(3, 2)
_MOST_REGIONS = 3


class Cluster(NamedTuple):
    """One cluster: its number, volume, the value and place (mm) of its peak, and its regions."""

    number: int
    volume: float
    peak: float
    place: tuple[float, float, float]
    p: float
    regions: str


class Regions(NamedTuple):
    """Labels on the grid of the maps, and what they are called; empty where there is no atlas."""

    labels: NDArray[np.int32]
    names: Mapping[int, str]


def load_regions(
    space: str, affine: NDArray[np.float64], shape: tuple[int, int, int], folder: Path
) -> Regions:
    """Return the regions of an atlas on a grid, none where the atlas is of another space.

    ``folder`` holds atlases that were brought to their spaces before.
    """
    nothing = Regions(np.zeros(shape, np.int32), {})
    try:
        atlas = get_atlas(ATLAS)
    except UnavailableError:
        return nothing
    if atlas.space != space:
        return nothing
    folder.mkdir(parents=True, exist_ok=True)
    image = nb.load(prepare_atlas(atlas, folder))
    labels = np.asarray(image.dataobj).reshape(image.shape[:3])
    to_atlas = np.linalg.inv(image.affine) @ affine
    moved = ndimage.affine_transform(labels, to_atlas, output_shape=shape, order=0)
    table = read_table(atlas.table)
    names = dict(zip(table['index'].astype(int), table['name'].astype(str), strict=True))
    return Regions(moved.astype(np.int32), names)


def find_clusters(
    statistic: NDArray[np.float32],
    p: NDArray[np.float64],
    counted: Mask,
    affine: NDArray[np.float64],
    regions: Regions,
) -> list[Cluster]:
    """Return the clusters of voxels that count, the largest peaks first; signs apart.

    Parameters
    ----------
    statistic, p, counted : array (x, y, z)
    """
    voxel = abs(float(np.linalg.det(affine[:3, :3])))
    found: list[Cluster] = []
    for sign in (1, -1):
        labels, count = ndimage.label(counted & (sign * statistic > 0), _TOUCHING)
        for number in range(1, count + 1):
            mine = labels == number
            peak = np.unravel_index(
                np.argmax(np.where(mine, sign * statistic, -np.inf)), mine.shape
            )
            place = affine @ [*map(float, peak), 1.0]
            found.append(
                Cluster(
                    0,
                    float(mine.sum()) * voxel,
                    float(statistic[peak]),
                    (float(place[0]), float(place[1]), float(place[2])),
                    float(p[mine].min()),
                    _name(mine, regions),
                )
            )
    found.sort(key=lambda cluster: -abs(cluster.peak))
    return [cluster._replace(number=place) for place, cluster in enumerate(found, start=1)]


def _name(mine: Mask, regions: Regions) -> str:
    """Say in which regions a cluster lies, and with which share of it."""
    if not regions.names:
        return 'n/a'
    inside = regions.labels[mine]
    counts = {
        int(k): int((inside == k).sum()) for k in np.unique(inside) if int(k) in regions.names
    }
    largest = sorted(counts, key=lambda label: -counts[label])[:_MOST_REGIONS]
    told = [f'{regions.names[k]} {100 * counts[k] / len(inside):.0f} %' for k in largest]
    return ', '.join(told) or 'outside of the atlas'
