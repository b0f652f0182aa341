"""Every table that a measure declares for the cohort is found again under the name it gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mriderived.bids.dataset import Image
from mriderived.group.columns import Source, find_file, is_cohort_output
from mriderived.measures.base import Measure
from mriderived.measures.registry import find_measures
from mriderived.workflows import catalogue
from mriderived.workflows.output_names import output_path
from mriderived.workflows.steps import preprocessing_steps

EVERY = (*preprocessing_steps(), *find_measures(model=catalogue.EXAMPLE))
VARIANTS = {'atlas': 'DesikanKilliany', 'space': 'MNI152NLin2009cAsym'}


@pytest.mark.parametrize('measure', EVERY, ids=lambda measure: measure.name)
@pytest.mark.parametrize('collection', ['VFA', 'MPM'])
def test_tables_are_found_under_their_names(measure: Measure, collection: str) -> None:
    suffix = collection if measure.source == 'qmri' else measure.source
    task = {'task': 'rest'} if suffix == 'bold' else {}
    image = Image(Path('sub-01.nii.gz'), {'sub': '01', **task}, 'anat', suffix, '.nii.gz')
    variant = VARIANTS.get(measure.over)
    files = [str(output_path(image, measure, output, variant)) for output in measure.outputs]
    for output, file in zip(measure.outputs, files, strict=True):
        if is_cohort_output(output):
            assert find_file(Source(measure, output, variant), files) == file
