"""Our registration and ANTs' SyN on the same brain: time, likeness, folds, inverse consistency.

    python benchmarks/registration.py T1W.nii.gz [--threads 2]

Both register the brain-extracted T1w to the brain of MNI152NLin2009cAsym at 1.5 mm, T1w alone.
ANTs runs `antsRegistrationSyN`'s affine and SyN with local correlation, as fMRIPrep does.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np


def correlate(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation where either image has brain."""
    inside = (first > 0) | (second > 0)
    return float(np.corrcoef(first[inside], second[inside])[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('image', type=Path)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] = str(options.threads)

    import ants

    from mriderived.core.affine import Brain
    from mriderived.core.registration import align, to_template, volume_change
    from mriderived.interfaces.space_files import load_template
    from mriderived.interfaces.volumes import load, load_affine, save
    from mriderived.spaces import get_space
    from mriderived.workflows.anat_brain import prepare_t1w

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        files = prepare_t1w(options.image.resolve(), 'auto', 'cpu', options.threads)
        data, affine = load(files.t1w), load_affine(files.t1w)
        brain = np.where(load(files.brain_mask, bool), data, 0).astype(np.float32)
        space = get_space('MNI152NLin2009cAsym')
        template = load_template(space.brain, space.tissues, options.threads)
        align(template, Brain(brain, affine), threads=options.threads)  # compile first

        start = time.perf_counter()
        found = align(template, Brain(brain, affine), threads=options.threads)
        ours = time.perf_counter() - start
        warped = to_template(brain, affine, found, options.threads)
        change = volume_change(found, options.threads)

        fixed = ants.image_read(str(save(template.brain, template.affine, 'fixed.nii.gz')))
        moving = ants.image_read(str(save(brain, affine, 'moving.nii.gz')))
        start = time.perf_counter()
        result = ants.registration(
            fixed, moving, 'SyN', syn_metric='CC', syn_sampling=4,
            reg_iterations=(100, 70, 50), random_seed=1,
        )  # fmt: skip
        theirs = time.perf_counter() - start
        jacobian = ants.create_jacobian_determinant_image(fixed, result['fwdtransforms'][0])
        ants.image_write(result['warpedmovout'], 'warped.nii.gz')
        peer = load(Path('warped.nii.gz'))

    print(f'ours  {ours:7.1f} s   r with the template {correlate(warped, template.brain):.4f}   '
          f'smallest Jacobian {change.min():.3f}')  # fmt: skip
    print(f'ANTs  {theirs:7.1f} s   r with the template {correlate(peer, template.brain):.4f}   '
          f'smallest Jacobian {jacobian.numpy().min():.3f}')  # fmt: skip
    print(f'time ratio {theirs / ours:.1f}')
    print(f'agreement of the two warped images: r {correlate(warped, peer):.4f}')
    print(f'peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB')


if __name__ == '__main__':
    main()
