"""Measures that need the results of others bring these with them."""

from __future__ import annotations

from mriderived.measures.connectome import CONNECTOME
from mriderived.measures.csd import CSD
from mriderived.measures.kurtosis import KURTOSIS
from mriderived.measures.tensor import TENSOR
from mriderived.measures.tractography import TRACTOGRAPHY
from mriderived.workflows.plan import with_needed_measures

ALL = (TENSOR, KURTOSIS, CSD, TRACTOGRAPHY, CONNECTOME)


def test_a_connectome_brings_what_it_is_made_of() -> None:
    assert with_needed_measures([CONNECTOME], ALL) == (TENSOR, CSD, TRACTOGRAPHY, CONNECTOME)
    assert with_needed_measures([TRACTOGRAPHY], ALL) == (CSD, TRACTOGRAPHY)
    assert with_needed_measures([KURTOSIS], ALL) == (KURTOSIS,)


def test_what_is_left_out_stays_out() -> None:
    without = tuple(measure for measure in ALL if measure is not CSD)
    assert with_needed_measures([CONNECTOME], without) == (TENSOR, TRACTOGRAPHY, CONNECTOME)
