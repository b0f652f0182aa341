"""Step ``tissue``: fractions of grey matter, white matter and CSF in every voxel of the brain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.affine import Brain
from mriderived.core.lesion_filling import fill_lesions
from mriderived.core.masks import find_box
from mriderived.core.partial_volume import Fractions, segmentation, tissue_map
from mriderived.core.registration import COARSE, SLOPPY, align, to_brain
from mriderived.core.tissue import segment
from mriderived.interfaces.lesion_masks import read_lesion_mask
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.space_files import load_template, load_tissues
from mriderived.interfaces.volumes import load, load_affine, save, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.one_node import one_node_wf
from mriderived.workflows.anat_figures import draw_partial_volume


class TissueFiles(NamedTuple):
    """What the step writes."""

    gm_probseg: Path
    wm_probseg: Path
    csf_probseg: Path
    dseg: Path
    dseg_labels: Path
    tissue_map: Path


def place(
    part: NDArray[np.float32], shape: tuple[int, ...], box: tuple[slice, ...]
) -> NDArray[np.float32]:
    """Put a part back into its place in a volume of zeros."""
    whole = np.zeros(shape, np.float32)
    whole[box] = part
    return whole


def segment_t1w(
    t1w: Path,
    brain_mask: Path,
    space_brain: Path,
    space_tissues: Path,
    threads: int,
    sloppy: bool,
    raw_lesion_mask: Path | None = None,
) -> TissueFiles:
    """Estimate tissue fractions with the priors of the brain template.

    Lesions of white matter that were marked are filled with the intensity of white matter.
    """
    mask, affine = load(brain_mask, bool), load_affine(t1w)
    box = find_box(mask, (3, 3, 3))
    inside = np.ascontiguousarray(mask[box])
    brain = Brain(np.where(inside, load(t1w)[box], 0).astype(np.float32), affine.copy())
    brain.affine[:3, 3] = (affine @ [*(part.start for part in box), 1])[:3]
    template = load_template(space_brain, space_tissues, threads)
    lesion = read_lesion_mask(raw_lesion_mask, t1w, brain_mask)[box] if raw_lesion_mask else None
    schedule = SLOPPY if sloppy else COARSE
    found = align(template, brain, schedule=schedule, threads=threads, lesion=lesion)
    priors = np.stack(
        [
            to_brain(prior, brain.affine, inside.shape, found, threads)
            for prior in load_tissues(space_tissues, ('csf', 'gm', 'wm'))
        ]
    )
    size = voxel_size(affine)
    data, count = brain.data, 0
    if lesion is not None:
        data, filled = fill_lesions(data, lesion, inside, priors, size.tolist(), threads)
        count = int(np.count_nonzero(filled))
    fractions = segment(data, inside, priors, size, threads=threads)
    whole = Fractions(*(place(part, mask.shape, box) for part in fractions))
    files = TissueFiles(
        gm_probseg=save(whole.gm, affine, 'gm_probseg.nii.gz'),
        wm_probseg=save(whole.wm, affine, 'wm_probseg.nii.gz'),
        csf_probseg=save(whole.csf, affine, 'csf_probseg.nii.gz'),
        dseg=save(segmentation(whole), affine, 'dseg.nii.gz'),
        dseg_labels=write_labels(),
        tissue_map=save(tissue_map(whole), affine, 'tissue_map.nii.gz'),
    )
    if lesion is not None:
        _tell_filling(files.tissue_map, count, float(size.prod()))
    return files


def _tell_filling(path: Path, count: int, voxel_mm3: float) -> None:
    volume = count * voxel_mm3
    note = (
        f'{volume / 1000:.2f} mL of the lesion mask lie in white matter and were given its '
        'intensity before tissues were segmented.'
        if count
        else 'Nothing of the lesion mask is white matter that could be filled.'
    )
    write_remarks(path, notes=[note], FilledLesionVolume=round(volume, 3))


def write_labels() -> Path:
    """Write what the numbers of the segmentation mean."""
    out_file = Path('dseg.tsv')
    rows = ('index\tname\tabbreviation', '1\tgrey matter\tGM', '2\twhite matter\tWM',
            '3\tcerebrospinal fluid\tCSF')  # fmt: skip
    out_file.write_text('\n'.join(rows) + '\n')
    return out_file


NEEDS = ('t1w', 'brain_mask', 'space_brain', 'space_tissues')
OPTIONAL = ('raw_lesion_mask',)


def init_tissue_wf(config: Config) -> Any:
    """Build the workflow of the step ``tissue``."""
    return one_node_wf(
        segment_t1w,
        (*NEEDS, *OPTIONAL),
        threads=config.omp_nthreads,
        sloppy=config.sloppy,
    )


def _fraction(label: str, name: str) -> Output:
    return Output(
        field=f'{label.lower()}_probseg',
        datatype='anat',
        suffix='probseg',
        entities={'label': label},
        description=f'Fraction of each voxel that is {name}, 0 to 1; grey matter, white matter '
        'and CSF sum to 1 in the brain mask.',
        unit='1',
    )


TISSUE = Measure(
    name='tissue',
    title='Tissue segmentation',
    needs=NEEDS,
    optional=OPTIONAL,
    outputs=(
        _fraction('GM', 'grey matter'),
        _fraction('WM', 'white matter'),
        _fraction('CSF', 'cerebrospinal fluid'),
        Output(
            field='dseg',
            datatype='anat',
            suffix='dseg',
            description='Tissue that fills most of each voxel: 1 grey matter, 2 white matter, 3 '
            'cerebrospinal fluid.',
        ),
        Output(
            field='dseg_labels',
            datatype='anat',
            suffix='dseg',
            extension='.tsv',
            description='What the numbers of the segmentation mean.',
            columns=(
                Column('index', 'Number of the tissue in the segmentation.'),
                Column('name', 'Name of the tissue.', unit=''),
                Column('abbreviation', 'Short name of the tissue.', unit=''),
            ),
        ),
        Output(
            field='tissue_map',
            datatype='anat',
            suffix='tissuemap',
            description='Continuous tissue label: 1 CSF, 2 grey matter, 3 white matter, and in '
            'between where two share a voxel; 0 outside the brain.',
            unit='1',
            sidecar={'SkullStripped': True},
            draft='mriderived',
        ),
    ),
    init_wf=init_tissue_wf,
    reference='https://doi.org/10.1109/42.241885',
    methods=(
        'Fractions of grey matter, white matter and cerebrospinal fluid were estimated by '
        'expectation-maximisation with a smooth intensity field (Ashburner & Friston 2005, '
        'doi:10.1016/j.neuroimage.2005.02.018), classes of mixed voxels (Santago & Gage 1993, '
        'doi:10.1109/42.241885), locally varying means (Tohka et al. 2004, '
        'doi:10.1016/j.neuroimage.2004.05.007) and the tissue probabilities of the brain '
        'template, brought to the image by a coarse registration. Lesions of white matter that '
        'were marked by a mask were first given the intensity of the white matter around them '
        '(in the manner of Valverde et al. 2014, doi:10.1016/j.nicl.2014.08.016).'
    ),
    is_preprocessing=True,
    figures=(
        Figure(
            name='tissue',
            draw=draw_partial_volume,
            needs=('t1w', 'brain_mask', 'gm_probseg', 'wm_probseg'),
            title='Tissue borders',
            caption='Where the fractions of tissue say that grey matter ends: its outer border in '
            'amber, its border to white matter in blue.',
            section='tissue',
        ),
    ),
    minutes=0.4,
    memory_gb=3.0,
)
