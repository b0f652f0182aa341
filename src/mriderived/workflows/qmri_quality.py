"""Steps ``qmri_quality_*``: how well a collection was aligned and registered, one row each.

Several collections of a session would take the same columns of the cohort table, so that each
kind has a step, and with it columns, of its own.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine

from mriderived.bids.qmri_collections import COLLECTIONS
from mriderived.config import Config
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Column, Measure, Output, Scope
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.func_registration import COLUMNS, NOT_BELIEVED, find_difference

NEEDS = ('qmri_reference', 'qmri_motion')
OPTIONAL = ('xfm_qmri_to_t1w', 'qmri_coregistration')
NO_T1W = 'there is no registration to a T1w image'
ONE_ACQUISITION = 'all images are of one acquisition'
THIN = 'the field of view is too thin to align the images'


class QualityFiles(NamedTuple):
    """The file that :func:`summarise_alignment` writes."""

    qmri_quality: Path


def summarise_alignment(
    qmri_reference: Path,
    qmri_motion: Path,
    xfm_qmri_to_t1w: Path | None = None,
    qmri_coregistration: Path | None = None,
) -> QualityFiles:
    """Write the motion between images, and how far and how well the T1w image was matched."""
    motion = pd.read_csv(qmri_motion, sep='\t', na_values='n/a')
    row: dict[str, float] = dict.fromkeys(('displacement', 'shift', 'turn', *COLUMNS), np.nan)
    reasons: dict[str, str] = {}
    if motion['acquisition'].nunique() == 1:
        reasons['displacement'] = ONE_ACQUISITION
    elif motion['information_after'].isna().all():
        reasons['displacement'] = THIN
    else:
        row['displacement'] = float(motion['displacement'].max())
    if xfm_qmri_to_t1w is None or qmri_coregistration is None:
        reasons |= dict.fromkeys(('shift', 'turn', *COLUMNS), NO_T1W)
    else:
        shape, affine = load(qmri_reference).shape, load_affine(qmri_reference)
        centre = apply_affine(affine, (np.array(shape) - 1) / 2)
        row['shift'], row['turn'] = find_difference(load_rigid(xfm_qmri_to_t1w), np.eye(4), centre)
        fit = pd.read_csv(qmri_coregistration, sep='\t', na_values='n/a').iloc[0]
        row |= {name: float(fit[name]) for name in COLUMNS}
        if not np.isfinite(row[COLUMNS[0]]):
            reasons[COLUMNS[0]] = NOT_BELIEVED
    path = Path.cwd() / 'quality.tsv'
    pd.DataFrame([row]).to_csv(path, sep='\t', index=False, na_rep='n/a', float_format='%.6g')
    write_remarks(path, MissingReasons=reasons)
    return QualityFiles(path)


def _columns(suffix: str) -> tuple[Column, ...]:
    return (
        Column('displacement', 'Largest mean displacement of an image from the reference, which '
               'was undone.', 'mm', f'{suffix}, displacement between images'),
        Column('shift', 'Shift of the centre of the reference by the registration to the T1w '
               'image.', 'mm', f'{suffix}, shift to T1w'),
        Column('turn', 'Turn by the registration to the T1w image.', 'rad',
               f'{suffix}, turn to T1w'),
        Column('boundary_cost', 'Cost of the boundary of white matter in the T1w image: 0 where '
               'it has the steepest contrast everywhere, 1 where there is none, 2 where it is '
               'reversed.', '1', f'{suffix}, boundary cost to T1w'),
        Column('boundary_contrast', 'Contrast across the boundary of white matter, whichever '
               'side is brighter.', 'percent', f'{suffix}, boundary contrast'),
        Column('mutual_information', 'Normalised mutual information with the T1w image.', '1',
               f'{suffix}, mutual information with T1w'),
    )  # fmt: skip


def init_qmri_quality_wf(field: str, config: Config) -> Any:
    """Build the workflow of the step, whose table is called ``field``."""
    del config  # nothing in the settings changes it
    return one_node_wf(summarise_alignment, (*NEEDS, *OPTIONAL), {'qmri_quality': field})


def quality_step(suffix: str) -> Measure:
    """Declare the step of one kind of collections."""
    name = f'qmri_quality_{suffix.lower()}'
    return Measure(
        name=name,
        title=f'Alignment of {suffix}',
        needs=NEEDS,
        optional=OPTIONAL,
        source='qmri',
        scope=Scope(collections=(suffix,)),
        outputs=(
            Output(
                field=name,
                datatype='anat',
                suffix='qc',
                extension='.tsv',
                entities={'desc': f'quality{suffix}'},
                description='How the images of the collection were aligned with each other and '
                'with the T1w image.',
                columns=_columns(suffix),
                draft='mriderived',
            ),
        ),
        init_wf=partial(init_qmri_quality_wf, name),
        reference='https://doi.org/10.1016/j.neuroimage.2009.06.060',
        methods='',
        is_preprocessing=True,
        minutes=0.02,
        memory_gb=0.5,
    )


QMRI_QUALITY = tuple(quality_step(suffix) for suffix in COLLECTIONS)
