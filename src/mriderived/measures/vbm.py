"""Voxel-based morphometry: modulated grey and white matter in a space, plain and smoothed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from mriderived.config import Config
from mriderived.core.vbm import modulate, smooth
from mriderived.figures.overlays import map_overlay
from mriderived.interfaces.call import Call
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.interfaces.warps import read_grid, warp_map
from mriderived.measures.base import Figure, Measure, Output

#: Full width at half maximum of the smoothing, in mm.
FWHM = 8.0
NEEDS = ('gm_probseg', 'wm_probseg', 'xfm_to_space', 'log_jacobian', 't1w_in_space')
MAPS_FROM = NEEDS[:4]


class VbmMaps(NamedTuple):
    """The files that :func:`make_maps` writes."""

    gm_modulated: Path
    wm_modulated: Path
    gm_modulated_smooth: Path
    wm_modulated_smooth: Path


def make_maps(
    gm_probseg: Path, wm_probseg: Path, xfm_to_space: Path, log_jacobian: Path
) -> VbmMaps:
    """Warp the fractions to the grid of the Jacobian, modulate and smooth them."""
    grid = read_grid(log_jacobian)
    volume_change = load(log_jacobian)
    spacing = [float(size) for size in voxel_size(grid.affine)]
    plain, smoothed = [], []
    for name, path in (('gm', gm_probseg), ('wm', wm_probseg)):
        modulated = modulate(warp_map(path, grid, xfm_to_space), volume_change)
        plain.append(save(modulated, grid.affine, f'{name}.nii.gz'))
        blurred = smooth(modulated, FWHM, spacing)
        smoothed.append(save(blurred, grid.affine, f'{name}_smooth.nii.gz'))
    return VbmMaps(*plain, *smoothed)


def draw_grey(t1w_in_space: Path, gm_modulated_smooth: Path) -> list[Any]:
    """Draw the smoothed grey matter over the image in the space."""
    values = load(gm_modulated_smooth)
    return [
        map_overlay(
            load(t1w_in_space),
            load_affine(t1w_in_space),
            values,
            label='modulated grey matter',
            unit='1',
            mask=values > 0.1,
            limits=(0.1, max(1.0, float(np.percentile(values, 99.9)))),
        )
    ]


def init_vbm_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    workflow = pe.Workflow(name='vbm_wf')
    inputnode = pe.Node(niu.IdentityInterface(list(NEEDS)), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(list(VbmMaps._fields)), name='outputnode')
    make = pe.Node(Call(make_maps), name='make')
    workflow.connect([
        (inputnode, make, [(name, name) for name in MAPS_FROM]),
        (make, outputnode, [(name, name) for name in VbmMaps._fields]),
    ])  # fmt: skip
    return workflow


def _output(tissue: str, name: str, smoothed: bool) -> Output:
    field = f'{tissue.lower()}_modulated' + ('_smooth' if smoothed else '')
    blur = f', smoothed with a Gaussian of {FWHM:.0f} mm full width at half maximum'
    return Output(
        field=field,
        datatype='anat',
        suffix='probseg',
        entities={'label': tissue, 'desc': f'modulatedSm{FWHM:.0f}' if smoothed else 'modulated'},
        description=(
            f'Fraction of {name} in the space times the volume that each voxel had in the image'
            f'{blur if smoothed else ""}. Not a probability: values exceed 1 where the '
            'registration has shrunk the brain.'
        ),
        unit='1',
        sidecar={'Modulated': True, **({'SmoothingFWHM': FWHM} if smoothed else {})},
    )


VBM = Measure(
    name='vbm',
    title='Voxel-based morphometry',
    needs=NEEDS,
    outputs=(
        _output('GM', 'grey matter', False),
        _output('WM', 'white matter', False),
        _output('GM', 'grey matter', True),
        _output('WM', 'white matter', True),
    ),
    init_wf=init_vbm_wf,
    reference='https://doi.org/10.1006/nimg.2001.0786',
    methods=(
        'For voxel-based morphometry, grey and white matter fractions were resampled to each '
        'space and multiplied by the Jacobian determinant of the whole mapping (affine and warp), '
        'so that their sum is the volume in the native image, and smoothed with a Gaussian of '
        f'{FWHM:.0f} mm full width at half maximum.'
    ),
    over='space',
    figures=(
        Figure(
            name='vbm',
            draw=draw_grey,
            needs=('t1w_in_space', 'gm_modulated_smooth'),
            title='Modulated grey matter',
            caption='Grey matter in the space, modulated and smoothed, over the image.',
        ),
    ),
    minutes=0.3,
    memory_gb=1.5,
)
