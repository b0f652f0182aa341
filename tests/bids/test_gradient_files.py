"""Tables as people hand them on: what is repaired, what is refused, and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mriderived.bids.gradient_checks import check_gradients
from mriderived.bids.gradient_files import GradientFiles, read_gradient_files
from mriderived.bids.image_checks import BadImageError
from mriderived.shells import find_shells


def _spread(count: int) -> NDArray[np.float64]:
    z = (np.arange(count) + 0.5) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])


B = np.repeat([0.0, 700.0, 2000.0], [2, 12, 24])
VECTORS = np.vstack([np.zeros((2, 3)), _spread(12), _spread(24)])


class _Pair:
    """A .bval and a .bvec file."""

    def __init__(self, folder: Path) -> None:
        self.bval, self.bvec = folder / 'sub-01_dwi.bval', folder / 'sub-01_dwi.bvec'
        self.write()

    def write(
        self, b: NDArray[np.float64] = B, vectors: NDArray[np.float64] = VECTORS, sep: str = ' '
    ) -> _Pair:
        self.bval.write_text(sep.join(f'{value:g}' for value in b) + '\n')
        rows = [sep.join(f'{value:.6f}' for value in row) for row in vectors.T]
        self.bvec.write_text('\n'.join(rows) + '\n')
        return self

    def read(self, volumes: int = len(B)) -> GradientFiles:
        return read_gradient_files(self.bval, self.bvec, volumes, 'sub-01_dwi.nii.gz')


@pytest.fixture
def pair(tmp_path: Path) -> _Pair:
    return _Pair(tmp_path)


def _require_same(found: GradientFiles) -> None:
    np.testing.assert_allclose(found.b, B, rtol=2e-3)
    np.testing.assert_allclose(found.directions, VECTORS, atol=2e-6)
    assert found.used.all()


def test_good_files_are_read_without_a_word(pair: _Pair) -> None:
    found = pair.read()
    _require_same(found)
    assert found.findings == ()


@pytest.mark.parametrize('sep', ['\t', ',', ', ', ';', '   '])
def test_separators_do_not_matter(pair: _Pair, sep: str) -> None:
    found = pair.write(sep=sep).read()
    _require_same(found)
    assert found.findings == ()


def test_byte_order_mark_and_blank_lines_and_comments_do_not_matter(pair: _Pair) -> None:
    pair.bval.write_text('\ufeff# b-values\n\n' + pair.bval.read_text() + '\n\n', 'utf-8')
    _require_same(pair.read())


def test_transposed_files_are_turned_with_a_note(pair: _Pair) -> None:
    np.savetxt(pair.bval, B[:, None])
    np.savetxt(pair.bvec, VECTORS)
    found = pair.read()
    _require_same(found)
    assert [finding[0] for finding in found.findings] == ['gradient_layout'] * 2
    assert 'was transposed' in found.findings[1][2]


def test_ms_per_um2_becomes_s_per_mm2(pair: _Pair) -> None:
    found = pair.write(B / 1000).read()
    _require_same(found)
    assert found.findings[0][:2] == ('gradient_units', 'ms/µm²')


def test_si_units_become_s_per_mm2(pair: _Pair) -> None:
    found = pair.write(B * 1e6).read()
    _require_same(found)
    assert found.findings[0][:2] == ('gradient_units', 's/m²')


@pytest.mark.parametrize('b', [np.full(38, 5e7), B * 1e6, np.where(B > 0, 5e10, 0)])
def test_all_tables_in_si_units_are_accepted(pair: _Pair, b: NDArray[np.float64]) -> None:
    found = pair.write(b).read()
    np.testing.assert_allclose(found.b, b * 1e-6, rtol=2e-3)
    assert found.findings[0][:2] == ('gradient_units', 's/m²')


@pytest.mark.parametrize('factor', [25.5, 100, 500, 1000, 24_000, 1e9])
def test_b_values_that_no_scanner_reaches_are_refused(pair: _Pair, factor: float) -> None:
    with pytest.raises(BadImageError, match=r'no scanner reaches more than 50000 s/mm²') as caught:
        pair.write(B * factor).read()
    assert f'the largest b-value is {2000 * factor:g}' in str(caught.value)
    assert caught.value.path == pair.bval
    assert caught.value.remedy.startswith('b-values are in s/mm²: divide')


def test_the_strongest_b_values_of_scanners_stay(pair: _Pair) -> None:
    found = pair.write(B * 25).read()
    np.testing.assert_array_equal(found.b, B * 25)
    assert found.findings == ()


def test_small_values_without_zero_are_refused(pair: _Pair) -> None:
    pair.write(np.full(38, 1.0), np.vstack([_spread(2), VECTORS[2:]]))
    with pytest.raises(BadImageError, match='largest b-value is 1 and none is 0'):
        pair.read()


def test_small_values_of_unweighted_volumes_stay(pair: _Pair) -> None:
    found = pair.write(np.full(4, 5.0), np.zeros((4, 3))).read(4)
    np.testing.assert_array_equal(found.b, 5.0)


def test_lengths_stand_for_shells(pair: _Pair) -> None:
    scaled = VECTORS * np.sqrt(B / 2000)[:, None]
    found = pair.write(np.where(B > 0, 2000.0, 0.0), scaled).read()
    _require_same(found)
    flag, value, note = found.findings[0]
    assert (flag, value) == ('gradient_units', 'lengths stand for b-values')
    assert 'which gives 700, 2000 s/mm²' in note


def test_lengths_of_close_shells_stand_for_them(pair: _Pair) -> None:
    b = np.where(B == 700, 1800.0, B)
    found = pair.write(np.where(B > 0, 2000.0, 0.0), VECTORS * np.sqrt(b / 2000)[:, None]).read()
    np.testing.assert_allclose(found.b, b, rtol=1e-4)


def test_no_length_stands_for_no_weighting_where_all_b_values_are_the_largest(
    pair: _Pair,
) -> None:
    scaled = VECTORS * np.sqrt(B / 2000)[:, None]
    found = pair.write(np.full(len(B), 2000.0), scaled).read()
    _require_same(found)
    first, second = found.findings
    assert first[:2] == ('gradient_units', 'no length stands for b = 0')
    assert first[2] == (
        'All b-values are 2000 and none is 0: the 2 volumes without a direction in '
        'sub-01_dwi.bvec were taken for unweighted.'
    )
    assert second[1] == 'lengths stand for b-values'


def test_no_length_stands_for_no_weighting_in_a_single_shell(pair: _Pair) -> None:
    vectors = np.vstack([np.zeros((2, 3)), _spread(12)])
    found = pair.write(np.full(14, 1000.0), vectors).read(14)
    np.testing.assert_array_equal(found.b, [0, 0, *[1000] * 12])
    assert found.used.all()


def test_without_directions_in_half_of_one_shell_nothing_can_be_told(pair: _Pair) -> None:
    vectors = np.vstack([np.zeros((7, 3)), _spread(7)])
    with pytest.raises(BadImageError, match='are zero, though their b-values are not'):
        pair.write(np.full(14, 1000.0), vectors).read(14)


def test_lengths_repeat_b_values(pair: _Pair) -> None:
    found = pair.write(B, VECTORS * np.sqrt(B)[:, None]).read()
    _require_same(found)
    assert found.findings[0][1] == 'lengths repeat b-values'


def test_nearly_unit_vectors_are_made_unit_vectors(pair: _Pair) -> None:
    length = np.random.default_rng(0).uniform(0.93, 1.05, len(B))[:, None]
    found = pair.write(B, VECTORS * length).read()
    _require_same(found)
    assert found.findings[0][1] == 'nearly unit vectors'


def test_other_lengths_are_refused(pair: _Pair) -> None:
    vectors = VECTORS.copy()
    vectors[6] *= 0.5
    with pytest.raises(
        BadImageError,
        match=re.escape('1 direction is not a unit vector (that of volume 7 is 0.5'),
    ) as caught:
        pair.write(B, vectors).read()
    assert caught.value.path == pair.bvec
    assert 'in s/mm²' in caught.value.remedy
    vectors[8] *= 0.5
    with pytest.raises(BadImageError, match='2 directions are not unit vectors'):
        pair.write(B, vectors).read()


def test_counts_agree_with_their_nouns(pair: _Pair) -> None:
    with pytest.raises(BadImageError, match=r'it has 38 b-values for 1 volume of sub-01_dwi\.nii'):
        pair.read(1)
    with pytest.raises(BadImageError, match='it has 1 b-value for 38 volumes of sub-01_dwi'):
        pair.write(B[:1]).read()
    pair.write(np.array([0.0, 1000.0]), np.eye(3)[:2])
    check = check_gradients(pair.bvec, pair.read(2))
    assert 'There is 1 direction: a tensor needs 6.' in [note for _, _, note in check.findings]


def test_trace_volume_is_left_out(pair: _Pair) -> None:
    vectors = VECTORS.copy()
    vectors[[13, 37]] = 0
    found = pair.write(B, vectors).read()
    assert np.flatnonzero(~found.used).tolist() == [13, 37]
    flag, value, note = found.findings[0]
    assert (flag, value) == ('without_direction', 2.0)
    assert note.startswith('Volumes 14 and 38 have a b-value but no direction')


def test_series_of_traces_is_refused(pair: _Pair) -> None:
    with pytest.raises(BadImageError, match='are zero, though their b-values are not'):
        pair.write(B, 0 * VECTORS).read()


def test_direction_of_an_unweighted_volume_does_not_count(pair: _Pair) -> None:
    vectors = VECTORS.copy()
    vectors[0], vectors[1] = np.nan, (0.3, 0.2, 0.1)
    b = B.copy()
    b[1] = 5
    found = pair.write(b, vectors).read()
    np.testing.assert_array_equal(found.directions[:2], 0)
    assert found.findings == ()


@pytest.mark.parametrize(
    ('b', 'message'),
    [
        (np.where(np.arange(38) == 4, np.nan, B), 'the b-values of volume 5 are negative or not'),
        (np.where(np.arange(38) < 2, -5.0, B), 'the b-values of volumes 1 and 2 are negative'),
        (B[:-1], 'it has 37 b-values for 38 volumes of sub-01_dwi.nii.gz'),
    ],
)
def test_unusable_b_values_are_refused(pair: _Pair, b: NDArray[np.float64], message: str) -> None:
    with pytest.raises(BadImageError, match=message) as caught:
        pair.write(b).read()
    assert caught.value.path == pair.bval


def test_unusable_directions_are_refused(pair: _Pair) -> None:
    vectors = VECTORS.copy()
    vectors[20:35] = np.nan
    with pytest.raises(BadImageError, match=r'of volumes 21, .*30 and 5 more are not numbers'):
        pair.write(B, vectors).read()
    with pytest.raises(BadImageError, match='it has 36 directions for 38 volumes'):
        pair.write(B, VECTORS[:-2]).read()


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('bval', '', 'it is empty'),
        ('bval', 'b0 700\n', 'it holds more than numbers'),
        ('bval', '0 700\n1 2\n', 'it has 2 lines of 2 numbers'),
        ('bvec', '0 1 0\n0 0 1\n0 0\n', 'its lines hold 2 or 3 numbers'),
        ('bvec', '0 1 0 0 1\n' * 4, 'Four columns .x, y, z, b. are another format'),
    ],
)
def test_broken_files_are_refused(pair: _Pair, name: str, content: str, message: str) -> None:
    getattr(pair, name).write_text(content)
    with pytest.raises(BadImageError, match=message):
        pair.read()


def test_binary_and_missing_and_exchanged_files_are_refused(pair: _Pair) -> None:
    text = pair.bval.read_text()
    pair.bval.write_bytes(b'\x80\x02\xff')
    with pytest.raises(BadImageError, match='it is not a text file'):
        pair.read()
    pair.bval.unlink()
    with pytest.raises(BadImageError, match=r'there is no such file.*datalad get'):
        pair.read()
    pair.bvec.rename(pair.bval)
    pair.bvec.write_text(text)
    with pytest.raises(BadImageError, match='Exchange the names of the two files'):
        pair.read()


def test_check_finds_shells_and_their_directions(pair: _Pair) -> None:
    noisy = np.where(B > 0, B + np.arange(len(B)) % 5, 0)
    check = check_gradients(pair.bvec, pair.write(noisy).read())
    assert [(shell.volumes, shell.directions) for shell in check.shells] == [(12, 12), (24, 24)]
    assert check.describe() == '2 × 0, 12 × 700, 24 × 2000'
    assert check.findings == ()
    assert 1.5 < check.shells[1].condition < 1.8


def test_check_refuses_unweighted_series_where_they_should_be_weighted(pair: _Pair) -> None:
    table = pair.write(np.zeros(4), np.zeros((4, 3))).read(4)
    with pytest.raises(BadImageError, match='no volume is weighted by diffusion'):
        check_gradients(pair.bvec, table)
    check = check_gradients(pair.bvec, table, is_weighted=False)
    assert [finding[0] for finding in check.findings] == ['b0_only']
    assert check.describe() == '4 × 0'


def _flags(pair: _Pair, b: NDArray[np.float64], vectors: NDArray[np.float64]) -> dict[str, object]:
    table = pair.write(b, vectors).read(len(b))
    return {flag: value for flag, value, _ in check_gradients(pair.bvec, table).findings}


def test_check_flags_what_is_unusual(pair: _Pair) -> None:
    assert _flags(pair, B[2:], VECTORS[2:]) == {'no_b0': 'yes'}
    four = np.vstack([np.zeros((1, 3)), _spread(4)])
    assert _flags(pair, np.array([0, 1e3, 1e3, 1e3, 1e3]), four) == {'few_directions': 4.0}
    again = VECTORS.copy()
    again[20], again[21] = again[22], -again[22]
    assert _flags(pair, B, again) == {'repeated_directions': 2.0}


def test_check_flags_directions_near_a_plane(pair: _Pair) -> None:
    flat = VECTORS * [1, 1, 0.2]
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
    assert float(str(_flags(pair, B, flat)['poor_spread'])) > 5


@pytest.mark.real
@pytest.mark.parametrize(
    ('stem', 'volumes', 'expected', 'flags'),
    [
        ('siemens-xa30/sub-01/dwi/sub-01_dir-AP_dwi', 21, '1 × 0, 20 × 2500', set()),
        (
            'philips-enh/sub-01/dwi/sub-01_acq-b1000_dir-A_dwi',
            17,
            '1 × 0, 16 × 1000',
            set(),
        ),
        ('noddi-example/nifti/dwi', 81, '9 × 0, 24 × 700, 48 × 2000', set()),
    ],
)
def test_real_tables(
    test_data: Path, stem: str, volumes: int, expected: str, flags: set[str]
) -> None:
    path = test_data / stem
    table = read_gradient_files(path.with_suffix('.bval'), path.with_suffix('.bvec'), volumes)
    check = check_gradients(path, table)
    assert check.describe() == expected
    assert {finding[0] for finding in check.findings} == flags


def test_shells_are_those_of_the_models(pair: _Pair) -> None:
    # small steps are no single shell: the gaps alone would make one of all
    b = np.concatenate([np.zeros(2), 1000 + 20.0 * np.arange(12), np.full(24, 2003.0)])
    checked = check_gradients(pair.bval, pair.write(b).read())
    number, nominal = find_shells(b)
    assert len(nominal) > 3
    assert tuple(shell.b for shell in checked.shells) == nominal[1:]
    assert [shell.volumes for shell in checked.shells] == np.bincount(number)[1:].tolist()
