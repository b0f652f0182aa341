"""Step ``bold_confounds``: what else than the brain's activity changes a BOLD run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mriderived.config import Config
from mriderived.core.compcor import Components, anatomical_compcor, temporal_compcor
from mriderived.core.confounds import assemble_confounds, mean_signals
from mriderived.core.dvars import compute_steady_dvars
from mriderived.interfaces.denoising import LACKING
from mriderived.interfaces.motion_files import read_motion
from mriderived.interfaces.series import load_masked, repetition_time
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_figures import draw_carpet
from mriderived.workflows.func_mask import bring_from_t1w

#: A voxel of BOLD is of a tissue where this share of it is.
PURE = 0.99
#: The surface of the brain, to this depth in mm, is not of the inside.
RIM_MM = 6.0
#: As many voxels from the border of the mask are its edge, as fMRIPrep has it.
EDGE_VOXELS = 2
#: Fewer voxels give no signal of a tissue.
MIN_VOXELS = 10
NO_TISSUES = 'there is no T1w image, or no tissues were found in it'

NEEDS = ('bold_preproc', 'bold_mask', 'bold_motion')
OPTIONAL = ('xfm_bold_to_t1w', 'gm_probseg', 'wm_probseg', 'csf_probseg')


class ConfoundFiles(NamedTuple):
    """The file that :func:`find_confounds` writes."""

    bold_confounds: Path


class Masks(NamedTuple):
    """CSF and white matter, of the voxels of the brain, well inside of each."""

    csf: NDArray[np.bool_]
    white: NDArray[np.bool_]


def find_confounds(
    bold_preproc: Path,
    bold_mask: Path,
    bold_motion: Path,
    xfm_bold_to_t1w: Path | None = None,
    gm_probseg: Path | None = None,
    wm_probseg: Path | None = None,
    csf_probseg: Path | None = None,
    threads: int = 1,
) -> ConfoundFiles:
    """Write the table of confounds, with the names of fMRIPrep."""
    mask, affine = load(bold_mask) > 0, load_affine(bold_mask)
    series = load_masked(bold_preproc, mask)
    motion, _, unsteady = read_motion(bold_motion)
    period = repetition_time(bold_preproc)
    lacking: dict[str, str] = {}
    if None in (xfm_bold_to_t1w, gm_probseg, wm_probseg, csf_probseg):
        masks = Masks(np.zeros(len(series), bool), np.zeros(len(series), bool))
        lacking = dict.fromkeys(('csf', 'white_matter'), NO_TISSUES)
    else:
        tissues = [
            bring_from_t1w(path, xfm_bold_to_t1w, affine, mask.shape)[mask]  # type: ignore[arg-type]
            for path in (gm_probseg, wm_probseg, csf_probseg)
        ]
        rim = max(1, round(RIM_MM / float(voxel_size(affine).mean())))
        masks = _erode(tissues, mask, rim)
        for name, tissue in (('csf', masks.csf), ('white_matter', masks.white)):
            if tissue.sum() < MIN_VOXELS:
                lacking[name] = (
                    f'only {tissue.sum()} voxels of BOLD are purely of it, of {MIN_VOXELS} needed'
                )
                tissue[:] = False
    components: list[Components] = [temporal_compcor(series, _find_inside(mask), period, unsteady)]
    if masks.csf.any() or masks.white.any():
        components.append(anatomical_compcor(series, masks.csf, masks.white, period, unsteady))
    everywhere = np.ones(len(series), bool)
    found = assemble_confounds(
        motion,
        mean_signals(series, everywhere, masks.csf, masks.white),
        compute_steady_dvars(series, unsteady, threads),
        components,
        period,
        unsteady,
    )
    out_file = Path.cwd() / 'confounds.tsv'
    found.table.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.8g')
    notes = [_tell(name, reason) for name, reason in lacking.items()]
    notes += [note for part in components for note in part.notes]
    said = {LACKING: lacking} if lacking else {}
    write_remarks(out_file, notes=notes, RepetitionTime=period, **said, **found.metadata)
    return ConfoundFiles(out_file)


def _tell(signal: str, reason: str) -> str:
    title = signal.replace('csf', 'CSF').replace('_', ' ')
    return f'No confounds of {title}: {reason}.'


def _erode(tissues: list[NDArray[np.float32]], mask: NDArray[np.bool_], rim: int) -> Masks:
    """Return where a tissue fills a voxel; the rim of the brain is never CSF of the inside."""
    grey, white, csf = tissues
    inside = ndimage.binary_erosion(mask, iterations=rim)[mask]
    return Masks(_purest(csf, inside & (grey < 0.05)), _purest(white, inside & (grey < 0.05)))


def _find_inside(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the voxels of the brain that are not at its edge, where motion changes most."""
    inside = ndimage.binary_erosion(mask, iterations=EDGE_VOXELS)[mask]
    return inside if inside.sum() >= MIN_VOXELS else np.ones(int(mask.sum()), bool)


def _purest(share: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Take pure voxels; where they are few, the purest that are there."""
    for least in (PURE, 0.9, 0.8):
        found = where & (share >= least)
        if found.sum() >= 5 * MIN_VOXELS:
            return np.asarray(found)
    return np.asarray(found)


def init_bold_confounds_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    return one_node_wf(find_confounds, (*NEEDS, *OPTIONAL), threads=config.omp_nthreads)


BOLD_CONFOUNDS = Measure(
    name='bold_confounds',
    title='Confounds of BOLD',
    needs=NEEDS,
    optional=OPTIONAL,
    source='bold',
    outputs=(
        Output(
            field='bold_confounds',
            datatype='func',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'confounds'},
            description='Confounds of every volume, with the names of fMRIPrep.',
            in_cohort=False,
            columns=(
                Column('global_signal', 'Mean of the brain.', 'arbitrary'),
                Column('csf', 'Mean of cerebrospinal fluid.', 'arbitrary'),
                Column('white_matter', 'Mean of white matter.', 'arbitrary'),
                Column('csf_wm', 'Mean of both.', 'arbitrary'),
                Column(
                    'std_dvars',
                    'Root mean square change since the volume before, over '
                    'what noise would give (Nichols 2017).',
                    '1',
                ),
                Column('dvars', 'The same in thousandths of the median intensity.', '1'),
                Column(
                    'framewise_displacement',
                    'What moved since the volume before (Power et al. 2012).',
                    'mm',
                ),
                Column('rmsd', 'Root mean square displacement (Jenkinson et al. 2002).', 'mm'),
                *(Column(f'trans_{axis}', 'Shift of the head.', 'mm') for axis in 'xyz'),
                *(Column(f'rot_{axis}', 'Turn of the head.', 'rad') for axis in 'xyz'),
            ),
            draft='BEP012',
        ),
    ),
    init_wf=init_bold_confounds_wf,
    reference='https://doi.org/10.1038/s41592-018-0235-4',
    methods=(
        'Confounds were the head motion, DVARS, the mean signals of the brain, cerebrospinal '
        'fluid and white matter, and principal components of the two (aCompCor) and of the most '
        'variable voxels (tCompCor; Behzadi et al. 2007, doi:10.1016/j.neuroimage.2007.04.042), '
        'as fMRIPrep defines them (Esteban et al. 2019, doi:10.1038/s41592-018-0235-4).'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='carpet',
            draw=draw_carpet,
            needs=('bold_preproc', 'bold_mask', 'bold_confounds'),
            title='Carpet',
            caption='Every line is the signal of a voxel over time, in percent of its mean, after '
            'its trend was taken off; above it, framewise displacement and DVARS.',
            section='quality',
        ),
    ),
    minutes=0.2,
    memory_gb=2.0,
)
