"""The part of ``group.html`` on tasks: the mean of every contrast, as a table and as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nb
import numpy as np
from numpy.typing import NDArray

from mriderived.figures.overlays import map_overlay
from mriderived.figures.style import save_svg
from mriderived.group.backgrounds import template_on
from mriderived.group.chapters import Chapter, Picture, figure_file
from mriderived.group.columns import snake
from mriderived.group.records import Cohort
from mriderived.group.task_means import TaskMean, write_task_means
from mriderived.interfaces.volumes import load_affine
from mriderived.measures.base import Measure

#: A colour is opaque from this |z| on (p = 0.001, one-sided), and fades below it.
OPAQUE_Z = 3.1
#: The scale of colours reaches at least so far, so that noise does not look like an effect.
LEAST_SCALE = 3.1
_TEXT = (
    'Mean over participants of the effect of each contrast, with a t-test of one sample; a '
    'participant with several sessions counts once. Nothing is corrected for the number of voxels.'
)
_CAPTION = (
    'Standard score of the mean over {n} participants, over the template of the space. Colours '
    'fade below |z| = {z:g}; nothing is hidden, and nothing is corrected for the number of voxels.'
)
_HEADER = ('Contrast', 'Task', 'Space', 'Participants', 'Largest z', 'at (mm)', 'Smallest z',
           'at (mm)')  # fmt: skip


def find_task_chapter(
    out_dir: Path, cohort: Cohort, measures: Sequence[Measure], is_sloppy: bool = False
) -> Chapter | None:
    """Write the means of all contrasts and show them; nothing where there are none."""
    means = write_task_means(out_dir, cohort, measures, is_sloppy)
    if not means:
        return None
    chapter = Chapter('tasks', 'Tasks', _TEXT, _HEADER)
    for mean in means:
        z, affine = _load(out_dir, mean, 'z')
        seen = _load(out_dir, mean, 'effect')[0] != 0
        chapter.rows.append((mean.contrast, mean.task, mean.space, str(mean.participants),
                             *_extreme(z, affine, 1), *_extreme(z, affine, -1)))  # fmt: skip
        chapter.pictures.append(_draw(out_dir, mean, z, seen, affine))
        chapter.files += mean.paths.values()
    return chapter


def _load(
    out_dir: Path, mean: TaskMean, stat: str
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    path = out_dir / mean.paths[stat]
    return np.asarray(nb.loadsave.load(path).dataobj, np.float32), load_affine(path)


def _extreme(z: NDArray[np.float32], affine: NDArray[np.float64], sign: int) -> tuple[str, str]:
    """Return the largest (or smallest) value and where it is, as words."""
    place = np.unravel_index(np.argmax(sign * z), z.shape)
    where = (affine @ [*place, 1])[:3]
    return f'{z[place]:.2f}', ', '.join(f'{each:.0f}' for each in where)


def _draw(
    out_dir: Path,
    mean: TaskMean,
    z: NDArray[np.float32],
    seen: NDArray[np.bool_],
    affine: NDArray[np.float64],
) -> Picture:
    most = max(LEAST_SCALE, float(np.percentile(np.abs(z[seen]), 99.9)) if seen.any() else 0.0)
    figure = map_overlay(
        template_on(mean.space, seen, affine),
        affine,
        z,
        label='z',
        unit='1',
        mask=seen,
        limits=(-most, most),
        colours='RdBu_r',
        weights=np.clip(np.abs(z) / OPAQUE_Z, 0, 1) ** 2,
    )
    path = figure_file(snake(f'task_{mean.task}_{mean.contrast}_{mean.space}'))
    save_svg(figure, out_dir / path)
    title = f'{mean.contrast}{f" ({mean.task})" if mean.task else ""} in {mean.space}'
    return Picture(path, title, _CAPTION.format(n=mean.participants, z=OPAQUE_Z))
