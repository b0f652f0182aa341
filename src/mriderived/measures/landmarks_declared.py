"""What the measure of landmarks writes and shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mriderived.figures.landmarks import draw_commissures, draw_fiducials
from mriderived.interfaces.rigid_files import load_rigid
from mriderived.interfaces.volumes import load, load_affine
from mriderived.measures.base import Column, Figure, Output

METHODS = (
    'The 32 anatomical fiducials (AFIDs; Lau et al. 2019, doi:10.1002/hbm.24693) of the template '
    '(Taha et al. 2023, doi:10.1038/s41597-023-02330-9) were brought to each image through its '
    'registration. Where their surroundings have a pattern of their own, as the commissures do, a '
    'ball of 10 mm of the template was then shifted and turned until it correlated best with the '
    'image (after Ardekani & Bachman 2009, doi:10.1016/j.neuroimage.2009.02.030). The midsagittal '
    'plane is that about which the brain correlates best with its mirror image.'
)

OUTPUTS = (
    Output(
        field='landmark_distances',
        datatype='anat',
        suffix='morph',
        extension='.tsv',
        entities={'desc': 'landmarks'},
        description='Distances between landmarks of the brain.',
        columns=(
            Column(
                'ac_pc_distance',
                'Distance of the anterior from the posterior commissure, centre to centre.',
                'mm',
                'AC–PC distance',
            ),
            Column(
                'callosum_length',
                'Distance of the genu from the splenium of the corpus callosum (AFIDs 19 and 20).',
                'mm',
                'Length of the corpus callosum',
            ),
            Column(
                'ventricle_width_ac',
                'Distance of the left from the right lateral ventricle at the anterior '
                'commissure (AFIDs 15 and 16), as far as the registration follows it.',
                'mm',
                'Width of the ventricles at AC',
            ),
            Column(
                'ventricle_width_pc',
                'Distance of the left from the right lateral ventricle at the posterior '
                'commissure (AFIDs 17 and 18), as far as the registration follows it.',
                'mm',
                'Width of the ventricles at PC',
            ),
            Column(
                'midsagittal_correlation',
                'Correlation of the brain with its mirror image about the midsagittal plane.',
                '1',
                'Likeness of the halves',
            ),
        ),
        draft='mriderived',
    ),
    Output(
        field='afids_table',
        datatype='anat',
        suffix='afids',
        extension='.tsv',
        description='The 32 anatomical fiducials in mm (RAS) of the T1w image.',
        sidecar={'CoordinateSystem': 'RAS', 'CoordinateUnits': 'mm'},
        in_cohort=False,
        columns=(
            Column('index', 'Number of the fiducial in its protocol.'),
            Column('name', 'Short name of the fiducial.', unit=''),
            Column('description', 'What it is.', unit=''),
            Column('x', 'Position, to the right.', 'mm'),
            Column('y', 'Position, to the front.', 'mm'),
            Column('z', 'Position, upwards.', 'mm'),
            Column(
                'refined',
                'Whether it was found again in the image (yes) or lies where the registration '
                'brings it (no).',
                unit='',
            ),
            Column(
                'correlation',
                'Correlation of its surroundings with those in the template at the best place; '
                'n/a where it was not looked for. The confidence in a refined fiducial.',
            ),
            Column('shift', 'Distance from where the registration brings it.', 'mm'),
        ),
        draft='mriderived',
    ),
    Output(
        field='afids_fcsv',
        datatype='anat',
        suffix='afids',
        extension='.fcsv',
        description='The same fiducials as a list that 3D Slicer reads, marked as RAS.',
        in_cohort=False,
        draft='mriderived',
    ),
    Output(
        field='xfm_t1w_to_acpc',
        datatype='anat',
        suffix='xfm',
        extension='.h5',
        entities={'from': 'T1w', 'to': 'ACPC', 'mode': 'image'},
        description='Rigid transform that brings images from the T1w to the frame of the '
        'commissures: AC is the origin, PC lies on the negative y axis, and x is perpendicular to '
        'the midsagittal plane.',
        draft='BEP014',
    ),
)


def _read_positions(afids_table: Path, matrix: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the fiducials in the frame of the commissures, and which of them were refined."""
    table = pd.read_csv(afids_table, sep='\t')
    table = table[np.isfinite(table['x'])]
    points = table[['x', 'y', 'z']].to_numpy(float) @ matrix[:3, :3].T + matrix[:3, 3]
    names = table['name'].tolist()
    return dict(zip(names, points, strict=True)), table.loc[
        table['refined'] == 'yes', 'name'
    ].tolist()


def draw_frame(t1w: Path, afids_table: Path, xfm_t1w_to_acpc: Path) -> list[Any]:
    """Draw the commissures in the frame that they span."""
    matrix = np.linalg.inv(load_rigid(xfm_t1w_to_acpc))
    positions, _ = _read_positions(afids_table, matrix)
    return [
        draw_commissures(
            load(t1w), load_affine(t1w), matrix, positions['AC'], positions['PC']
        )
    ]  # fmt: skip


def draw_afids(t1w: Path, afids_table: Path, xfm_t1w_to_acpc: Path) -> list[Any]:
    """Draw every fiducial closely."""
    matrix = np.linalg.inv(load_rigid(xfm_t1w_to_acpc))
    positions, refined = _read_positions(afids_table, matrix)
    return [draw_fiducials(load(t1w), load_affine(t1w), matrix, positions, refined)]


_SHOWN = ('t1w', 'afids_table', 'xfm_t1w_to_acpc')
FIGURES = (
    Figure(
        name='commissures',
        draw=draw_frame,
        needs=_SHOWN,
        title='Commissures and midsagittal plane',
        caption='The image in the frame of the commissures; AC in pink, PC in amber, the planes '
        'of the frame in blue. AC is the bright dot in front of the third ventricle, PC the one '
        'at the upper end of the aqueduct; the blue line of the plane of the commissures should '
        'run between the hemispheres.',
    ),
    Figure(
        name='fiducials',
        draw=draw_afids,
        needs=_SHOWN,
        title='32 anatomical fiducials',
        caption='Each at its centre, in the midsagittal plane or, off the midline, from above. '
        'Pink ones were found again in the image; amber ones lie where the registration brings '
        'them, within one to two millimetres.',
    ),
)
