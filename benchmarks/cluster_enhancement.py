"""Time of permutations with threshold-free cluster enhancement, ours and nilearn's.

    python benchmarks/cluster_enhancement.py [--size 2] [--people 40] [--permutations 20]
    python benchmarks/cluster_enhancement.py --whole 5000 --people 30

The second form times a whole ``group --map-model`` of maps on disk, on two processors: reading,
masking, fitting, all permutations, the fitted tail, cluster tables, files and the page.

Both get the same smooth random maps, one tested column and one covariate; a permutation of ours is
timed with the same number of processors (one). Agreement is that of the observed statistics.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import nibabel as nb
import numpy as np
from nilearn.maskers import NiftiMasker
from nilearn.mass_univariate import permuted_ols
from scipy import ndimage

from mriderived import cli
from mriderived.bids.description import write_description
from mriderived.bids.status import UnitRecord, write_record
from mriderived.config import Config
from mriderived.core.cluster_enhancement import enhance, list_neighbours
from mriderived.core.permutation import observe, pose_problem, shuffle

SPACE = 'MNI152NLin2009cAsym'


def make_maps(people: int, size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return maps (n, V) in an ellipsoid as large as a brain, and the mask with its affine."""
    shape = tuple(round(length / size) for length in (140, 180, 140))
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing='ij')
    mask = sum(axis**2 for axis in axes) <= 1
    rng = np.random.default_rng(0)
    maps = np.array([
        ndimage.gaussian_filter(rng.normal(size=shape), 3 / size)[mask] for _ in range(people)
    ], np.float32)  # fmt: skip
    return maps / maps.std(), mask, np.diag([size, size, size, 1])


def peak() -> str:
    """Say what this process has held at most."""
    return f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB'


def write_cohort(folder: Path, people: int, size: float) -> None:
    """Write maps of grey matter as the participant level does, with an effect of age in a box."""
    noise, mask, _ = make_maps(people, size)
    shape = mask.shape
    # The middle of the ellipsoid lies where that of a brain in MNI space does.
    corner = np.array([0.0, -18.0, 12.0]) - size * (np.array(shape) - 1) / 2
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = corner
    ages = np.random.default_rng(2).uniform(20, 80, people)
    raw, out = folder / 'raw', folder / 'out'
    raw.mkdir()
    out.mkdir()
    (raw / 'dataset_description.json').write_text('{"Name": "B", "BIDSVersion": "1.8.0"}')
    lines = [f'sub-{place:02d}\t{age:.1f}\n' for place, age in enumerate(ages)]
    (raw / 'participants.tsv').write_text('participant_id\tage\n' + ''.join(lines))
    write_description(out, raw, Config(raw, out, out / 'work'))
    for place, (values, age) in enumerate(zip(noise, ages, strict=True)):
        image = np.zeros(shape, np.float32)
        image[mask] = 0.5 + 0.05 * values
        image[20:30, 40:50, 30:40] -= np.float32(0.003 * (age - 50))
        label = f'{place:02d}'
        name = f'sub-{label}/anat/sub-{label}_space-{SPACE}_label-GM_desc-modulatedSm8_probseg.nii.gz'  # noqa: E501  # fmt: skip
        (out / name).parent.mkdir(parents=True)
        nb.Nifti1Image(image, affine).to_filename(out / name)
        source = f'sub-{label}/anat/sub-{label}_T1w.nii.gz'
        write_record(out, label, [
            UnitRecord(label, None, source, 'vbm', SPACE, 'done', outputs=(name,))
        ])  # fmt: skip


def run_whole(people: int, size: float, permutations: int) -> None:
    """Time the command line on maps on disk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cohort(folder, people, size)
        start, worked = time.perf_counter(), time.process_time()
        code = cli.main([
            str(folder / 'raw'), str(folder / 'out'), 'group', '--map-model',
            'gm_modulated_smooth ~ age', '--permutations', str(permutations), '--nprocs', '2',
        ])  # fmt: skip
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
        listed = json.loads((folder / 'out' / 'logs' / 'group.json').read_text())
        print(f'code {code}, {people} maps of {size:g} mm, {permutations} permutations on two '
              f'processors: {seconds / 60:.1f} min, {worked / 60:.1f} of a processor')  # fmt: skip
        print(f'         {peak()}')
        for chapter in listed['chapters']:
            print(chapter['text'][:600])


def main() -> None:
    """Print seconds per permutation of both, their ratio, and how far they agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=float, default=2.0)
    parser.add_argument('--people', type=int, default=40)
    parser.add_argument('--permutations', type=int, default=20)
    parser.add_argument('--whole', type=int, default=0, help='permutations of a whole run')
    given = parser.parse_args()
    if given.whole:
        run_whole(given.people, given.size, given.whole)
        return
    maps, mask, affine = make_maps(given.people, given.size)
    rng = np.random.default_rng(1)
    tested, covariate = rng.normal(size=(2, given.people))
    nuisance = np.column_stack([np.ones(given.people), covariate])
    print(f'{given.people} maps, {maps.shape[1]} voxels of {given.size:g} mm, one processor')

    neighbours = list_neighbours(mask)
    problem = pose_problem(maps, tested, nuisance)
    shuffle(problem, range(1), 0, neighbours)  # compile
    start = time.perf_counter()
    shuffle(problem, range(given.permutations), 0, neighbours)
    ours = (time.perf_counter() - start) / given.permutations
    print(f'ours     {ours:8.3f} s per permutation')
    print(f'         5000 on two processors: {ours * 2500 / 60:.1f} min; {peak()}')

    masker = NiftiMasker(nb.Nifti1Image(mask.astype(np.uint8), affine)).fit()
    few = max(3, given.permutations // 5)
    seconds = []
    for count in (1, 1 + few):  # the difference is of the permutations alone
        start = time.perf_counter()
        theirs = permuted_ols(tested[:, None], maps, covariate[:, None], n_perm=count, tfce=True,
                              masker=masker, n_jobs=1, random_state=0)  # fmt: skip
        seconds.append(time.perf_counter() - start)
    nilearn = (seconds[1] - seconds[0]) / few
    print(f'nilearn  {nilearn:8.3f} s per permutation')
    print(f'ratio    {nilearn / ours:8.1f}')
    print(f'         {peak()}')
    t, enhanced = observe(problem), enhance(observe(problem), neighbours)
    print(f't        largest difference {np.abs(t - theirs["t"].ravel()).max():.1e}')
    print(f'enhanced r = {np.corrcoef(enhanced, theirs["tfce"].ravel())[0, 1]:.5f}')


if __name__ == '__main__':
    main()
