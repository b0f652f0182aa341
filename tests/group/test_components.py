"""Components of made-up participants with known networks, one of them with twice the amplitude."""

import json

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from cohort_outputs import make_config, write_description
from functional_outputs import (
    AFFINE,
    FRAMES,
    SHAPE,
    SPACE,
    BoldParticipant,
    draw_brain,
    draw_networks,
    draw_run,
)

from mriderived.bids.names import bidsignore
from mriderived.bids.status import NoInputError
from mriderived.bids.validate import validate_dataset
from mriderived.group.components import _most_runs
from mriderived.group.stage import run_group
from mriderived.measures.denoised_space import DENOISED_IN_SPACE
from mriderived.reports.group import write_group_report

LABELS, LOUD, AWAY = ('01', '02', '03', '04', '05'), '02', '04'
GROUP = f'tpl-{SPACE}/func/tpl-{SPACE}_task-rest_res-2_desc-canica_components'
#: A corner in which one run has no signal.
CORNER = (slice(0, 4), slice(0, 25), slice(16, 20))


def own(label, rest):
    return f'sub-{label}/func/sub-{label}_task-rest_space-{SPACE}_res-2_{rest}'


def write_participants(out_dir, labels=LABELS):
    networks = draw_networks()
    for place, label in enumerate(labels):
        data = draw_run(networks, 2.0 if label == LOUD else 1.0, place)
        if label == AWAY:
            data[CORNER] = 0
        person = BoldParticipant(out_dir, label)
        person.denoised(data, AFFINE, FRAMES - 20).write()
    return networks


def run(out_dir, **settings):
    config = make_config(out_dir, ica_components=3, **settings)
    return run_group(config, (DENOISED_IN_SPACE,))


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """Run once: the folder, the true maps in the mask, and which component each one is."""
    out_dir = tmp_path_factory.mktemp('components') / 'out'
    write_description(out_dir)
    networks = write_participants(out_dir)
    result = run(out_dir)
    maps = load(out_dir, f'{GROUP}.nii.gz')
    mask = maps.any(axis=0)
    correlation = np.corrcoef(maps[:, mask], networks[:, mask])[:3, 3:]
    return out_dir, networks, mask, correlation, result


def load(out_dir, file):
    return np.moveaxis(np.asarray(nb.load(out_dir / file).dataobj), -1, 0)


def test_networks_are_found(found):
    _, _, mask, correlation, result = found
    assert correlation.max(axis=0).min() >= 0.9
    assert len(set(correlation.argmax(axis=0).tolist())) == 3
    # A voxel that one of five runs lacks is not of the group.
    assert (mask == (draw_brain() & ~corner())).all()
    assert result.warnings == ()
    assert [str(path) for path in result.files] == [f'{GROUP}.nii.gz']


def corner():
    there = np.zeros(SHAPE, bool)
    there[CORNER] = True
    return there


def test_everybody_has_the_maps(found):
    out_dir, networks, mask, correlation, _ = found
    for label in LABELS:
        beta = load(out_dir, own(label, 'stat-beta_desc-dualregression_components.nii.gz'))
        for place, component in enumerate(correlation.argmax(axis=0)):
            r = np.corrcoef(beta[component][mask], networks[place][mask])[0, 1]
            assert r >= 0.9, (label, place)


def test_twice_the_amplitude_is_twice_the_beta(found):
    out_dir, networks, mask, correlation, _ = found

    def amplitude(label):
        beta = load(out_dir, own(label, 'stat-beta_desc-dualregression_components.nii.gz'))
        return np.array([
            np.polyfit(networks[place][mask], beta[component][mask], 1)[0]
            for place, component in enumerate(correlation.argmax(axis=0))
        ])  # fmt: skip

    usual = np.mean([amplitude(label) for label in LABELS if label != LOUD], axis=0)
    assert usual == pytest.approx(np.ones(3), rel=0.05)
    assert amplitude(LOUD) / usual == pytest.approx(np.full(3, 2.0), rel=0.1)


def test_z_follows_from_the_degrees_of_freedom(found):
    out_dir, networks, mask, _, _ = found
    file = own('03', 'stat-z_desc-dualregression_components')
    z = load(out_dir, f'{file}.nii.gz')
    said = json.loads((out_dir / f'{file}.json').read_text())
    assert said['DegreesOfFreedom'] == FRAMES - 20 - 3
    outside = mask & (networks.max(axis=0) < 1e-3)
    # Of noise of all frames, judged by fewer degrees of freedom.
    assert z[:, outside].std() == pytest.approx(np.sqrt((FRAMES - 23) / (FRAMES - 4)), rel=0.04)


def test_courses_are_written_beside(found):
    out_dir = found[0]
    file = own('01', 'desc-dualregression_mixing')
    table = pd.read_csv(out_dir / f'{file}.tsv', sep='\t')
    assert list(table) == ['component_01', 'component_02', 'component_03']
    assert table.shape == (FRAMES, 3)
    assert table.std(ddof=0).to_numpy() == pytest.approx(np.ones(3), abs=1e-5)
    sources = json.loads((out_dir / f'{file}.json').read_text())['Sources']
    assert sources[1] == f'bids::{GROUP}.nii.gz'


def test_the_sidecar_tells_how(found):
    said = json.loads((found[0] / f'{GROUP}.json').read_text())
    assert (said['Components'], said['RandomSeed'], said['SmoothingMM']) == (3, 42, 6.0)
    assert said['Runs'] == [f'sub-{label}' for label in LABELS]


def test_the_page_shows_them(found):
    page = write_group_report(found[0]).read_text()
    assert '<h2 id="components">' in page and 'href="#components"' in page
    assert page.count('<img decoding="async" src="data:image/svg+xml') == 1
    assert f'href="{GROUP}.nii.gz"' in page


def test_the_validator_does_not_mind(found):
    (found[0] / '.bidsignore').write_text(bidsignore())
    judged = validate_dataset(found[0], kind='derivatives', strict=True)
    told = [str(issue) for issue in (*judged.errors, *judged.warnings)]
    named = ('canica', 'dualregression')
    assert [issue for issue in told for name in named if name in issue] == []


@pytest.fixture
def out_dir(tmp_path):
    write_description(tmp_path / 'out')
    return tmp_path / 'out'


def test_runs_that_do_not_fit_are_left_out(out_dir):
    write_participants(out_dir, ('01', '02'))
    data = draw_run(draw_networks(), 1.0, 9)
    moved = AFFINE.copy()
    moved[0, 3] += 2
    BoldParticipant(out_dir, 'grid').denoised(data, moved, 150).write()
    BoldParticipant(out_dir, 'short').denoised(data[..., :30], AFFINE, 12).write()
    half = data.copy()
    half[:, :12] = 0
    BoldParticipant(out_dir, 'half').denoised(half, AFFINE, 150).write()
    for name, share in (('cut', 0.02), ('late', 0.9)):
        BoldParticipant(out_dir, name).denoised(data, AFFINE, 150).write()
        path = out_dir / f'{own(name, "desc-denoised_bold")}.nii.gz'
        packed = path.read_bytes()
        path.write_bytes(packed[: int(share * len(packed))])
    failed = BoldParticipant(out_dir, 'failed')
    failed.add('denoised_in_space', SPACE, 'failed', 'no memory').write()
    run(out_dir)
    reasons = json.loads((out_dir / f'{GROUP}.json').read_text())['RunsLeftOut']
    assert reasons['sub-grid'] == 'it is on another grid than most'
    assert reasons['sub-short'].startswith('12 degrees of freedom are too few for 3 components')
    assert reasons['sub-half'] == 'it has a signal in 52 % of the brain'
    assert reasons['sub-failed'] == 'failed: no memory'
    for name in ('cut', 'late'):
        assert reasons[f'sub-{name}'].startswith('the denoised run cannot be read')


def test_too_few_runs_are_refused_with_a_reason(out_dir):
    data = draw_run(draw_networks(), 1.0, 0)
    for label in ('01', '02'):
        BoldParticipant(out_dir, label).denoised(data, AFFINE, 12).write()
    (warning,) = run(out_dir).warnings
    assert 'they want 2 participants and there are 0' in warning
    assert '12 degrees of freedom are too few' in warning


def test_without_runs_the_error_names_the_remedy(out_dir):
    person = BoldParticipant(out_dir, '01').moved(0.1)
    person.write()
    with pytest.raises(NoInputError, match='--measures default denoised_in_space first'):
        run(out_dir)


def test_memory_bounds_the_runs_that_decide(tmp_path):
    mask = np.ones((100, 100, 23), bool)
    # Twenty volumes of 230,000 voxels, four times: 70 MiB for each run.
    few = _most_runs(make_config(tmp_path, ica_components=20, mem_gb=4.0), mask)
    assert few == 29
