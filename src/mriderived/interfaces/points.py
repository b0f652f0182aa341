"""Move points, in RAS mm, through ITK transforms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Points = NDArray[np.float64]

#: ITK counts x and y the other way round.
_LPS = np.array([-1.0, -1.0, 1.0])


def move_points(points: Points, xfm: Path) -> Points:
    """Return where points of the space that a transform leads to lie in that it comes from.

    Of ``from-A_to-B_mode-image``, which brings images from A to B, points of B go to A.
    """
    import ants  # takes seconds

    frame = pd.DataFrame(np.asarray(points) * _LPS, columns=['x', 'y', 'z'])
    moved = ants.apply_transforms_to_points(3, frame, [str(xfm)])
    return np.asarray(moved[['x', 'y', 'z']].to_numpy(np.float64) * _LPS)
