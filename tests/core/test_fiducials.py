"""The text of a list of points."""

from __future__ import annotations

import pytest

from mriderived.core.fiducials import Fiducial, write_fcsv


def test_text_says_that_it_is_ras_and_has_a_row_per_point() -> None:
    text = write_fcsv(
        [Fiducial('1', 'AC', -0.205, 2.723, -4.881), Fiducial('2', 'PC', -0.007, -25.045, -2.211)]
    )
    lines = text.splitlines()
    assert lines[1] == '# CoordinateSystem = 0'
    names = lines[2].removeprefix('# columns = ').split(',')
    rows = [dict(zip(names, line.split(','), strict=True)) for line in lines[3:]]
    assert [row['desc'] for row in rows] == ['AC', 'PC']
    assert [float(rows[1][axis]) for axis in 'xyz'] == [-0.007, -25.045, -2.211]
    assert len({row['id'] for row in rows}) == 2


def test_text_that_would_break_the_table() -> None:
    with pytest.raises(ValueError, match="a comma or the end of a line in '1', 'A, C'"):
        write_fcsv([Fiducial('1', 'A, C', 0, 0, 0)])
    with pytest.raises(ValueError, match='a label comes twice'):
        write_fcsv([Fiducial('1', 'AC', 0, 0, 0), Fiducial('1', 'PC', 0, 0, 0)])
