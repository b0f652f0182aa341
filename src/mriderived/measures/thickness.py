"""Cortical thickness in the grid of the image, and its mean in each hemisphere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mriderived.config import Config
from mriderived.core.hemisphere import gather
from mriderived.figures.overlays import map_overlay
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf

NEEDS = ('t1w', 'thickness_left', 'thickness_right')
#: A voxel of the image has a thickness if this much of it is cortex.
LEAST_SHARE = 0.25
#: Means of adults are 2.2 to 2.8 mm; outside these bounds, in mm, a scan deserves a look.
PLAUSIBLE = (1.8, 3.2)
#: Cortex is nowhere thicker than this, in mm, but for small parts of the temporal pole and the
#: insula: more than this share of the voxels is a warning.
THICKEST, LARGE_SHARE = 5.5, 0.03
#: Voxels larger than this, in mm, cannot show it.
THICKEST_SLICE = 2.0
#: What the colours of the figure span, in mm.
SHOWN = (1.0, 4.5)


class ThicknessFiles(NamedTuple):
    """The files that :func:`collect_thickness` writes."""

    thickness: Path
    thickness_means: Path


def collect_thickness(t1w: Path, thickness_left: Path, thickness_right: Path) -> ThicknessFiles:
    """Average the fine maps of both hemispheres over the voxels of the image."""
    affine = load_affine(t1w)
    shape = load(t1w).shape
    volume = float(np.prod(voxel_size(affine)))
    total, share = np.zeros(shape), np.zeros(shape)
    count = np.zeros(shape, np.int64)
    row: dict[str, float] = {}
    for side, path in (('L', thickness_left), ('R', thickness_right)):
        fine, fine_affine = load(path), load_affine(path)
        values = fine[fine > 0].astype(np.float64)
        row[f'thickness_{side}'] = float(values.mean())
        row[f'thickness_std_{side}'] = float(values.std())
        added, number = gather(fine, np.linalg.inv(affine) @ fine_affine, shape)
        total += added
        count += number
        share += number * float(np.prod(voxel_size(fine_affine))) / volume
    kept = (share >= LEAST_SHARE) & (count > 0)
    mean = np.where(kept, total / np.maximum(count, 1), 0).astype(np.float32)
    table = Path.cwd() / 'means.tsv'
    pd.DataFrame([row]).to_csv(table, sep='\t', index=False, float_format='%.7g')
    thick = float(np.mean(mean[kept] > THICKEST))
    write_remarks(table, notes=_doubt(row, thick, float(voxel_size(affine).max())))
    return ThicknessFiles(save(mean, affine, 'thickness.nii.gz'), table)


def _doubt(row: Mapping[str, float], thick: float, slice_mm: float) -> list[str]:
    """Say what speaks against the numbers."""
    notes = [
        f'The mean thickness of the {name} hemisphere is {row[f"thickness_{side}"]:.2f} mm, '
        'which is unusual: look at the borders of the tissue.'
        for side, name in (('L', 'left'), ('R', 'right'))
        if not PLAUSIBLE[0] <= row[f'thickness_{side}'] <= PLAUSIBLE[1]
    ]
    if thick > LARGE_SHARE:
        notes.append(
            f'{100 * thick:.0f} % of the cortex is thicker than {THICKEST} mm: a lesion, or '
            'grey matter that is none.'
        )
    if slice_mm > THICKEST_SLICE:
        notes.append(f'Voxels of {slice_mm:.1f} mm are too coarse for cortical thickness.')
    return notes


def draw_thickness(t1w: Path, thickness: Path) -> list[Any]:
    """Draw thickness in colour over the image."""
    values = load(thickness)
    return [
        map_overlay(
            load(t1w),
            load_affine(t1w),
            values,
            label='cortical thickness',
            unit='mm',
            mask=values > 0,
            limits=SHOWN,
        )
    ]


def init_thickness_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(collect_thickness, NEEDS, node_name='collect')


def _columns() -> tuple[Column, ...]:
    return tuple(
        Column(
            f'{name}_{side}',
            f'{title} of cortical thickness in the {hemisphere} hemisphere, over the volume of '
            'the cortex.',
            'mm',
            f'{title} of thickness, {hemisphere}',
        )
        for side, hemisphere in (('L', 'left'), ('R', 'right'))
        for name, title in (('thickness', 'Mean'), ('thickness_std', 'Standard deviation'))
    )


THICKNESS = Measure(
    name='thickness',
    title='Cortical thickness',
    needs=NEEDS,
    outputs=(
        Output(
            field='thickness',
            datatype='anat',
            suffix='thickness',
            description='Cortical thickness; 0 outside the cortex.',
            unit='mm',
            sidecar={'SkullStripped': True},
            regions=True,
            tissues=('cortex',),
            is_zero_missing=True,
            draft='BEP011',
        ),
        Output(
            field='thickness_means',
            datatype='anat',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'thickness'},
            description='Cortical thickness by hemisphere.',
            columns=_columns(),
            draft='BEP011',
        ),
    ),
    init_wf=init_thickness_wf,
    reference='https://doi.org/10.1073/pnas.200033797',
    methods=(
        'Thickness in the grid of the image is the mean over the fine voxels of cortex in each '
        'voxel; regions of the cortex were given the mean, standard deviation and median of '
        'their voxels.'
    ),
    figures=(
        Figure(
            name='thickness',
            draw=draw_thickness,
            needs=('t1w', 'thickness'),
            title='Cortical thickness',
            caption='Thickness of the cortex in colour over the image. Look for gyri and sulci '
            'without colour and for vessels or dura with it.',
        ),
    ),
    minutes=0.1,
    memory_gb=1.5,
)
