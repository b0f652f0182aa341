"""Step ``lesions``: where a large lesion is suspected, and where somebody marked one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np
from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe
from numpy.typing import NDArray

from mriderived.config import Config, Lesions
from mriderived.core.lesion_regions import label_parts
from mriderived.core.lesions import LEAST_ML, NUMBERS, RADIUS_MM, Suspect, find_lesions
from mriderived.core.masks import keep_largest
from mriderived.interfaces.call import Call
from mriderived.interfaces.lesion_evidence import gather_evidence, to_image_grid
from mriderived.interfaces.lesion_masks import read_lesion_mask
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load_affine, save, voxel_size
from mriderived.measures.base import Figure, Measure, Output
from mriderived.measures.lesion_cover import SUSPECTED
from mriderived.workflows.anat_figures import draw_lesions

NEEDS = (
    't1w',
    'brain_mask',
    'wm_probseg',
    'csf_probseg',
    'space_tissues',
    'xfm_from_space',
)
OPTIONAL = ('raw_lesion_mask',)
#: What the numbers in the image of lesions mean.
MEANINGS = {
    'cavity': 'suspected: fluid where tissue is expected',
    'solid': 'suspected: no white matter where white matter is expected',
    'gap': 'suspected: brain is expected here, but the brain mask leaves it out',
    'given': 'given as a mask',
}


class LesionFile(NamedTuple):
    """What the step writes."""

    lesion_dseg: Path


def mark_lesions(
    t1w: Path,
    brain_mask: Path,
    wm_probseg: Path,
    csf_probseg: Path,
    space_tissues: Path,
    xfm_from_space: Path,
    lesions: Lesions,
    threads: int,
    raw_lesion_mask: Path | None = None,
) -> LesionFile:
    """Look for lesions, add the mask that was given, and say what there is."""
    affine = load_affine(t1w)
    found = np.zeros(nb.loadsave.load(brain_mask).shape, np.uint8)
    if raw_lesion_mask is not None and lesions != 'ignore':
        found[read_lesion_mask(raw_lesion_mask, t1w, brain_mask)] = NUMBERS['given']
    if lesions == 'auto':
        evidence, grid = gather_evidence(
            brain_mask, wm_probseg, csf_probseg, space_tissues, xfm_from_space, threads
        )
        suspects = find_lesions(evidence)
        material = {'cavity': csf_probseg, 'solid': wm_probseg, 'gap': brain_mask}
        for suspect in suspects[::-1]:  # the largest last, and on top
            _paint(found, suspect, grid, affine, material[suspect.kind])
    out_file = save(found, affine, 'lesions.nii.gz')
    parts = describe_parts(found, affine)
    write_remarks(out_file, notes=_notes(parts), Lesions=parts, LesionSetting=lesions)
    return LesionFile(out_file)


def _paint(
    found: NDArray[np.uint8],
    suspect: Suspect,
    grid: NDArray[np.float64],
    affine: NDArray[np.float64],
    material: Path,
) -> None:
    """Mark a lesion to the voxel, unless it touches the mask that was given."""
    box, near = to_image_grid(suspect.mask, grid, affine, found.shape)
    is_it = np.asarray(nb.loadsave.load(material).dataobj)[box] > 0.5
    if suspect.kind != 'cavity':
        is_it = ~is_it
    marked = keep_largest(near & is_it)
    if not (found[box][marked] == NUMBERS['given']).any():
        found[box][marked] = NUMBERS[suspect.kind]


def describe_parts(found: NDArray[np.uint8], affine: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return kind, volume (mL) and centre (mm) of every connected part, the largest first."""
    voxel_ml = float(np.prod(voxel_size(affine))) / 1000
    names = {number: name for name, number in NUMBERS.items()}
    parts = label_parts(found > 0)
    described = []
    for number in range(1, int(parts.max()) + 1):
        where = np.argwhere(parts == number)
        kinds = np.bincount(found[tuple(where.T)])
        centre = affine[:3, :3] @ where.mean(axis=0) + affine[:3, 3]
        described.append(
            {
                'Kind': names[int(kinds.argmax())],
                'Volume': round(len(where) * voxel_ml, 2),
                'Centre': [round(float(each), 1) for each in centre],
            }
        )
    return described


def _notes(parts: Sequence[dict[str, Any]]) -> list[str]:
    given = [part['Volume'] for part in parts if part['Kind'] == 'given']
    notes = [
        f'{SUSPECTED} ({part["Volume"]:.1f} mL; {_mean(part["Kind"])}): look at '
        'its picture. Regions that it covers have no numbers, and those of the whole brain are in '
        'doubt. If it is one, give its mask; if it is none, use --lesions mask or --lesions '
        'ignore.'
        for part in parts
        if part['Kind'] != 'given'
    ]
    if given:
        notes.append(
            f'A lesion mask was given ({sum(given):.1f} mL): regions that it covers have no '
            'numbers, and those of the whole brain include the lesion.'
        )
    return notes


def _mean(kind: str) -> str:
    return MEANINGS[kind].removeprefix('suspected: ')


def init_lesions_wf(config: Config) -> Any:
    """Build the workflow of the step."""
    workflow = pe.Workflow(name='lesions_wf')
    fields = [*NEEDS, *OPTIONAL]
    inputnode = pe.Node(niu.IdentityInterface(fields), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface(list(LesionFile._fields)), name='outputnode')
    mark = pe.Node(
        Call(mark_lesions, lesions=config.lesions, threads=config.omp_nthreads),
        name='mark_lesions',
        n_procs=config.omp_nthreads,
        mem_gb=LESIONS.memory_gb,
    )
    workflow.connect([
        (inputnode, mark, [(name, name) for name in fields]),
        (mark, outputnode, [(name, name) for name in LesionFile._fields]),
    ])  # fmt: skip
    return workflow


LESIONS = Measure(
    name='lesions',
    title='Large lesions',
    needs=NEEDS,
    optional=OPTIONAL,
    outputs=(
        Output(
            field='lesion_dseg',
            datatype='anat',
            suffix='dseg',
            entities={'desc': 'lesion'},
            description='Large lesions that are suspected or were given as a mask; 0 elsewhere.',
            sidecar={'LabelMap': {str(NUMBERS[name]): text for name, text in MEANINGS.items()}},
        ),
    ),
    init_wf=init_lesions_wf,
    reference='https://doi.org/10.1016/j.neuroimage.2008.03.028',
    methods=(
        'Large lesions were suspected where a block of fluid, of what is no white matter, or of '
        f'what the brain mask leaves out (at least {LEAST_ML:.0f} mL, with room for a ball of '
        f'radius {RADIUS_MM["cavity"]} to {RADIUS_MM["solid"]} mm) lay deep in other tissue of '
        'the template, brought to the image by the nonlinear registration, or by its affine part '
        'if the mirrored place was another (after Seghier et al. 2008, '
        'doi:10.1016/j.neuroimage.2008.03.028). Masks of lesions were added where given.'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='lesions',
            draw=draw_lesions,
            needs=('t1w', 'brain_mask', 'lesion_dseg'),
            title='Large lesions',
            caption='Suspected lesions outlined in pink, given masks in amber. A lesion that is '
            'none: enlarged ventricles, a cyst beside the brain, or a registration or a brain '
            'mask that failed.',
            section='tissue',
        ),
    ),
    minutes=0.05,
    memory_gb=1.5,
)
