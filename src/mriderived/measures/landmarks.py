"""Landmarks of the brain: both commissures, the midsagittal plane and the 32 AFIDs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.fiducials import Fiducial, write_fcsv
from mriderived.core.landmark_transfer import (
    Placed,
    is_inside,
    make_probes,
    measure_distance,
    place_landmark,
    read_probes,
)
from mriderived.core.landmarks import cut_patch
from mriderived.core.midsagittal import Plane, align_commissures, find_midsagittal_plane
from mriderived.interfaces.points import move_points
from mriderived.interfaces.rigid_files import save_rigid
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.volumes import load, load_affine, load_ras
from mriderived.measures.base import Measure
from mriderived.measures.landmarks_declared import FIGURES, METHODS, OUTPUTS
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.tables import write_table
from mriderived.spaces.fiducials import REFERENCE, load_afids

NEEDS = ('t1w', 'brain_mask', 'xfm_to_space', 'space_brain')
#: Those that the template's pattern finds again: on templates with published fiducials it never
#: took them farther from these, and in real heads they do not slide along a line or a sheet.
REFINED = frozenset(
    {'AC', 'PC', 'RILMS', 'LILMS', 'IMS', 'PG', 'SPLE', 'RSAMTH', 'LSAMTH', 'ROSF', 'LOSF'}
)
#: Distances that go to the cohort table, and the landmarks at their ends.
DISTANCES = {
    'ac_pc_distance': ('AC', 'PC'),
    'callosum_length': ('GENU', 'SPLE'),
    'ventricle_width_ac': ('LLVAC', 'RLVAC'),
    'ventricle_width_pc': ('LLVPC', 'RLVPC'),
}
#: Commissures of adults are so far apart, in mm; others deserve a look.
PLAUSIBLE = (22.0, 32.0)
#: A brain whose halves are less alike about their plane deserves a look, too.
LEAST_LIKENESS = 0.6


class LandmarkFiles(NamedTuple):
    """The files that :func:`find_landmarks` writes."""

    landmark_distances: Path
    afids_table: Path
    afids_fcsv: Path
    xfm_t1w_to_acpc: Path


def find_landmarks(
    t1w: Path, brain_mask: Path, xfm_to_space: Path, space_brain: Path
) -> LandmarkFiles:
    """Bring the landmarks of the template to an image, and refine them there."""
    affine = load_affine(t1w)
    mask = load(brain_mask) > 0
    brain = np.where(mask, load(t1w), 0).astype(np.float32)
    placed, axis = _place_all(brain, affine, xfm_to_space, space_brain)
    for name in ('AC', 'PC'):
        if name not in placed:
            raise ValueError(f'the {name} is outside of the image: there is no frame to align to')
    ac, pc = placed['AC'].position, placed['PC'].position
    plane = find_midsagittal_plane(brain, affine, mask, axis)
    to_frame = align_commissures(ac, pc, plane.normal)
    distances = write_table(_measure(placed, plane), 'distances.tsv')
    write_remarks(
        distances,
        notes=_doubt(placed, plane),
        MidsagittalPlane={
            'Normal': plane.normal.round(5).tolist(), 'Point': plane.point.round(3).tolist()
        },
        **_missing(placed),
    )  # fmt: skip
    table = write_table(_tabulate(placed), 'afids.tsv')
    write_remarks(table, AlignmentMatrix=to_frame.round(6).tolist(), **_missing_afids(placed))
    fcsv = Path.cwd() / 'afids.fcsv'
    fcsv.write_text(write_fcsv(_list(placed)))
    inverse = np.asarray(np.linalg.inv(to_frame), np.float64)
    return LandmarkFiles(distances, table, fcsv, save_rigid(inverse, 'to_acpc.h5'))


def _place_all(
    brain: NDArray[np.float32], affine: NDArray[np.float64], xfm: Path, space_brain: Path
) -> tuple[dict[str, Placed], NDArray[np.float64]]:
    """Return the landmarks that lie in the image by name, and the template's x axis at AC."""
    afids = load_afids()
    positions = np.array([afid.position for afid in afids])
    template, template_affine = load_ras(space_brain)
    starts = read_probes(move_points(make_probes(positions), xfm))
    placed: dict[str, Placed] = {}
    for afid, start in zip(afids, starts, strict=True):
        if not is_inside(brain.shape, affine, start.position):
            continue
        place = np.array(afid.position)
        patch = cut_patch(template, template_affine, place) if afid.name in REFINED else None
        placed[afid.name] = place_landmark(brain, affine, start, patch)
    # normals of planes move by the transposed inverse
    axis = np.linalg.inv(starts[0].linear).T @ [1.0, 0.0, 0.0]
    return placed, np.asarray(axis / np.linalg.norm(axis), np.float64)


def _measure(placed: dict[str, Placed], plane: Plane) -> pd.DataFrame:
    row = {name: measure_distance(*(_position(placed, end) for end in ends))
           for name, ends in DISTANCES.items()}  # fmt: skip
    return pd.DataFrame([{**row, 'midsagittal_correlation': plane.correlation}])


def _position(placed: dict[str, Placed], name: str) -> NDArray[np.float64] | None:
    return placed[name].position if name in placed else None


def _tabulate(placed: dict[str, Placed]) -> pd.DataFrame:
    rows = []
    for afid in load_afids():
        row: dict[str, Any] = {
            'index': afid.number, 'name': afid.name, 'description': afid.description
        }  # fmt: skip
        if afid.name in placed:
            found = placed[afid.name]
            shift = float(np.linalg.norm(found.position - found.transferred))
            row |= dict(zip('xyz', found.position.round(3), strict=True))
            row |= {
                'refined': 'yes' if found.is_refined else 'no',
                'correlation': round(found.correlation, 4),
                'shift': round(shift, 3) if found.is_refined else np.nan,
            }
        rows.append(row)
    names = [column.name for column in OUTPUTS[1].columns]
    return pd.DataFrame(rows).reindex(columns=names)


def _list(placed: dict[str, Placed]) -> list[Fiducial]:
    return [
        Fiducial(str(afid.number), afid.name, *map(float, placed[afid.name].position))
        for afid in load_afids()
        if afid.name in placed
    ]


def _doubt(placed: dict[str, Placed], plane: Plane) -> list[str]:
    """Say what speaks against the landmarks."""
    notes = []
    distance = measure_distance(placed['AC'].position, placed['PC'].position)
    if not PLAUSIBLE[0] <= distance <= PLAUSIBLE[1]:
        notes.append(
            f'AC and PC are {distance:.1f} mm apart (usual: {PLAUSIBLE[0]:.0f} to '
            f'{PLAUSIBLE[1]:.0f} mm): look at the picture.'
        )
    lost = [name for name in ('AC', 'PC') if not placed[name].is_refined]
    if lost:
        notes.append(
            f'The pattern around {" and ".join(lost)} was not found near where the registration '
            'brings it; the landmark is as accurate as the registration.'
        )
    if plane.correlation < LEAST_LIKENESS:
        notes.append(
            f'The halves of the brain are little alike about their plane (correlation '
            f'{plane.correlation:.2f}).'
        )
    return notes


def _missing(placed: dict[str, Placed]) -> dict[str, Any]:
    reasons = {
        name: f'{" and ".join(end for end in ends if end not in placed)} outside of the image'
        for name, ends in DISTANCES.items()
        if not all(end in placed for end in ends)
    }
    return {'MissingReasons': reasons} if reasons else {}


def _missing_afids(placed: dict[str, Placed]) -> dict[str, Any]:
    outside = [afid.name for afid in load_afids() if afid.name not in placed]
    return {'OutsideOfTheImage': outside} if outside else {}


def init_landmarks_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    del config  # nothing in the settings changes it
    return one_node_wf(find_landmarks, NEEDS)


LANDMARKS = Measure(
    name='landmarks',
    title='Landmarks',
    needs=NEEDS,
    outputs=OUTPUTS,
    init_wf=init_landmarks_wf,
    reference=REFERENCE,
    methods=METHODS,
    figures=FIGURES,
    minutes=0.2,
    memory_gb=2.0,
)
