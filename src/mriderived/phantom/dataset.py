"""Write a valid BIDS dataset of synthetic heads, with the truth under ``sourcedata``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from mriderived import __version__
from mriderived.bids.names import raw_path
from mriderived.bids.sidecar import write_json, write_sidecar
from mriderived.bids.status import write_text
from mriderived.phantom.bold import draw_bold
from mriderived.phantom.bold_files import name_bold, save_bold
from mriderived.phantom.bold_options import BoldOptions
from mriderived.phantom.bold_truth import BoldTruth, read_bold_truth, write_bold_truth
from mriderived.phantom.dwi import draw_dwi
from mriderived.phantom.dwi_files import name_dwi, save_dwi
from mriderived.phantom.dwi_options import DwiOptions
from mriderived.phantom.dwi_truth import DwiTruth, read_dwi_truth, write_dwi_truth
from mriderived.phantom.head import Head, HeadOptions, draw_head
from mriderived.phantom.truth import Truth, read_truth, write_truth

#: Size of the head by sex, before a little chance.
ZOOMS = {'F': 0.90, 'M': 0.945}
_README = """\
Synthetic heads with known truth
================================
T1w images drawn by the phantom of mriderived {version}, from the MNI152NLin2009cAsym tissue
probabilities (Fonov et al. 2011, https://doi.org/10.1016/j.neuroimage.2010.07.033), deformed at
random. Nobody was scanned. The truth behind every image is in sourcedata/truth: volumes, partial
volume maps, brain mask, bias field and the way to template space. A bright capsule marks the left
temple, and the left temporal lobe is larger than the right one. Behind a run of BOLD are, in the
same place, the head's motion, the displacements, and the networks with their courses; behind a
run of DWI the motion, the displacements, the fibres and the tensors.
Seed: {seed}
"""
_SCANNER = {
    'Modality': 'MR',
    'Manufacturer': 'mriderived phantom',
    'MagneticFieldStrength': 3,
    'RepetitionTime': 2.3,
    'InversionTime': 0.9,
    'EchoTime': 0.003,
    'FlipAngle': 9,
    'SkullStripped': False,
}


def write_dataset(
    folder: Path,
    *,
    participants: int = 3,
    seed: int = 1,
    voxel_mm: float | tuple[float, float, float] = 1.0,
    sessions: Sequence[str] = (),
    runs: int = 1,
    zoom: float | None = None,
    options: HeadOptions | None = None,
    bold: bool = False,
    bold_options: BoldOptions | None = None,
    dwi: bool = False,
    dwi_options: DwiOptions | None = None,
    threads: int = 1,
) -> tuple[Truth, ...]:
    """Write the dataset and return the truth of every scan.

    ``zoom`` fixes the size of all heads; ``options`` sets whatever else heads can have, apart
    from their seeds and voxel size. Sessions and runs are new scans of the same anatomy. With
    ``bold``, every T1w comes with a run of BOLD and its field map; see :func:`bold_truth`.
    With ``dwi``, it comes with a run of DWI; see :func:`dwi_truth`.
    """
    rng = np.random.default_rng([seed, 0])
    people = [_draw_person(rng, index) for index in range(participants)]
    write_description(folder, people, seed)
    truths = []
    for index, person in enumerate(people):
        base = replace(
            options or HeadOptions(),
            anatomy=(seed, index),
            voxel_mm=(voxel_mm,) * 3 if isinstance(voxel_mm, float | int) else voxel_mm,
            zoom=zoom or float(person['zoom']),
        )
        for number, entities in enumerate(_scans(index, sessions, runs)):
            scan = replace(base, scan=(seed, index, number))
            head = draw_head(scan, threads)
            truths.append(write_truth(folder, save_scan(folder, entities, head), head, scan))
            if bold:
                wanted = bold_options or BoldOptions()
                run = draw_bold(head.deformation, scan.zoom, scan.scan, wanted, threads)
                write_bold_truth(folder, save_bold(folder, entities, run, threads), run)
            if dwi:
                chosen = dwi_options or DwiOptions()
                series = draw_dwi(head.deformation, scan.zoom, scan.scan, chosen, threads)
                path = save_dwi(folder, entities, series, threads)
                write_dwi_truth(folder, path, series, threads)
    return tuple(truths)


def truth(folder: Path, participant: str, **entities: str) -> Truth:
    """Return the truth of a participant's scan (``ses`` and ``run`` where there are several)."""
    return read_truth(folder, folder / _name({'sub': participant, **entities}))


def bold_truth(folder: Path, participant: str, **entities: str) -> BoldTruth:
    """Return the truth of a participant's run (``ses`` and ``run`` where there are several)."""
    return read_bold_truth(folder, folder / name_bold({'sub': participant, **entities}))


def dwi_truth(folder: Path, participant: str, direction: str = 'j-', **entities: str) -> DwiTruth:
    """Return the truth of a participant's run of DWI, by its phase-encode direction."""
    return read_dwi_truth(folder, folder / name_dwi({'sub': participant, **entities}, direction))


def _draw_person(rng: np.random.Generator, index: int) -> dict[str, str]:
    sex = 'FM'[index % 2]
    return {
        'participant_id': f'sub-{index + 1:02d}',
        'age': str(int(rng.integers(20, 75))),
        'sex': sex,
        'zoom': f'{ZOOMS[sex] * (1 + 0.02 * rng.uniform(-1, 1)):.4f}',
    }


def _scans(index: int, sessions: Sequence[str], runs: int) -> list[dict[str, str]]:
    sub = {'sub': f'{index + 1:02d}'}
    visits = [{**sub, 'ses': label} for label in sessions] or [sub]
    if runs == 1:
        return visits
    return [{**visit, 'run': str(run + 1)} for visit in visits for run in range(runs)]


def _name(entities: dict[str, str]) -> Path:
    return Path(raw_path(entities, datatype='anat', suffix='T1w'))


def save_scan(folder: Path, entities: dict[str, str], head: Head) -> Path:
    """Write a head as a raw T1w with its sidecar and return where it is."""
    path = folder / _name(entities)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(head.t1w, head.affine)
    image.set_sform(head.affine, code=1)
    image.set_qform(head.affine, code=1)
    image.header.set_xyzt_units('mm', 'sec')
    image.to_filename(path)
    write_sidecar(path, _SCANNER)
    return path


def write_description(folder: Path, people: Sequence[dict[str, str]], seed: int) -> None:
    """Write everything of the dataset that is not a scan."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / 'dataset_description.json',
        {
            'Name': 'Synthetic heads with known truth',
            'BIDSVersion': '1.10.0',
            'DatasetType': 'raw',
            'Authors': ['The phantom', 'The mriderived developers'],
            'ReferencesAndLinks': ['https://doi.org/10.1016/j.neuroimage.2010.07.033'],
            'GeneratedBy': [{'Name': 'mriderived phantom', 'Version': __version__}],
        },
    )
    write_text(folder / 'README.md', _README.format(version=__version__, seed=seed))
    columns = ('participant_id', 'age', 'sex')
    rows = ['\t'.join(columns), *('\t'.join(person[c] for c in columns) for person in people)]
    write_text(folder / 'participants.tsv', '\n'.join(rows) + '\n')
    write_json(
        folder / 'participants.json',
        {
            'age': {'Description': 'Age, drawn at random', 'Units': 'year'},
            'sex': {
                'Description': 'Sex, which decides on the size of the head',
                'Levels': {'F': 'female', 'M': 'male'},
            },
        },
    )
