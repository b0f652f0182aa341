"""Volumes of grey matter, white matter and cerebrospinal fluid, and the intracranial volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.config import Config
from mriderived.core.morphometry import tissue_volumes
from mriderived.core.partial_volume import Fractions
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Column, Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('gm_probseg', 'wm_probseg', 'csf_probseg')
CUT = 'The brain reaches the edge of the image, so its volumes may be too small.'


class TissueTable(NamedTuple):
    """The file that :func:`tabulate_tissue` writes."""

    tissue_morph: Path


def tabulate_tissue(gm_probseg: Path, wm_probseg: Path, csf_probseg: Path) -> TissueTable:
    """Sum the tissue fractions of an image in its own grid."""
    tissues = Fractions(*(load(path) for path in (gm_probseg, wm_probseg, csf_probseg)))
    voxel_volume = abs(float(np.linalg.det(load_affine(gm_probseg)[:3, :3])))
    row = pd.DataFrame([tissue_volumes(tissues, voxel_volume)._asdict()])
    out_file = Path.cwd() / 'tissue.tsv'
    row.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    if _is_cut(tissues):
        write_remarks(out_file, notes=[CUT], Limitations=CUT)
    return TissueTable(out_file)


def _is_cut(tissues: Fractions) -> bool:
    """Tell whether the brain, other than the brain stem's lower end, leaves the image."""
    brain = (tissues.gm + tissues.wm) > 0.5
    faces = [np.take(brain, place, axis) for axis in range(3) for place in (0, -1)]
    bottom = 4
    return any(face.any() for place, face in enumerate(faces) if place != bottom)


def init_tissue_volume_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(tabulate_tissue, NEEDS, node_name='tabulate')


TISSUE_VOLUME = Measure(
    name='tissue_volume',
    title='Tissue volumes',
    needs=NEEDS,
    outputs=(
        Output(
            field='tissue_morph',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'tissue'},
            description='Volumes of the tissues of the whole brain in the grid of the image.',
            columns=(
                Column(
                    'gm_volume',
                    'Grey matter, cerebellum and deep nuclei included.',
                    'mm3',
                    'Grey matter volume',
                ),
                Column(
                    'wm_volume',
                    'White matter, cerebellum and brain stem included.',
                    'mm3',
                    'White matter volume',
                ),
                Column(
                    'csf_volume',
                    'Cerebrospinal fluid inside the brain mask.',
                    'mm3',
                    'Cerebrospinal fluid volume',
                ),
                Column('brain_volume', 'Grey and white matter.', 'mm3', 'Brain volume'),
                Column(
                    'tiv_volume',
                    'Total intracranial volume: grey matter, white matter and cerebrospinal '
                    'fluid inside the brain mask.',
                    'mm3',
                    'Total intracranial volume',
                ),
                Column(
                    'gm_fraction',
                    'Grey matter over total intracranial volume.',
                    title='Grey matter fraction',
                ),
                Column(
                    'brain_parenchymal_fraction',
                    'Grey and white matter over total intracranial volume.',
                    title='Brain parenchymal fraction',
                ),
            ),
            draft='mriderived',
        ),
    ),
    init_wf=init_tissue_volume_wf,
    reference='https://doi.org/10.1006/nimg.2000.0582',
    methods=(
        'Tissue volumes were the sums of the partial volume fractions, in the grid of each '
        'image, times the volume of a voxel; the total intracranial volume (TIV) was their sum.'
    ),
    minutes=0.05,
)
