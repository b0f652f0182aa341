"""What imperfect spoiling of transverse magnetisation does to T1, and its correction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Spoiling(NamedTuple):
    r"""A correction :math:`T_1 = A(f) + B(f) \, T_{1,app}`, f the transmit field.

    ``offset`` holds the coefficients of A in s, ``slope`` those of B: of f², of f, and of 1.
    """

    offset: tuple[float, float, float]
    slope: tuple[float, float, float]


class Pair(NamedTuple):
    """Repetition times in s and flip angles in degrees of the PDw and the T1w image."""

    pdw_time: float
    t1w_time: float
    pdw_angle: float
    t1w_angle: float


#: Published for protocols of 3 T and T2 of 64 ms; spoiling depends on the sequence as well.
PUBLISHED = {
    Pair(0.0237, 0.0187, 6, 20): Spoiling(
        (0.0789228195, -0.1011133385, 0.0478783288), (-0.1474762331, 0.1264873851, 0.9568243750)
    ),
    Pair(0.0245, 0.0245, 5, 29): Spoiling(
        (0.0934550348, -0.1205752859, 0.0559110771), (-0.1673019314, 0.1135074328, 0.9617652167)
    ),
    Pair(0.024, 0.019, 6, 20): Spoiling(
        (0.0670231020, -0.0868341171, 0.0438158186), (-0.1308768496, 0.1177218072, 0.9591800584)
    ),
    Pair(0.0237, 0.0237, 6, 28): Spoiling(
        (0.1317257319, -0.1699833074, 0.0733725957), (-0.2188043283, 0.1787458531, 0.9395145547)
    ),
    Pair(0.02525, 0.02525, 5, 29): Spoiling(
        (0.0888623036, -0.1145262189, 0.0538168602), (-0.1329040176, 0.1139593908, 0.9607992956)
    ),
    Pair(0.0245, 0.0245, 6, 21): Spoiling(
        (0.0712817618, -0.0922992876, 0.0458278194), (-0.1378590468, 0.1224232124, 0.9576427447)
    ),
    Pair(0.025, 0.025, 6, 21): Spoiling(
        (0.0574275737, -0.0793007429, 0.0392185848), (-0.1211140601, 0.1216843475, 0.9559873575)
    ),
}


def find_spoiling(pair: Pair) -> Spoiling | None:
    """Return the published correction of a protocol, or None.

    Times agree to 0.01 ms, angles to 0.01 degrees.

    References
    ----------
    Preibisch and Deichmann 2009, https://doi.org/10.1002/mrm.21776;
    coefficients: Tabelow et al. 2019, https://doi.org/10.1016/j.neuroimage.2019.01.029

    Examples
    --------
    >>> find_spoiling(Pair(0.025, 0.025, 6, 21)) is None, find_spoiling(Pair(0.03, 0.03, 6, 21))
    (False, None)
    """
    for known, spoiling in PUBLISHED.items():
        times = np.abs(np.subtract(known[:2], pair[:2])) < 1e-5
        angles = np.abs(np.subtract(known[2:], pair[2:])) < 1e-2
        if times.all() and angles.all():
            return spoiling
    return None


def correct_spoiling(
    t1: ArrayLike, transmit: ArrayLike, spoiling: Spoiling
) -> NDArray[np.float64]:
    """Return T1 in s, corrected for imperfect spoiling.

    Parameters
    ----------
    t1 : array
        Apparent, in s.
    transmit : array
        Transmit field over its nominal value.
    spoiling : Spoiling

    References
    ----------
    Preibisch and Deichmann 2009, https://doi.org/10.1002/mrm.21776

    Examples
    --------
    >>> float(correct_spoiling(1.0, 1.0, Spoiling((0, 0, 0.02), (0, 0, 0.95))))
    0.97
    """
    field = np.asarray(transmit, np.float64)
    given = np.asarray(t1, np.float64)
    return np.asarray(
        np.polyval(spoiling.offset, field) + np.polyval(spoiling.slope, field) * given
    )
