"""The uniform image of MP2RAGE, and T1 from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.fit_outcome import Outcome
from mriderived.core.mp2rage import (
    BOUNDS,
    combine_phase,
    fit_uniform,
    uniform_from_integers,
    uniform_image,
)
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, save
from mriderived.measures.base import Figure, Measure, Scope
from mriderived.measures.mp2rage_protocol import (
    NO_UNIFORM,
    notes_on_shots,
    protocol_obstacle,
    read_sequence,
)
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.qmri_figures import Panel, more_maps, outcome_panel, qmri_figure
from mriderived.measures.qmri_maps import (
    SIGNALS,
    describe_outcome,
    describe_transmit,
    inverse_range,
    load_voxels,
    notes_on,
    save_outcome,
    save_quality,
    save_values,
    settings_of,
)
from mriderived.measures.qmri_outputs import (
    map_output,
    outcome_output,
    quality_output,
)

REFERENCE = 'https://doi.org/10.1016/j.neuroimage.2009.10.002'
NO_FIELD = (
    'There is no map of the transmit field (B1+): T1 of long times, and at the edges of the '
    'brain, is off by what the flip angles are.'
)
#: Scanners store uniform images as integers from 0 to this.
HIGHEST = 4095


class Mp2rageFiles(NamedTuple):
    """The files that :func:`write_mp2rage` writes."""

    mp2rage_unit1: Path
    mp2rage_t1: Path
    mp2rage_r1: Path
    mp2rage_outcome: Path
    mp2rage_fit: Path


def write_mp2rage(
    qmri_series: Path,
    qmri_acquisition: Path,
    qmri_mask: Path,
    qmri_phase: Path | None = None,
    qmri_b1: Path | None = None,
    threads: int = 1,
) -> Mp2rageFiles:
    """Combine both images, and look T1 up that gives what they show."""
    voxels = load_voxels(qmri_series, qmri_acquisition, qmri_mask, qmri_b1)
    protocol, pair, shots = read_sequence(voxels.acquisition)
    if qmri_phase is not None and voxels.has_phase:
        volume, origin = _combine(qmri_series, qmri_phase, pair), 'complex images'
    elif voxels.acquisition.unit1 is not None:
        volume, origin = _stored(voxels.acquisition.unit1, qmri_series), 'UNIT1 as given'
    else:
        raise ValueError(NO_UNIFORM)
    found = fit_uniform(volume[voxels.mask], protocol, transmit=voxels.transmit, threads=threads)
    if voxels.transmit is not None:  # a field that is missing is no implausible T1
        found.outcome[~(voxels.transmit > 0)] = Outcome.NO_SOLUTION
    files = Mp2rageFiles(
        save(volume, voxels.affine, 'unit1.nii.gz'),
        save_values(found.time, voxels, 't1'),
        save_values(found.rate, voxels, 'r1'),
        save_outcome(found.outcome, voxels, 'outcome'),
        save_quality(found.time, None, found.outcome, 'fit'),
    )
    said, notes = describe_transmit(voxels, NO_FIELD)
    notes = [*notes, *notes_on_shots(shots)]
    common = {
        **settings_of(voxels.settings),
        **describe_outcome(found.outcome, BOUNDS),
        **said,
        'RepetitionTimePreparation': protocol.repetition_time,
        'NumberShots': [protocol.before, protocol.after],
        **({'PartialFourier': shots.partial} if shots.partial < 1 else {}),
        'InversionEfficiency': protocol.efficiency,
    }
    bare = int((~np.isfinite(volume[voxels.mask])).sum())
    write_remarks(files.mp2rage_unit1, MadeFrom=origin, VoxelsNoSignal=bare)
    write_remarks(files.mp2rage_t1, notes=[*notes, *notes_on(found.outcome, 'T1')], **common)
    write_remarks(files.mp2rage_r1, **{**common, **inverse_range(BOUNDS)})
    return files


def _combine(series: Path, phase: Path, pair: tuple[int, int]) -> NDArray[np.float32]:
    sizes, angles = nb.load(series).dataobj, nb.load(phase).dataobj
    first, second = (
        combine_phase(np.asarray(sizes[..., place]), np.asarray(angles[..., place]))
        for place in pair
    )
    return uniform_image(first, second)


def _stored(path: Path, series: Path) -> NDArray[np.float32]:
    """Return the uniform image of a scanner, from -0.5 to 0.5; NaN where no image has a signal."""
    images = np.asarray(nb.load(series).dataobj)
    shape, seen = images.shape[:3], (images != 0).any(axis=-1)
    values = load(path)
    if values.shape[:3] != shape:
        raise ValueError(
            f'{path} has {" x ".join(map(str, values.shape))} voxels, the images of its '
            f'collection have {" x ".join(map(str, shape))}'
        )
    values = values.reshape(shape)
    if values.min() >= -0.51 and values.max() <= 0.51:
        return np.where(seen, values, np.nan).astype(np.float32)
    # White matter lies near four fifths: an image that stays in the lower half has another scale.
    if values.min() < 0 or not HIGHEST / 2 < values.max() <= HIGHEST + 1:
        raise ValueError(
            f'{path} reaches from {values.min():g} to {values.max():g}: a uniform image is stored '
            f'as 0 to {HIGHEST}, or as -0.5 to 0.5. Convert it, or leave it out where phase '
            'images are there'
        )
    return np.where(seen, uniform_from_integers(values), np.nan).astype(np.float32)


def init_mp2rage_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    needs = (*SIGNALS, 'qmri_phase', 'qmri_b1')
    return one_node_wf(write_mp2rage, needs, threads=config.omp_nthreads)


METHOD: dict[str, Any] = {
    'EstimationReference': f'{REFERENCE} https://doi.org/10.1371/journal.pone.0069294',
    'EstimationAlgorithm': 'Look-up of the uniform image in the signals of the sequence, by '
    'transmit field.',
}

MP2RAGE = Measure(
    name='mp2rage',
    title='T1 of MP2RAGE',
    needs=SIGNALS,
    optional=('qmri_phase', 'qmri_b1'),
    source='qmri',
    scope=Scope(collections=('MP2RAGE',), obstacle=protocol_obstacle),
    outputs=(
        map_output('mp2rage_unit1', 'UNIT1', 'mp2rage', 'Uniform image',
                   'Uniform image of both inversion times, from -0.5 to 0.5, in which receive '
                   'field, proton density and T2* cancel.', 'arbitrary', in_spaces=False,
                   zero_counts=True, SkullStripped=False, **METHOD),
        map_output('mp2rage_t1', 'T1map', 'mp2rage', 'T1 of MP2RAGE', 'T1 of MP2RAGE.', 's',
                   **METHOD),
        map_output('mp2rage_r1', 'R1map', 'mp2rage', 'R1 of MP2RAGE',
                   'R1, the inverse of T1, of MP2RAGE.', '1/s', **METHOD),
        outcome_output('mp2rage_outcome', 'mp2rage'),
        quality_output('mp2rage_fit', 'mp2rage', 'T1 of MP2RAGE', 'T1', 's', has_misfit=False),
    ),
    init_wf=init_mp2rage_wf,
    reference=REFERENCE,
    methods=(
        'The uniform image of MP2RAGE was made from complex images, and T1 was looked up in the '
        'signals of the sequence (Marques et al. 2010, doi:10.1016/j.neuroimage.2009.10.002), at '
        'the transmit field of each voxel where it was measured (Marques and Gruetter 2013, '
        'doi:10.1371/journal.pone.0069294).'
    ),
    figures=(
        Figure(
            name='mp2rage',
            draw=qmri_figure(Panel('mp2rage_t1', 'T1', 's', (0.4, 2.5))),
            needs=('mp2rage_t1', 'qmri_reference'),
            title='T1 of MP2RAGE',
            caption='At 3 T white matter has about 0.85 s, grey matter 1.4 s, at 7 T 1.2 and '
            '1.9 s. Holes are voxels that no T1 explains, as in fluid.',
        ),
        more_maps(
            'mp2ragemore', 'Other maps of MP2RAGE',
            'The uniform image is bright in white matter, and lowest in fluid.',
            Panel('mp2rage_unit1', 'uniform image', '1', (-0.5, 0.5), zero_counts=True),
            Panel('mp2rage_r1', 'R1', '1/s', (0.2, 1.4)),
            outcome_panel('mp2rage_outcome'),
        ),
    ),
    minutes=0.3,
    memory_gb=3.0,
)  # fmt: skip
