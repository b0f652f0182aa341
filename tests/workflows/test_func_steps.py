"""The steps of BOLD as functions, one after the other, on a run of 60 small volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy
from tiny_bold import (
    AFFINE,
    JUMP,
    JUMP_MM,
    SHAPE,
    TR,
    VOLUMES,
    T1w,
    draw_volume,
    places,
    radius,
    write_acquisition,
    write_run,
    write_t1w,
)

from mriderived.group.columns import is_cohort_output
from mriderived.interfaces.denoising import denoise_run
from mriderived.interfaces.motion_files import read_motion
from mriderived.interfaces.sink import remarks_file, save_output, write_remarks
from mriderived.interfaces.volumes import load, load_affine, save
from mriderived.measures.alff import write_alff
from mriderived.workflows.func_atlas import label_epi
from mriderived.workflows.func_confounds import find_confounds
from mriderived.workflows.func_denoising import BOLD_DENOISING, remove_confounds
from mriderived.workflows.func_distortion import find_distortion
from mriderived.workflows.func_mask import mask_epi
from mriderived.workflows.func_motion import estimate_motion
from mriderived.workflows.func_registration import BOLD_REGISTRATION, coregister
from mriderived.workflows.func_series import resample_bold

BRAIN = radius(places(SHAPE, AFFINE)) < 1


class Run(NamedTuple):
    """Files of a run after the steps up to the confounds."""

    raw: Path
    acquisition: Path
    distorted: Path
    motion: Path
    reference: Path
    displacement: Path
    mask: Path
    preproc: Path
    confounds: Path
    t1w: T1w


def remarks(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(remarks_file(path).read_text())
    return found


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp('tiny')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        raw = write_run(folder, unsteady=2)
        acquisition = write_acquisition(folder, raw)
        t1w = write_t1w(folder)
        motion = estimate_motion(raw)
        distortion = find_distortion(motion.bold_distorted, acquisition)
        mask = mask_epi(distortion.bold_reference, t1w.xfm_bold_to_t1w, t1w.brain_mask)
        series = resample_bold(raw, acquisition, motion.bold_motion, distortion.bold_displacement)
        confounds = find_confounds(
            series.bold_preproc, mask.mask, motion.bold_motion, t1w.xfm_bold_to_t1w,
            t1w.gm_probseg, t1w.wm_probseg, t1w.csf_probseg,
        )  # fmt: skip
    return Run(
        raw, acquisition, *motion, *distortion, mask.mask, series.bold_preproc,
        confounds.bold_confounds, t1w,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_jump_is_found(run: Run) -> None:
    table, matrices, unsteady = read_motion(run.motion)
    assert unsteady == 2
    assert len(table) == len(matrices) == VOLUMES
    before, after = (table['trans_y'][part].median() for part in (slice(2, JUMP), slice(JUMP, 60)))
    assert abs(after - before) == pytest.approx(JUMP_MM, abs=0.1)
    for column in ('trans_x', 'trans_z'):
        assert table[column].abs().max() < 0.2
    displacement = table['framewise_displacement']
    assert np.isnan(displacement[0])
    assert displacement[3:].idxmax() == JUMP
    assert displacement[JUMP] == pytest.approx(JUMP_MM, abs=0.4)
    assert (table['fit'][2:] > 0.95).all()
    assert table['steady'].tolist() == [0, 0, *[1] * 58]
    np.testing.assert_allclose(matrices[JUMP:, 1, 3] - matrices[5, 1, 3], JUMP_MM, atol=0.3)


def test_volumes_before_the_steady_state_are_remarked(run: Run) -> None:
    said = remarks(run.distorted)
    assert said['NonSteadyStateVolumes'] == 2
    assert said['Notes'] == ['Left out before the steady state: 2 volumes.']


def test_volumes_before_the_steady_state_give_the_position_and_no_intensity() -> None:
    still, moved = draw_volume(0), draw_volume(JUMP_MM)
    rng = np.random.default_rng(1)
    series = np.stack([1.5 * moved] * 2 + [still] * 10, axis=-1)
    series += rng.normal(0, 3, series.shape)
    nb.Nifti1Image(series.astype(np.float32), AFFINE).to_filename('dummies.nii.gz')
    found = estimate_motion(Path('dummies.nii.gz').absolute())
    table, _, unsteady = read_motion(found.bold_motion)
    assert unsteady == 2
    assert table['trans_y'][:2].abs().max() < 0.2
    assert table['trans_y'][2:].abs().median() == pytest.approx(JUMP_MM, abs=0.2)
    reference = load(found.bold_distorted)
    assert reference[BRAIN].mean() == pytest.approx(still[BRAIN].mean(), rel=0.02)


def test_without_a_field_map_nothing_is_displaced_and_a_note_says_so(run: Run) -> None:
    np.testing.assert_array_equal(load(run.reference), load(run.distorted))
    assert not load(run.displacement).any()
    said = remarks(run.reference)
    assert said['SusceptibilityDistortionCorrection'] == 'none'
    assert said['Notes'] == ['No distortion correction: there are no field maps.']


def test_a_constant_field_moves_the_reference_along_the_phase_axis(run: Run) -> None:
    x, y, z = SHAPE
    hertz = np.full(SHAPE, 20, np.float32)
    magnitude = np.where(BRAIN, 1000, 1).astype(np.float32)
    files = {
        'fieldmap': save(hertz, AFFINE, 'hz.nii.gz'),
        'magnitude': save(magnitude, AFFINE, 'm.nii.gz'),
    }
    field = {
        'kind': 'fieldmap', 'files': {role: str(path) for role, path in files.items()},
        'run': {'direction': 'j-', 'readout_time': 0.05}, 'epi': {}, 'echo_times': [],
        'units': 'Hz',
    }  # fmt: skip
    acquisition = write_acquisition(Path.cwd(), run.raw, field_map=field, notes=[])
    found = find_distortion(run.distorted, acquisition)
    said = remarks(found.bold_reference)
    assert said['SusceptibilityDistortionCorrection'] == 'field map (fieldmap)'
    # The mean field is the scanner's frequency: it moves nothing.
    assert np.abs(load(found.bold_displacement)).max() < 0.01
    assert (x, y, z) == load(found.bold_reference).shape


def test_the_mask_is_that_of_the_t1w_without_voids(run: Run) -> None:
    mask = load(run.mask) > 0
    overlap = 2 * (mask & BRAIN).sum() / (mask.sum() + BRAIN.sum())
    assert overlap > 0.95
    assert remarks(run.mask)['Notes'] == [
        'Brain mask of BOLD: from the T1w image, without voids of the signal.'
    ]
    void = load(run.reference)
    void[:7] *= 0.02
    path = save(void, AFFINE, 'void.nii.gz')
    holey = load(mask_epi(path, run.t1w.xfm_bold_to_t1w, run.t1w.brain_mask).mask) > 0
    assert not holey[:7].any()
    assert holey[8:].sum() == mask[8:].sum()


def test_without_a_t1w_the_mask_is_found_in_the_histogram(run: Run) -> None:
    found = mask_epi(run.reference)
    mask = load(found.mask) > 0
    assert 2 * (mask & BRAIN).sum() / (mask.sum() + BRAIN.sum()) > 0.85
    assert 'there is no T1w image' in remarks(found.mask)['Notes'][0]


def test_a_t1w_elsewhere_gives_no_mask_but_an_error(run: Run) -> None:
    far = save(load(run.reference), AFFINE + np.eye(4, k=3) * 900, 'far.nii.gz')
    with pytest.raises(ValueError, match='no brain was found in the BOLD reference; look at'):
        mask_epi(far, run.t1w.xfm_bold_to_t1w, run.t1w.brain_mask)


def test_the_series_stands_still_after_resampling(run: Run) -> None:
    raw, still = nb.load(run.raw).get_fdata(), nb.load(run.preproc).get_fdata()
    assert still.shape == raw.shape
    np.testing.assert_allclose(load_affine(run.preproc), AFFINE, atol=1e-5)
    assert nb.load(run.preproc).header.get_zooms()[3] == pytest.approx(TR)

    def jump(series: np.ndarray) -> float:
        apart = series[..., JUMP:].mean(axis=3) - series[..., 2:JUMP].mean(axis=3)
        return float(np.sqrt(np.mean(apart[BRAIN] ** 2)))

    assert jump(still) < 0.3 * jump(raw)
    said = remarks(run.preproc)
    assert said['SliceTimingCorrected'] is False
    assert said['Notes'] == ['Slice timing was not corrected: it is not known.']
    assert (said['RepetitionTime'], said['TaskName']) == (TR, 'rest')


def test_known_slice_times_are_corrected_to_their_middle(run: Run) -> None:
    times = [TR * k / SHAPE[2] for k in range(SHAPE[2])]
    acquisition = write_acquisition(Path.cwd(), run.raw, slice_times=times)
    found = resample_bold(run.raw, acquisition, run.motion, run.displacement)
    said = remarks(found.bold_preproc)
    assert said['SliceTimingCorrected'] is True
    assert said['StartTime'] == pytest.approx(TR * 13 / 14 / 2, abs=1e-4)
    assert said['Notes'] == []


def test_slice_times_that_are_not_used_have_one_reason(run: Run) -> None:
    reason = 'SliceTiming reaches 1000 s but a volume takes 2 s; it looks like milliseconds'
    for changes, expected in (({}, 'it is not known'), ({'slice_fault': reason}, reason)):
        acquisition = write_acquisition(Path.cwd(), run.raw, **changes)
        found = resample_bold(run.raw, acquisition, run.motion, run.displacement)
        assert remarks(found.bold_preproc)['Notes'] == [
            f'Slice timing was not corrected: {expected}.'
        ]


@pytest.mark.parametrize(
    ('strategy', 'options', 'column'),
    [
        ('simple', {}, 'white_matter'),
        ('scrubbing', {}, 'csf_derivative1'),
        ('compcor', {'compcor': 'anat_combined', 'n_compcor': 2}, 'a_comp_cor_00'),
        ('compcor', {'compcor': 'anat_separated', 'n_compcor': 2}, 'w_comp_cor_00'),
        ('compcor', {'compcor': 'temporal', 'n_compcor': 1}, 't_comp_cor_00'),
    ],
)
def test_nilearn_reads_the_confounds(
    run: Run, tmp_path: Path, strategy: str, options: dict[str, Any], column: str
) -> None:
    stem = tmp_path / 'sub-01_task-rest'
    save_output(run.preproc, f'{stem}_desc-preproc_bold.nii.gz', {})
    save_output(run.confounds, f'{stem}_desc-confounds_timeseries.tsv', {})
    image = f'{stem}_desc-preproc_bold.nii.gz'
    if strategy == 'compcor':
        confounds, kept = load_confounds(image, ('high_pass', 'motion', 'compcor'), **options)
    else:
        confounds, kept = load_confounds_strategy(image, denoise_strategy=strategy)
    assert len(confounds) == VOLUMES
    assert column in confounds
    assert kept is not None and not {0, 1} & set(kept)
    assert not confounds.isna().any().any()


def test_the_table_of_confounds_has_the_names_of_fmriprep(run: Run) -> None:
    table = pd.read_csv(run.confounds, sep='\t', na_values='n/a')
    assert len(table) == VOLUMES
    for name in ('global_signal', 'csf', 'white_matter', 'std_dvars', 'dvars', 'rmsd', 'rot_z',
                 'framewise_displacement', 'trans_y_derivative1_power2'):  # fmt: skip
        assert name in table, name
    assert [c for c in table if c.startswith('non_steady')] == [
        'non_steady_state_outlier00', 'non_steady_state_outlier01',
    ]  # fmt: skip
    jumps = table.filter(regex='^motion_outlier').sum(axis=1)
    assert jumps[JUMP] == 1
    assert remarks(run.confounds)['a_comp_cor_00']['Method'] == 'aCompCor'


def test_without_a_t1w_there_are_no_confounds_of_tissues(run: Run) -> None:
    found = find_confounds(run.preproc, run.mask, run.motion)
    table = pd.read_csv(found.bold_confounds, sep='\t', na_values='n/a')
    assert not {'csf', 'white_matter', 'a_comp_cor_00'} & set(table)
    assert {'global_signal', 't_comp_cor_00', 'trans_x'} <= set(table)
    notes = remarks(found.bold_confounds)['Notes']
    reason = 'there is no T1w image, or no tissues were found in it'
    assert notes[:2] == [f'No confounds of {name}: {reason}.' for name in ('CSF', 'white matter')]
    assert remarks(found.bold_confounds)['TissueSignalsMissing'] == {
        'csf': reason, 'white_matter': reason,
    }  # fmt: skip


def test_a_named_strategy_that_needs_tissues_fails_with_reason_and_remedy(run: Run) -> None:
    confounds = find_confounds(run.preproc, run.mask, run.motion).bold_confounds
    for strategy in ('36P', '8P+scrub', '24P+aCompCor'):
        with pytest.raises(ValueError, match='needs c') as error:
            remove_confounds(run.preproc, run.mask, confounds, strategy, (0.01, 0.2))
        assert (
            '(there is no signal of cerebrospinal fluid and white matter: there is no T1w image, '
            'or no tissues were found in it); take --denoising auto, which is 24P+GSR for such '
            'runs, or another, such as 24P'
        ) in str(error.value)


def test_the_default_does_without_tissues_and_says_so(run: Run) -> None:
    confounds = find_confounds(run.preproc, run.mask, run.motion).bold_confounds
    found = remove_confounds(run.preproc, run.mask, confounds, 'auto', (0.01, 0.25))
    said = remarks(found.bold_denoised)
    assert said['DenoisingStrategy'] == '24P+GSR'
    assert said['DenoisingStrategyAsked'] == 'auto'
    reason = (
        '24P+GSR was taken, because there is no signal of cerebrospinal fluid and white matter: '
        'there is no T1w image, or no tissues were found in it'
    )
    assert said['DenoisingStrategyReason'] == reason
    assert said['Notes'][0] == f'Denoising: {reason}.'
    assert 'degrees of freedom are left after 24P+GSR (' in said['Notes'][1]
    assert len(said['Confounds']) == 28
    alff = remarks(write_alff(run.preproc, run.mask, confounds, 'auto', (0.01, 0.1)).alff)
    assert (alff['DenoisingStrategy'], alff['DenoisingStrategyReason']) == ('24P+GSR', reason)


def test_the_default_is_36p_where_there_are_tissues(run: Run) -> None:
    bands: Any = (0.001, 0.25)
    found = remove_confounds(run.preproc, run.mask, run.confounds, 'auto', bands)
    said = remarks(found.bold_denoised)
    assert (said['DenoisingStrategy'], said['DenoisingStrategyAsked']) == ('36P', 'auto')
    assert 'DenoisingStrategyReason' not in said
    named = remove_confounds(run.preproc, run.mask, run.confounds, '36P', bands)
    assert 'DenoisingStrategyAsked' not in remarks(named.bold_denoised)


def test_denoising_counts_its_degrees_of_freedom(run: Run) -> None:
    found = remove_confounds(run.preproc, run.mask, run.confounds, '6P', (0.01, 0.2))
    said = remarks(found.bold_denoised)
    # 58 volumes are kept; of 60 cosines of k/240 Hz, 3 to 48 are in the band.
    assert said['VolumesCensored'] == 2
    assert said['CensoredVolumes'] == [0, 1]
    assert said['DegreesOfFreedomOfConfounds'] == 6
    assert said['DegreesOfFreedomOfBand'] == 60 - 46
    assert said['DegreesOfFreedomLeft'] == 58 - 6 - 14
    assert said['Notes'] == [
        '38 of 60 degrees of freedom are left after 6P (2 volumes censored, 6 for confounds, 14 '
        'for the band of 0.01 to 0.2 Hz).'
    ]
    image = nb.load(found.bold_denoised)
    assert image.shape == (*SHAPE, 58)
    data = np.asarray(image.dataobj)
    mask = load(run.mask) > 0
    assert not data[~mask].any()
    assert np.abs(data[mask].mean(axis=1)).max() < 1e-3
    motion = pd.read_csv(run.confounds, sep='\t')['trans_y'].to_numpy()[2:]
    correlation = data[mask] @ (motion - motion.mean())
    assert np.abs(correlation).max() < 0.05 * data[mask].std() * motion.std() * 58


def test_what_denoising_leaves_is_a_row_of_the_cohort_table(run: Run) -> None:
    found = remove_confounds(run.preproc, run.mask, run.confounds, '6P', (0.01, 0.2))
    table = pd.read_csv(found.bold_degrees, sep='\t')
    assert table.to_dict('records') == [{
        'volumes': 60, 'volumes_kept': 58, 'share_kept': pytest.approx(58 / 60, abs=1e-6),
        'degrees_confounds': 6, 'degrees_band': 14, 'degrees_left': 38,
    }]  # fmt: skip
    assert is_cohort_output(BOLD_DENOISING.output('bold_degrees'))


def test_the_cost_of_the_boundary_is_one_too(run: Run) -> None:
    output = BOLD_REGISTRATION.output('bold_coregistration')
    assert is_cohort_output(output)
    wm, gm = load(run.t1w.wm_probseg), load(run.t1w.gm_probseg)
    t1w = save(1000 * wm + 700 * gm, load_affine(run.t1w.wm_probseg), 't1w.nii.gz')
    flat = (run.reference, run.distorted, run.displacement, run.acquisition)
    files = coregister(*flat, t1w, run.t1w.brain_mask, run.t1w.gm_probseg, run.t1w.wm_probseg)
    said = remarks(files.xfm_to_t1w)
    (row,) = pd.read_csv(files.coregistration, sep='\t').to_dict('records')
    assert list(row) == [column.name for column in output.columns]
    assert row['mutual_information'] == pytest.approx(
        said['NormalisedMutualInformation'], abs=1e-4
    )
    assert row['boundary_contrast'] == pytest.approx(said['BoundaryContrastPercent'], abs=0.01)
    # The texture has no step at the border of white matter, so boundaries are not believed.
    assert said['Method'] == 'mutual information'
    assert np.isnan(row['boundary_cost'])
    assert remarks(files.coregistration)['MissingReasons'] == {
        'boundary_cost': 'the alignment by boundaries was not believed'
    }


def test_scrubbing_leaves_out_the_jump(run: Run) -> None:
    found = remove_confounds(run.preproc, run.mask, run.confounds, '6P+scrub', (0.01, 0.2))
    assert JUMP in remarks(found.bold_denoised)['CensoredVolumes']


def test_too_few_degrees_of_freedom_are_an_error_with_a_remedy(run: Run) -> None:
    def told(table: Path, strategy: str, band: tuple[float, float] | None) -> str:
        with pytest.raises(ValueError, match='degrees of freedom are left') as error:
            denoise_run(run.preproc, run.mask, table, strategy, band)
        return str(error.value).split(': ', 1)[1]

    # Of 60 cosines of k/240 Hz, 17 are in the band, and 22 of 58 volumes would do for 36P.
    assert told(run.confounds, '36P', (0.01, 0.08)) == 'take more frequencies (--frequency-band)'
    assert told(run.confounds, '36P', (0.01, 0.16)) == (
        'take fewer confounds (--denoising 6P) or take more frequencies (--frequency-band)'
    )
    table = pd.read_csv(run.confounds, sep='\t')
    for frame in range(4, VOLUMES, 4):
        table[f'motion_outlier{frame:02d}'] = (np.arange(VOLUMES) == frame).astype(int)
    table.to_csv('moved.tsv', sep='\t', index=False, na_rep='n/a')
    said = json.loads(remarks_file(run.confounds).read_text())
    write_remarks(Path('moved.tsv').absolute(), **said)
    moved = Path('moved.tsv').absolute()
    assert told(moved, '6P+scrub', (0.001, 0.25)) == 'do not censor (--denoising 6P)'
    # ALFF takes all frequencies whatever the band.
    assert told(moved, '24P+scrub', None) == 'do not censor (--denoising 24P)'
    assert told(moved, '36P+scrub', (0.01, 0.05)) == (
        'no other single setting leaves enough, so this run is too short or moved too much'
    )


def test_regions_come_to_the_grid_of_bold(run: Run) -> None:
    fine = load(run.t1w.brain_mask)
    affine = load_affine(run.t1w.brain_mask)
    labels = np.where(fine > 0, 1, 0).astype(np.int32)
    labels[:20][labels[:20] > 0] = 2
    labels[:, :, 26:] = 7
    atlas = save(labels, affine, 'atlas.nii.gz')
    table = Path('atlas.tsv')
    table.write_text(
        'index\tname\themisphere\ttissue\tcoverage\n1\tright\tR\tcortex\t1\n'
        '2\tleft\tL\tcortex\t0.5\n7\ttop\tR\tcortex\t1\n9\tnone\tL\tcortex\t0\n'
    )
    found = label_epi(run.mask, run.t1w.xfm_bold_to_t1w, atlas, table)
    regions = load(found.dseg, np.int32)
    mask = load(run.mask) > 0
    assert not regions[~mask].any()
    assert set(regions[mask][regions[mask] > 0]) <= {1, 2, 7}
    assert (regions[:10][mask[:10]] != 1).all()
    said = pd.read_csv(found.labels, sep='\t').set_index('name')['coverage']
    assert said['right'] > 0.9
    assert said['left'] == pytest.approx(0.5, abs=0.05)
    assert said['top'] < 0.1
    assert said['none'] == 0
