"""What holds for every step and measure, present and future."""

import re
from pathlib import Path

import pytest

from mriderived.config import NETWORKS_GB, PARTICIPANT_GB, Config, participant_gb
from mriderived.measures import MEASURES
from mriderived.measures.base import Measure
from mriderived.measures.registry import find_measures
from mriderived.workflows import catalogue
from mriderived.workflows.anat import BACKENDS, STEPS
from mriderived.workflows.steps import preprocessing_steps

ROOT = Path(__file__).parents[1]
ALL_MEASURES = find_measures(model=catalogue.EXAMPLE)
EVERY = (*preprocessing_steps(), *ALL_MEASURES)
PROVIDED = {
    *('raw_t1w', 'raw_bold', 'bold_acquisition', 'bold_events', 'raw_lesion_mask'),
    *('raw_t2w', 'raw_flair', 'raw_flair_lesion_mask'),
    *('raw_dwi', 'dwi_acquisition'),
    *('raw_qmri', 'qmri_acquisition'),
    *('space_brain', 'space_mask', 'space_tissues'),
    *('atlas_image', 'atlas_table', 'structures_image', 'structures_table'),
}

every_measure = pytest.mark.parametrize('measure', EVERY, ids=lambda measure: measure.name)
other_step = pytest.mark.parametrize(
    ('step', 'other'),
    [
        pytest.param(step, other, id=f'{backend}-{step.name}')
        for backend, steps in BACKENDS.items()
        for step, other in zip(STEPS, steps, strict=True)
        if other is not step
    ],
)


def config(tmp_path: Path) -> Config:
    return Config(bids_dir=tmp_path, out_dir=tmp_path / 'out', work_dir=tmp_path / 'work')


@every_measure
def test_the_workflow_matches_the_declaration(measure: Measure, tmp_path: Path) -> None:
    workflow = measure.init_wf(config(tmp_path))
    inputs = set(workflow.get_node('inputnode').inputs.copyable_trait_names())
    outputs = set(workflow.get_node('outputnode').inputs.copyable_trait_names())
    assert inputs == {*measure.needs, *measure.optional}
    assert outputs == {output.field for output in measure.outputs}


@every_measure
def test_every_need_is_offered_by_an_earlier_unit(measure: Measure) -> None:
    position = EVERY.index(measure)
    earlier = {output.field for other in EVERY[:position] for output in other.outputs}
    assert {*measure.needs, *measure.optional} <= PROVIDED | earlier
    own = {output.field for output in measure.outputs}
    for figure in measure.figures:
        assert set(figure.needs) <= PROVIDED | earlier | own


@every_measure
def test_every_name_is_in_the_schema(measure: Measure) -> None:
    for output in measure.outputs:
        name = catalogue.example_name(measure, output)
        assert name.startswith('sub-01_')
        assert name.endswith(output.extension)


@every_measure
def test_everything_is_described(measure: Measure) -> None:
    assert re.match(r'https://(doi\.org/10\.|.+)', measure.reference)
    assert measure.methods == '' or measure.methods.rstrip().endswith('.')
    for output in measure.outputs:
        assert output.description.endswith('.')
        if output.extension == '.tsv':
            assert output.columns or not output.in_cohort
            for column in output.columns:
                assert column.description.endswith('.'), column
        for name in output.cohort_columns:
            assert name in {column.name for column in output.columns}


@other_step
def test_backends_write_the_same_files(step: Measure, other: Measure, tmp_path: Path) -> None:
    assert (other.name, other.outputs, other.over) == (step.name, step.outputs, step.over)
    assert set(other.needs) <= set(step.needs)
    assert other.figures == step.figures
    assert other.methods != step.methods
    test_the_workflow_matches_the_declaration(other, tmp_path)
    test_everything_is_described(other)


def test_names_and_fields_are_unique() -> None:
    names = [measure.name for measure in EVERY]
    fields = [output.field for measure in EVERY for output in measure.outputs]
    assert len(set(names)) == len(names)
    assert len(set(fields)) == len(fields)


@pytest.mark.parametrize('measure', MEASURES, ids=lambda measure: measure.name)
def test_every_measure_has_its_page(measure: Measure) -> None:
    page = ROOT / 'docs' / 'measures' / f'{measure.name}.md'
    assert measure.reference in page.read_text()


def test_the_page_of_outputs_is_current() -> None:
    assert (ROOT / 'docs' / 'outputs.md').read_text() == catalogue.render(), (
        'run: python -m mriderived.workflows.catalogue > docs/outputs.md'
    )


def test_no_measure_takes_more_memory_than_is_set_aside() -> None:
    for backend, steps in BACKENDS.items():
        for measure in (*steps, *ALL_MEASURES):
            assert measure.memory_gb <= participant_gb(backend), (backend, measure.name)


def test_the_pages_tell_the_memory_that_is_set_aside() -> None:
    for page in ('README.md', 'docs/usage.md'):
        text = ' '.join((ROOT / page).read_text().split())
        assert f'{PARTICIPANT_GB:g} GiB' in text, page
    assert f'{NETWORKS_GB:g} GiB with `--anat-backend deepmriprep`' in text
