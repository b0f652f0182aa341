"""Image quality metrics of the T1w scan: one row, every missing value with its reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mriderived.bids.image_checks import load_clean
from mriderived.config import Config
from mriderived.core.quality_air import AIR, ARTEFACT, BELOW, HEAD, PADDING
from mriderived.core.quality_noise import fit_noise
from mriderived.core.quality_t1w import T1wScan, measure_t1w_quality
from mriderived.figures.quality import draw_background, draw_noise
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.template_maps import warp_template
from mriderived.interfaces.volumes import load, load_ras, save, voxel_size
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.t1w_quality_columns import COLUMNS

NEEDS = (
    'raw_t1w',
    't1w',
    'brain_mask',
    'gm_probseg',
    'wm_probseg',
    'csf_probseg',
    'dseg',
    'space_tissues',
    'xfm_from_space',
)


class T1wQc(NamedTuple):
    """The files that :func:`measure_quality` writes."""

    t1w_qc: Path
    air_dseg: Path


def measure_quality(
    raw_t1w: Path,
    t1w: Path,
    brain_mask: Path,
    gm_probseg: Path,
    wm_probseg: Path,
    csf_probseg: Path,
    dseg: Path,
    space_tissues: Path,
    xfm_from_space: Path,
) -> T1wQc:
    """Measure the quality of a scan and label its air, artefacts, head and padding."""
    image, affine = load_ras(t1w)
    raw = load_clean(raw_t1w)[0]
    if raw.shape != image.shape:
        raise ValueError(
            f'{raw_t1w} has the grid {raw.shape} and {t1w} {image.shape}; '
            'remove the outputs of this image and run again'
        )
    brain = load(brain_mask) > 0
    x, y, z = (float(size) for size in voxel_size(affine))
    template = warp_template(brain, affine, space_tissues, xfm_from_space)
    gm_template, wm_template, csf_template = template.maps
    csf, gm, wm = (load(path) for path in (csf_probseg, gm_probseg, wm_probseg))
    quality = measure_t1w_quality(
        T1wScan(
            raw=raw,
            image=image,
            brain=brain,
            segmentation=load(dseg, np.uint8),
            tissues=(csf, gm, wm),
            spacing=(x, y, z),
            voxel_to_space=template.voxel_to_space,
            templates=(csf_template, gm_template, wm_template),
        )
    )
    return T1wQc(
        t1w_qc=_write_table(quality.values, quality.reasons),
        air_dseg=save(quality.labels, affine, 'air_dseg.nii.gz'),
    )


def _write_table(values: dict[str, float], reasons: dict[str, str]) -> Path:
    path = Path.cwd() / 't1w_qc.tsv'
    names = [column.name for column in COLUMNS]
    cells = ['n/a' if np.isnan(values[name]) else f'{values[name]:.10g}' for name in names]
    path.write_text('\t'.join(names) + '\n' + '\t'.join(cells) + '\n')
    notes = [
        f'{count} quality metrics of the T1w have no value: {reason}.'
        for reason, count in Counter(reasons.values()).items()
    ]
    write_remarks(path, notes=notes, MissingReasons=reasons)
    return path


def draw_air(raw_t1w: Path, air_dseg: Path) -> list[Any]:
    """Draw the scan with its background brightened, and air and artefacts in colour."""
    raw, affine = load_clean(raw_t1w)
    return [draw_background(raw, load(air_dseg, np.uint8), voxel_size(affine), LABELS)]


def draw_air_noise(raw_t1w: Path, air_dseg: Path) -> list[Any]:
    """Draw the histogram of air with the noise fitted to it; nothing where there is no air."""
    raw = load_clean(raw_t1w)[0]
    fit = fit_noise(raw[load(air_dseg, np.uint8) == AIR])
    if fit is None:
        return []
    return [draw_noise(fit.edges, fit.observed, fit.expected, fit.cutoff)]


def init_t1w_quality_wf(config: Config) -> Any:
    """Build the workflow of one node; no setting changes it."""
    del config
    return one_node_wf(measure_quality, NEEDS)


LABELS = {
    AIR: 'air above the plane through brow and inion',
    ARTEFACT: 'artefact in air',
    HEAD: 'head',
    PADDING: 'filled with one value',
    BELOW: 'air below that plane',
}

T1W_QUALITY = Measure(
    name='t1w_quality',
    title='Image quality of the T1w scan',
    needs=NEEDS,
    outputs=(
        Output(
            field='t1w_qc',
            datatype='anat',
            suffix='qc',
            extension='.tsv',
            entities={'desc': 'T1w'},
            description='Image quality metrics of the T1w scan.',
            columns=COLUMNS,
            draft='BEP011',
        ),
        Output(
            field='air_dseg',
            datatype='anat',
            suffix='dseg',
            entities={'desc': 'air'},
            description='Where the scan shows air, artefacts in air, head, and filled-in padding.',
            sidecar={'LabelMap': {str(value): text for value, text in LABELS.items()}},
        ),
    ),
    init_wf=init_t1w_quality_wf,
    reference='https://doi.org/10.1371/journal.pone.0184661',
    methods=(
        'Image quality was described by the metrics of MRIQC (Esteban et al. 2017, '
        'doi:10.1371/journal.pone.0184661), implemented anew; noise and artefacts were measured '
        'in the air around the head (Mortamet et al. 2009, doi:10.1002/mrm.21992; Dietrich et '
        'al. 2007, doi:10.1002/jmri.20969).'
    ),
    figures=(
        Figure(
            name='air',
            draw=draw_air,
            needs=('raw_t1w', 'air_dseg'),
            title='Background of the T1w scan',
            caption='Intensities below a tenth of the brightest, so that ghosts show. Air used '
            'for noise in blue, artefacts found there in red, the outline of the head in white.',
            section='quality',
        ),
        Figure(
            name='noise',
            draw=draw_air_noise,
            needs=('raw_t1w', 'air_dseg'),
            title='Noise in air',
            caption='Intensities of air without artefacts, and the noise of coils fitted to '
            'them. Quality index 2 is the difference right of the line.',
            section='quality',
        ),
    ),
    minutes=0.15,
    memory_gb=2.5,
)
