"""What holds for every map of quantitative MRI: a panel, tables of regions, and columns."""

from __future__ import annotations

from typing import Any

import pytest

from mriderived.bids.qmri_collections import COLLECTIONS
from mriderived.group.columns import is_cohort_output
from mriderived.measures import MEASURES
from mriderived.measures.base import Measure, Output
from mriderived.measures.region_tables import region_measures
from mriderived.workflows.qmri import QMRI_STEPS

QMRI = tuple(measure for measure in MEASURES if measure.source == 'qmri')
NAMES = {'t2', 'myelin_water', 'megre', 'vfa', 'mp2rage', 'irt1', 'mpm', 'mpm_mtsat', 'mpm_r2star',
         'mtr', 'b1'}  # fmt: skip
MAPS = [
    pytest.param(measure, output, id=output.field)
    for measure in QMRI
    for output in measure.outputs
    if output.extension == '.nii.gz'
]
TABLES = {table.name: table for table in region_measures(MEASURES)}
#: Scales may have these words for a unit of the file; what is over its median has none.
WORDS = {'p.u.': 'percent'}


def panels(measure: Measure) -> dict[str, Any]:
    """Return how maps of a measure are drawn, by field."""
    return {
        panel.field: panel
        for figure in measure.figures
        for panel in figure.draw.keywords['panels']  # type: ignore[attr-defined]
    }


def test_these_are_the_measures() -> None:
    assert {measure.name for measure in QMRI} == NAMES


@pytest.mark.parametrize(('measure', 'output'), MAPS)
def test_every_map_is_drawn_with_its_unit(measure: Measure, output: Output) -> None:
    panel = panels(measure)[output.field]
    assert any(output.field in figure.needs for figure in measure.figures)
    assert panel.label
    if panel.is_relative or output.unit == 'arbitrary':
        assert panel.unit in ('1', 'arbitrary')
    else:
        assert WORDS.get(panel.unit, panel.unit) == output.unit
    assert panel.zero_counts != output.is_zero_missing


@pytest.mark.parametrize(('measure', 'output'), MAPS)
def test_every_map_of_numbers_has_tables_and_columns(measure: Measure, output: Output) -> None:
    if 'Levels' in output.sidecar:  # why a voxel has no value: counted in the table of the fit
        (fit,) = (o for o in measure.outputs if o.suffix == 'qc')
        assert {'no_value', 'implausible'} <= {column.name for column in fit.columns}
        assert is_cohort_output(fit)
        return
    table = TABLES[f'{output.field}_regions']
    (regions,) = table.outputs
    assert table.over == 'atlas' and table.source == 'qmri' and table.scope == measure.scope
    assert is_cohort_output(regions) and regions.cohort_columns == ('mean',)
    assert next(c for c in regions.columns if c.name == 'mean').unit == output.unit


@pytest.mark.parametrize('suffix', COLLECTIONS)
def test_every_collection_has_columns_of_its_alignment(suffix: str) -> None:
    (step,) = (step for step in QMRI_STEPS if step.name == f'qmri_quality_{suffix.lower()}')
    (table,) = step.outputs
    assert step.scope.collections == (suffix,) and is_cohort_output(table)
    assert {'displacement', 'shift', 'boundary_cost'} <= {column.name for column in table.columns}
