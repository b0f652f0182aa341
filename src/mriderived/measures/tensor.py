"""The diffusion tensor: its anisotropy, diffusivities and main direction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.gradient_table import select
from mriderived.core.tensor import fit_tensor, tensor_volumes
from mriderived.core.tensor_measures import measure_tensor
from mriderived.figures.directions import direction_mosaic
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.dwi_maps import (
    SIGNALS,
    dwi_figure,
    load_signals,
    load_vectors,
    map_output,
    save_dwi_map,
)
from mriderived.measures.one_node import one_node_wf

#: Anisotropy that is drawn in full colour.
BRIGHT_FA = 0.7
#: With more voxels of the brain with an impossible tensor than this, a note says so.
MANY_IMPLAUSIBLE = 0.02


class TensorFiles(NamedTuple):
    """The files that :func:`write_tensor` writes."""

    tensor_fa: Path
    tensor_md: Path
    tensor_ad: Path
    tensor_rd: Path
    tensor_mode: Path
    tensor_s0: Path
    tensor_tensor: Path
    tensor_v1: Path
    tensor_colourfa: Path


def write_tensor(
    dwi_preproc: Path, dwi_bval: Path, dwi_bvec: Path, dwi_mask: Path, threads: int = 1
) -> TensorFiles:
    """Fit a tensor to the volumes of low b-values, and measure it."""
    signals = load_signals(dwi_preproc, dwi_bval, dwi_bvec, dwi_mask)
    chosen = tensor_volumes(signals.gradients)
    gradients = select(signals.gradients, chosen.volumes)
    fit = fit_tensor(
        np.ascontiguousarray(signals.series[:, chosen.volumes]), gradients, threads=threads
    )
    found = measure_tensor(fit.tensor)
    maps: dict[str, NDArray[Any]] = {
        'fa': found.fa,
        'md': found.md,
        'ad': found.ad,
        'rd': found.rd,
        'mode': found.mode,
        's0': fit.s0,
        'tensor': fit.tensor,
        'v1': found.v1,
        'colourfa': np.abs(found.v1) * found.fa[:, None],
    }
    files = TensorFiles(*(save_dwi_map(maps[name], signals, name) for name in maps))
    said: dict[str, Any] = {'Shells': list(gradients.shells), 'LargestB': chosen.largest_b}
    notes = []
    if chosen.is_flagged:
        notes.append(
            f'The tensor was fitted up to b = {chosen.largest_b:g} s/mm², for lower shells do not '
            'determine it: diffusivities are too low, compare them with nothing else.'
        )
        said['Warning'] = notes[0]
    for path in files:
        write_remarks(path, **said)
    share = float(found.implausible.mean()) if found.implausible.size else 0.0
    if share > MANY_IMPLAUSIBLE:
        notes.append(f'{100 * share:.0f} % of the voxels of the brain have an impossible tensor.')
    # the report tells notes once, of one of the files
    write_remarks(
        files.tensor_fa,
        notes=notes,
        **said,
        VoxelsImplausible=int(found.implausible.sum()),
        VoxelsNotFitted=int((~fit.fitted).sum()),
    )
    return files


def init_tensor_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(write_tensor, SIGNALS, threads=config.omp_nthreads)


def draw_colour_fa(tensor_colourfa: Path, dwi_mask: Path) -> list[Any]:
    """Draw directions as colours, as bright as anisotropy is high."""
    colours = load_vectors(tensor_colourfa) / BRIGHT_FA
    return [direction_mosaic(colours, load_affine(dwi_mask), crop_to=load(dwi_mask) > 0)]


TENSOR = Measure(
    name='tensor',
    title='Diffusion tensor',
    needs=SIGNALS,
    source='dwi',
    scope=Scope(least_shells=1, least_directions=6),
    outputs=(
        map_output('tensor', 'fa', 'Fractional anisotropy', 'Fractional anisotropy (FA).'),
        map_output('tensor', 'md', 'Mean diffusivity', 'Mean diffusivity (MD).', 'mm^2/s'),
        map_output('tensor', 'ad', 'Axial diffusivity',
                   'Diffusivity along the main direction (AD).', 'mm^2/s'),
        map_output('tensor', 'rd', 'Radial diffusivity',
                   'Mean diffusivity across the main direction (RD).', 'mm^2/s'),
        map_output('tensor', 'mode', 'Mode of anisotropy',
                   'Mode of anisotropy: 1 linear (one direction), -1 planar.'),
        map_output('tensor', 's0', 'Signal without weighting',
                   'Signal without diffusion weighting.', 'arbitrary', is_summed_up=False),
        map_output('tensor', 'tensor', 'Tensor', 'Dxx, Dxy, Dxz, Dyy, Dyz, Dzz.', 'mm^2/s',
                   is_summed_up=False,
                   OrientationEncoding={'EncodingAxis': 3, 'Reference': 'xyz',
                                        'TensorRank': 2, 'Type': 'tensor'}),
        map_output('tensor', 'v1', 'Main direction',
                   'Main direction: a unit vector in world axes (RAS).', is_summed_up=False,
                   OrientationEncoding={'EncodingAxis': 3, 'Reference': 'xyz',
                                        'Type': 'unit3vector'}),
        map_output('tensor', 'colourfa', 'Main direction in colours',
                   'Absolute components of the main direction times FA: red, green and blue.',
                   is_summed_up=False,
                   OrientationEncoding={'EncodingAxis': 3, 'Reference': 'xyz', 'Type': 'dec'}),
    ),
    init_wf=init_tensor_wf,
    reference='https://doi.org/10.1006/jmrb.1994.1037',
    methods=(
        'The diffusion tensor (Basser et al. 1994, doi:10.1006/jmrb.1994.1037) was fitted by '
        'iterated weighted least squares (Veraart et al. 2013, '
        'doi:10.1016/j.neuroimage.2013.05.028) to volumes up to b = 1300 s/mm², or to the lowest '
        'shells there were.'
    ),
    figures=(
        Figure(
            name='fa',
            draw=dwi_figure('tensor_fa', 'FA', limits=(0.0, 0.9)),
            needs=('tensor_fa', 'dwi_reference'),
            title='Fractional anisotropy',
            caption='Bright where water diffuses along one direction, as it does in white matter.',
        ),
        Figure(
            name='colourfa',
            draw=draw_colour_fa,
            needs=('tensor_colourfa', 'dwi_mask'),
            title='Main direction of diffusion',
            caption='Red: from side to side, green: from front to back, blue: up and down; as '
            'bright as anisotropy is high. The corpus callosum should be red where it crosses, '
            'the cingulum above it green and the corticospinal tracts blue.',
        ),
    ),
    minutes=0.3,
    memory_gb=3.0,
)  # fmt: skip
