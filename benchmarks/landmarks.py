"""Compare the fiducials of a processed head with those that raters marked.

    python benchmarks/landmarks.py OUT/sub-01/anat/sub-01 TRUTH.fcsv

The first argument is an output folder of a participant and the beginning of its file names, the
second a list of the 32 AFIDs in RAS. Prints the distance of every fiducial as it was found and, of
refined ones, as the registration alone brought it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.interfaces.points import move_points
from mriderived.spaces import DEFAULT_SPACE
from mriderived.spaces.fiducials import load_afids


def read_fcsv(path: Path) -> NDArray[np.float64]:
    lines = [line.split(',') for line in path.read_text().splitlines() if line[:1] != '#']
    return np.array([[float(value) for value in line[1:4]] for line in lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('prefix')
    parser.add_argument('truth', type=Path)
    given = parser.parse_args()
    truth = read_fcsv(given.truth)
    table = pd.read_csv(f'{given.prefix}_afids.tsv', sep='\t')
    xfm = Path(f'{given.prefix}_from-T1w_to-{DEFAULT_SPACE}_mode-image_xfm.h5')
    transferred = move_points(np.array([afid.position for afid in load_afids()]), xfm)
    table['before'] = np.linalg.norm(transferred - truth, axis=1)
    table['after'] = np.linalg.norm(table[['x', 'y', 'z']].to_numpy() - truth, axis=1)
    print(table[['name', 'refined', 'correlation', 'before', 'after']].round(2).to_string())
    refined = table['refined'] == 'yes'
    for title, rows in (('refined', table[refined]), ('all', table)):
        print(f'{title}: mean {rows["before"].mean():.2f} mm by registration, '
              f'{rows["after"].mean():.2f} mm in the end')  # fmt: skip


if __name__ == '__main__':
    main()
