"""Voxel-wise models: equal to nilearn's, right about what was planted, refused well."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from cohort_outputs import make_config
from nilearn.glm.second_level import SecondLevelModel
from scipy import ndimage, stats

from mriderived.bids.covariates import Covariates
from mriderived.group.exclusion import select, select_cohort
from mriderived.group.map_chapter import find_map_chapters
from mriderived.group.map_clusters import find_clusters, load_regions
from mriderived.group.map_engine import Work
from mriderived.group.map_files import MapSet, find_maps
from mriderived.group.map_models import fit_maps, split_design
from mriderived.group.map_voxels import choose_voxels, load_voxels
from mriderived.group.model_files import Model, ModelError
from mriderived.group.records import Cohort, Row, Unit
from mriderived.group.sample import Sample
from mriderived.group.variables import Variables
from mriderived.measures.base import Output
from mriderived.measures.registry import find_measures

SPACE = 'MNI152NLin2009cAsym'
SHAPE = (14, 16, 12)
AFFINE = np.array([[8.0, 0, 0, -52], [0, 8, 0, -68], [0, 0, 8, -36], [0, 0, 0, 1]])
#: Where grey matter shrinks with age.
PLACE = (slice(4, 8), slice(5, 9), slice(4, 8))
PEOPLE = 24
MEASURES = find_measures()
MODEL = Model('ageing', 'gm_modulated_smooth', 'age + C(sex)')


def make_covariates() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        'age': rng.uniform(20, 80, PEOPLE),
        'sex': np.where(np.arange(PEOPLE) % 2 == 0, 'F', 'M').astype(object),
    })  # fmt: skip


def make_maps(out_dir: Path, slope: float = -0.01) -> Cohort:
    """Write maps of grey matter: 0.5 in a box, less with age in a part of it."""
    rng = np.random.default_rng(1)
    ages = make_covariates()['age']
    brain = np.zeros(SHAPE, np.float32)
    brain[1:-1, 1:-1, 1:-1] = 0.5
    rows = tuple(Row('', f'{number:02d}') for number in range(PEOPLE))
    units = {}
    for row, age in zip(rows, ages, strict=True):
        noise = ndimage.gaussian_filter(rng.normal(size=SHAPE), 1)
        values = brain + 0.04 * noise / noise.std() * (brain > 0)
        values[PLACE] += slope * (age - 50)
        name = f'sub-{row.participant}/anat/sub-{row.participant}_space-{SPACE}_label-GM_desc-modulatedSm8_probseg.nii.gz'  # noqa: E501  # fmt: skip
        (out_dir / name).parent.mkdir(parents=True, exist_ok=True)
        nb.Nifti1Image(values.astype(np.float32), AFFINE).to_filename(out_dir / name)
        units[row] = Unit('done', '', (name,), 'T1w.nii.gz')
    cohort = Cohort(rows=rows)
    cohort.units['vbm', SPACE] = units
    return cohort


def make_sample(cohort: Cohort) -> Sample:
    return Sample(cohort, Variables(cohort.rows, (), np.empty((PEOPLE, 0))), make_covariates())


@pytest.fixture(scope='module')
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cohort]:
    out_dir = tmp_path_factory.mktemp('maps') / 'out'
    return out_dir, make_maps(out_dir)


def test_z_is_that_of_nilearn(outputs: tuple[Path, Cohort]) -> None:
    out_dir, cohort = outputs
    covariates = make_covariates()
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, out_dir)
    fitted = fit_maps(MODEL, maps, cohort.rows, covariates, out_dir)
    design = pd.DataFrame({
        'intercept': 1.0, 'age': covariates['age'], 'sex': (covariates['sex'] == 'M').astype(float)
    })  # fmt: skip
    mask = nb.Nifti1Image(fitted.mask.astype(np.uint8), AFFINE)
    model = SecondLevelModel(mask_img=mask, smoothing_fwhm=None)
    model.fit([str(out_dir / maps.files[row]) for row in cohort.rows], design_matrix=design)
    for title, column in (('age', 'age'), ('C(sex)[T.M]', 'sex')):
        wanted = model.compute_contrast(column, output_type='z_score').get_fdata()[fitted.mask]
        np.testing.assert_allclose(fitted.tests[title].z, wanted, rtol=0, atol=1e-6)


def test_what_was_planted_is_found_there_and_nowhere_else(outputs: tuple[Path, Cohort]) -> None:
    out_dir, cohort = outputs
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, out_dir)
    work = Work(permutations=400, seed=1, processors=2)
    fitted = fit_maps(MODEL, maps, cohort.rows, make_covariates(), out_dir, work=work)
    planted = np.zeros(SHAPE, bool)
    planted[PLACE] = True
    inside = planted[fitted.mask]
    found = fitted.corrected['age']
    effect = fitted.tests['age'].effect
    assert effect[inside].mean() == pytest.approx(-0.01, rel=0.03)
    assert (found.p_enhanced_fwe[inside] < 0.05).mean() > 0.95
    assert (found.p_fwe[inside] < 0.05).mean() > 0.9
    # Enhancement bleeds into what touches the planted place, and no further.
    near = ndimage.binary_dilation(planted, iterations=2)[fitted.mask]
    assert not (found.p_enhanced_fwe[~near] < 0.05).any()
    assert not (fitted.corrected['C(sex)[T.M]'].p_enhanced_fwe < 0.01).any()
    # Many permutations without correction agree with the law of t.
    assert np.corrcoef(found.p, fitted.tests['age'].p)[0, 1] > 0.99


def test_processors_do_not_change_p(outputs: tuple[Path, Cohort]) -> None:
    out_dir, cohort = outputs
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, out_dir)
    one, two = (
        fit_maps(MODEL, maps, cohort.rows, make_covariates(), out_dir, fwhm=10.0,
                 work=Work(permutations=100, processors=n))
        for n in (1, 2)
    )  # fmt: skip
    np.testing.assert_array_equal(one.tests['age'].t, two.tests['age'].t)
    np.testing.assert_allclose(
        one.corrected['age'].p_enhanced_fwe, two.corrected['age'].p_enhanced_fwe, rtol=1e-6
    )


def test_a_map_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    cohort = make_maps(tmp_path)
    cut, empty = (
        tmp_path / cohort.units['vbm', SPACE][row].outputs[0] for row in cohort.rows[2:4]
    )
    cut.write_bytes(cut.read_bytes()[:2000])
    nb.Nifti1Image(np.zeros(SHAPE, np.float32), AFFINE).to_filename(empty)
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, tmp_path)
    work = Work(processors=2)
    fitted = fit_maps(MODEL, maps, cohort.rows, make_covariates(), tmp_path, work=work)
    assert list(fitted.left_out) == list(cohort.rows[2:4])
    assert 'cannot be read' in fitted.left_out[cohort.rows[2]]
    assert 'it is empty: no voxel has a value but 0' in fitted.left_out[cohort.rows[3]]
    kept = np.r_[0, 1, 4:PEOPLE]
    rows = [cohort.rows[place] for place in kept]
    alone = fit_maps(MODEL, maps, rows, make_covariates().iloc[kept], tmp_path)
    np.testing.assert_array_equal(fitted.mask, alone.mask)
    np.testing.assert_allclose(fitted.tests['age'].t, alone.tests['age'].t, rtol=1e-6)


def test_who_is_not_modelled_has_no_part_in_the_mask(tmp_path: Path) -> None:
    """A map of three quarters of the brain, of somebody whose age nobody knows."""
    rng = np.random.default_rng(3)
    rows = [Row('', str(number)) for number in range(12)]
    for place, row in enumerate(rows):
        values = 1 + rng.random(SHAPE).astype(np.float32)
        values[:3] *= place != 5
        nb.Nifti1Image(values, AFFINE).to_filename(tmp_path / f'{row.participant}.nii.gz')
    files = {row: f'{row.participant}.nii.gz' for row in rows}
    maps = MapSet(Output('reho', 'func', 'boldmap', 'x'), SPACE, files, AFFINE, SHAPE, {})
    covariates = pd.DataFrame({'age': rng.uniform(20, 80, 12)})
    model = Model('m', 'reho', 'age')
    whole = fit_maps(model, maps, rows, covariates, tmp_path)
    covariates.loc[5, 'age'] = np.nan
    found = fit_maps(model, maps, rows, covariates, tmp_path)
    assert not whole.mask[:3].any() and found.mask.all()
    assert found.design.left_out == {'age': 1}


def test_maps_of_which_none_can_be_read_are_refused(tmp_path: Path) -> None:
    cohort = make_maps(tmp_path)
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, tmp_path)
    for file in maps.files.values():
        (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:2000])
    with pytest.raises(ModelError, match='for everybody: the map cannot be read'):
        fit_maps(MODEL, maps, cohort.rows, make_covariates(), tmp_path)


def test_smoothing_stays_within_the_mask(tmp_path: Path) -> None:
    values = np.zeros(SHAPE, np.float32)
    mask = np.zeros(SHAPE, bool)
    mask[3:9, 3:9, 3:9] = True
    values[mask], values[~mask] = 2.0, 77.0
    nb.Nifti1Image(values, AFFINE).to_filename(tmp_path / 'map.nii.gz')
    found = load_voxels(tmp_path / 'map.nii.gz', mask, AFFINE, fwhm=16.0)
    np.testing.assert_allclose(found, 2.0, rtol=1e-5)


def test_a_point_is_half_as_high_at_half_the_width(tmp_path: Path) -> None:
    """The width is the full one at half maximum, in mm, along axes of other voxel sizes."""
    affine = np.diag([1.0, 2.0, 1.0, 1.0])
    values = np.zeros((41, 31, 41), np.float32)
    values[20, 15, 20] = 1000
    nb.Nifti1Image(values, affine).to_filename(tmp_path / 'map.nii.gz')
    mask = np.ones(values.shape, bool)
    found = load_voxels(tmp_path / 'map.nii.gz', mask, affine, fwhm=8.0).reshape(values.shape)
    peak = found[20, 15, 20]
    assert found[24, 15, 20] / peak == pytest.approx(0.5, rel=1e-3)
    assert found[20, 17, 20] / peak == pytest.approx(0.5, rel=1e-3)
    assert found[20, 15, 12] / peak == pytest.approx(1 / 16, rel=1e-3)


def test_voxels_hold_more_than_a_tenth_of_tissue(outputs: tuple[Path, Cohort]) -> None:
    out_dir, cohort = outputs
    (maps,) = find_maps('gm_modulated_smooth', cohort, MEASURES, out_dir)
    rows = list(maps.files)[:2]
    folder = out_dir / 'fractions'
    folder.mkdir()
    for name in ('one', 'two'):
        values = np.zeros(SHAPE, np.float32)
        values[2, 2, 2:6] = (0.02, 0.08, 0.10, 0.30) if name == 'one' else (0.16, 0.13, 0.12, 0.0)
        nb.Nifti1Image(values, AFFINE).to_filename(folder / f'{name}.nii.gz')
    files = {rows[0]: 'fractions/one.nii.gz', rows[1]: 'fractions/two.nii.gz'}
    mask, left_out = choose_voxels(maps._replace(files=files), rows, out_dir)
    # Means 0.09, 0.105, 0.11 and 0.15.
    assert mask[2, 2, 2:6].tolist() == [False, True, True, True] and mask.sum() == 3
    assert not left_out


def test_the_partition_of_a_design_keeps_estimate_and_fit() -> None:
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(20), rng.normal(size=(20, 3))])
    weight, values = np.array([0.0, 1.0, -2.0, 0.5]), rng.normal(size=20)
    whole, left = np.linalg.lstsq(design, values, rcond=None)[:2]
    tested, others = split_design(design, weight)
    parted, left_too = np.linalg.lstsq(np.column_stack([tested, others]), values, rcond=None)[:2]
    assert parted[0] == pytest.approx(weight @ whole, rel=1e-10)
    assert left_too[0] == pytest.approx(left[0], rel=1e-10)


def test_files_clusters_and_pictures_are_written(tmp_path: Path) -> None:
    out_dir = tmp_path / 'out'
    cohort = make_maps(out_dir)
    lost = cohort.rows[3]
    cohort.units['vbm', SPACE][lost] = Unit('failed', 'no registration', (), 'T1w.nii.gz')
    config = replace(make_config(out_dir), permutations=100, nprocs=1)
    chapters, refused = find_map_chapters(
        config, MEASURES, [MODEL], Covariates(pd.DataFrame()), make_sample(cohort)
    )
    assert not refused
    stem = out_dir / f'tpl-{SPACE}' / 'anat' / f'tpl-{SPACE}_contrast-1age_stat-ptfcefwe_desc-ageing_statmap'  # noqa: E501  # fmt: skip
    p = nb.load(f'{stem}.nii.gz').get_fdata()
    assert (p[PLACE] < 0.05).mean() > 0.9 and p[0, 0, 0] == 1
    sidecar = json.loads(Path(f'{stem}.json').read_text())
    assert sidecar['Contrast'] == {'Intercept': 0, 'age': 1, 'C(sex)[T.M]': 0}
    assert sidecar['NumberOfParticipants'] == PEOPLE - 1 and len(sidecar['Sources']) == PEOPLE - 1
    clusters = pd.read_csv(
        out_dir / 'models' / f'maps-ageing_space-{SPACE}_clusters.tsv', sep='\t'
    )
    first = clusters.iloc[0]
    assert (first['contrast'], first['cluster']) == ('age', 1) and first['peak_t'] < -8
    centre = AFFINE @ [5.5, 6.5, 5.5, 1]
    assert np.abs(first[['x', 'y', 'z']].to_numpy(float) - centre[:3]).max() <= 16
    # 64 voxels of 8 mm were planted.
    assert first['volume'] == pytest.approx(64 * 512, rel=0.5)
    assert 'sub-03 (failed: no registration)' in ' '.join(chapters[0].notes)
    assert all((out_dir / picture.path).exists() for picture in chapters[0].pictures)


def test_maps_without_somebody_are_compared_with_those_of_everybody(tmp_path: Path) -> None:
    out_dir = tmp_path / 'out'
    cohort = make_maps(out_dir)
    everybody = make_sample(cohort)
    # Three maps in which grey matter is lost where nothing was planted.
    for row in cohort.rows[-3:]:
        path = out_dir / cohort.units['vbm', SPACE][row].outputs[0]
        values = nb.load(path).get_fdata()
        values[9:12, 5:9, 4:8] -= 0.01 * make_covariates()['age'][int(row.participant)]
        nb.Nifti1Image(values.astype(np.float32), AFFINE).to_filename(path)
    keep = np.arange(PEOPLE) < PEOPLE - 3
    stayed = Sample(
        select_cohort(cohort, keep), select(everybody.variables, keep), make_covariates()[keep]
    )
    model = replace(MODEL, terms='age')
    chapters, refused = find_map_chapters(
        make_config(out_dir), MEASURES, [model], Covariates(pd.DataFrame()), stayed, everybody
    )
    assert not refused and len(chapters) == 2
    table = pd.read_csv(
        out_dir / 'models' / 'maps-ageing_desc-everybody_compared.tsv', sep='\t'
    ).iloc[0]
    assert (table['n_with'], table['n_without']) == (PEOPLE, PEOPLE - 3)
    assert 0.9 < table['r_t'] < 0.9995 and 0.9 < table['r_effect'] < 0.9995
    assert table['hold_in_both'] <= min(table['hold_with'], table['hold_without'])
    assert table['hold_in_both'] > 40
    stem = f'tpl-{SPACE}/anat/tpl-{SPACE}_contrast-1age_stat-t_desc-ageing'
    t, everybodys = (
        nb.load(out_dir / f'{stem}{name}_statmap.nii.gz').get_fdata() for name in ('', 'Everybody')
    )
    inside = t != 0
    assert table['r_t'] == pytest.approx(
        np.corrcoef(t[inside], everybodys[inside])[0, 1], abs=6e-4
    )
    # Without permutations, voxels of p < 0.001 hold.
    limit = stats.t.isf(0.0005, PEOPLE - 2)
    assert table['hold_with'] == (np.abs(everybodys) > limit).sum()


def test_maps_are_not_harmonised(outputs: tuple[Path, Cohort]) -> None:
    out_dir, cohort = outputs
    model = replace(MODEL, harmonised=True)
    _, refused = find_map_chapters(
        make_config(out_dir), MEASURES, [model], Covariates(pd.DataFrame()), make_sample(cohort)
    )
    assert refused == [
        f'{model.formula}: maps are not harmonised: put the sites into the formula, as in '
        'age + C(sex) + C(site)'
    ]


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (Model('m', 'gm_modulatd', 'age'), 'there is no map gm_modulatd in a space. Did you mean'),
        (Model('m', 'alff', 'age'), 'nobody has alff_in_space'),
        (Model('m', 'gm_modulated_smooth', 'height'), 'height is no column'),
        (replace(MODEL, errors='robust'), 'errors: robust is for regions only'),
        (
            replace(MODEL, joint={'both': ({'age': 1.0}, {'C(sex)[T.M]': 1.0})}),
            'contrasts of several rows (both) are for regions only',
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    outputs: tuple[Path, Cohort], model: Model, message: str
) -> None:
    out_dir, cohort = outputs
    with pytest.raises(ModelError) as caught:
        (maps,) = find_maps(model.outcome, cohort, MEASURES, out_dir)
        fit_maps(model, maps, cohort.rows, make_covariates(), out_dir)
    assert message in str(caught.value)


def test_permutations_that_do_not_fit_into_memory_are_refused(
    outputs: tuple[Path, Cohort],
) -> None:
    out_dir, cohort = outputs
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, out_dir)
    work = Work(permutations=100, memory_gb=1e-4)
    with pytest.raises(ModelError, match=r'need 0\.0 GiB, and --mem allows 0\.0001'):
        fit_maps(MODEL, maps, cohort.rows, make_covariates(), out_dir, work=work)


def test_a_cluster_of_workers_gives_the_same(outputs: tuple[Path, Cohort]) -> None:
    distributed = pytest.importorskip('distributed')
    out_dir, cohort = outputs
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, out_dir)
    here = fit_maps(MODEL, maps, cohort.rows, make_covariates(), out_dir,
                    work=Work(permutations=50))  # fmt: skip
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None,
                                  processes=False) as cluster:  # fmt: skip
        work = Work(permutations=50, scheduler=cluster.scheduler_address)
        there = fit_maps(MODEL, maps, cohort.rows, make_covariates(), out_dir, work=work)
    np.testing.assert_array_equal(there.tests['age'].t, here.tests['age'].t)
    np.testing.assert_allclose(
        there.corrected['age'].p_enhanced_fwe, here.corrected['age'].p_enhanced_fwe, rtol=1e-6
    )


def permute(outputs: tuple[Path, Cohort], scheduler: str) -> np.ndarray:
    out_dir, cohort = outputs
    (maps,) = find_maps(MODEL.outcome, cohort, MEASURES, out_dir)
    work = Work(permutations=50, scheduler=scheduler)
    fitted = fit_maps(MODEL, maps, cohort.rows, make_covariates(), out_dir, work=work)
    return np.stack([fitted.corrected['age'].p_enhanced_fwe, fitted.tests['age'].t])


@pytest.mark.slow
def test_processes_of_this_machine_give_the_same(outputs: tuple[Path, Cohort]) -> None:
    pytest.importorskip('distributed')
    np.testing.assert_allclose(permute(outputs, 'local'), permute(outputs, ''), rtol=1e-6)


@pytest.mark.slow
def test_a_scheduler_and_a_worker_elsewhere_give_the_same(
    outputs: tuple[Path, Cohort], tmp_path: Path
) -> None:
    """Both are processes of their own, as on a cluster; each is started by its command."""
    pytest.importorskip('distributed')
    told = tmp_path / 'scheduler.json'
    command = [sys.executable, '-m', 'distributed.cli.']
    options = ['--scheduler-file', str(told), '--no-dashboard']
    with ExitStack() as stack:
        for role, more in (('dask_scheduler', ['--host', '127.0.0.1', '--port', '0']),
                           ('dask_worker', ['--nworkers', '1', '--nthreads', '1'])):  # fmt: skip
            words = [*command[:2], command[2] + role, *options, *more]
            process = subprocess.Popen(
                words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
            end = time.monotonic() + 60
            while not told.is_file() and time.monotonic() < end:
                time.sleep(0.2)
        address = json.loads(told.read_text())['address']
        assert address.startswith('tcp://127.0.0.1:')
        found = permute(outputs, address)
    np.testing.assert_allclose(found, permute(outputs, ''), rtol=1e-6)


def test_a_scheduler_that_does_not_answer_is_refused(outputs: tuple[Path, Cohort]) -> None:
    pytest.importorskip('distributed')
    with pytest.raises(ModelError, match=r'does not answer.* start dask scheduler'):
        permute(outputs, 'nowhere')


def test_clusters_are_named_after_the_regions_they_lie_in(tmp_path: Path) -> None:
    affine = np.array([[2.0, 0, 0, -96], [0, 2, 0, -132], [0, 0, 2, -78], [0, 0, 0, 1]])
    shape = (97, 115, 97)
    regions = load_regions(SPACE, affine, shape, tmp_path)
    if not regions.names:
        pytest.skip('the atlas is not here')
    number = {name: index for index, name in regions.names.items()}
    # A positive cluster of the left hippocampus, and a negative one of two parts of the cortex.
    t = np.zeros(shape, np.float32)
    t[regions.labels == number['Left-Hippocampus']] = 4.0
    for name in ('ctx-rh-precentral', 'ctx-rh-postcentral'):
        t[regions.labels == number[name]] = -5.0
    found = find_clusters(t, np.where(t, 0.001, 1.0), t != 0, affine, regions)
    assert found[0].peak == -5 and found[0].place[0] > 0
    named = {part.rpartition(' ')[0].rpartition(' ')[0] for part in found[0].regions.split(', ')}
    assert named == {'ctx-rh-precentral', 'ctx-rh-postcentral'}
    (positive,) = [one for one in found if one.peak > 0][:1]
    assert positive.regions == 'Left-Hippocampus 100 %'
    assert np.abs(np.array(positive.place) - [-26, -22, -14]).max() < 22


def test_memory_does_not_grow_with_the_number_of_maps(tmp_path: Path) -> None:
    shape, rng = (40, 40, 40), np.random.default_rng(0)
    nb.Nifti1Image(rng.normal(size=shape).astype(np.float32), AFFINE).to_filename(
        tmp_path / '0.nii.gz'
    )
    peaks = []
    for count in (5, 5, 40):
        rows = [Row('', str(number)) for number in range(count)]
        maps = MapSet(
            Output('reho', 'func', 'boldmap', 'x'), SPACE, dict.fromkeys(rows, '0.nii.gz'),
            AFFINE, shape, {},
        )  # fmt: skip
        covariates = pd.DataFrame({'age': rng.uniform(20, 80, count)})
        tracemalloc.start()
        fit_maps(Model('m', 'reho', 'age'), maps, rows, covariates, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The second time nothing is imported any more.
    assert peaks[2] < 1.05 * peaks[1]
