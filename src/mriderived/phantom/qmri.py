"""Write quantitative MRI of a synthetic head as BIDS: every collection from its forward model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from mriderived.bids.names import raw_path
from mriderived.bids.sidecar import write_sidecar
from mriderived.core.rigid import rigid_matrix
from mriderived.phantom.dataset import save_scan, write_description
from mriderived.phantom.deformation import Deformation
from mriderived.phantom.head import CORNER, EXTENT, HeadOptions, draw_deformation, draw_head
from mriderived.phantom.qmri_field import write_transmit
from mriderived.phantom.qmri_signals import Scan, list_scans, reference_of
from mriderived.phantom.qmri_tissue import Substance, draw_substance, draw_transmit

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]

#: Collections whose phase is written as well.
WITH_PHASE = ('MEGRE', 'MP2RAGE')
_SCANNER = {'Manufacturer': 'mriderived phantom', 'MagneticFieldStrength': 3}
#: Stored values of the brightest voxel.
HIGHEST = 20_000


@dataclass(frozen=True)
class QmriOptions:
    """What can be chosen about quantitative MRI of a head.

    ``snr`` is that of white matter in the reference of each collection (0: no noise); ``b1`` the
    amplitude of the transmit field about 1; ``transmit`` how it is measured (a suffix such as
    TB1map, or empty for not at all). Acquisitions move by up to ``motion_mm`` and
    ``motion_degrees`` from the reference, which lies ``apart_mm`` and ``apart_degrees`` from the
    T1w. With ``has_myelin``, spin echoes hold water of myelin; without, T2 is all. ``shape``
    limits the grid to a box in the middle of the brain. Without ``has_t1w`` there is none.
    """

    voxel_mm: float = 2.5
    t1w_mm: float = 1.0
    snr: float = 50.0
    b1: float = 0.2
    transmit: str = 'TB1map'
    motion_mm: float = 1.0
    motion_degrees: float = 1.0
    apart_mm: float = 2.0
    apart_degrees: float = 2.0
    has_myelin: bool = False
    has_phase: bool = True
    has_t1w: bool = True
    shape: tuple[int, int, int] | None = None
    seed: int = 1
    head: HeadOptions = field(default_factory=HeadOptions)


class QmriTruth(NamedTuple):
    """The truth on the grid of the references: parameters, the transmit field, the motion.

    ``matrices`` lead from mm of the reference of a collection to mm of each of its acquisitions,
    ``t1w_to_qmri`` from mm of the T1w. ``factors`` are what the signals of a collection (relative
    to a proton density of 1) were multiplied with.
    """

    affine: Matrix
    substance: Substance
    b1: Volume
    matrices: Mapping[str, tuple[Matrix, ...]]
    t1w_to_qmri: Matrix
    factors: Mapping[str, float]
    sigma: Mapping[str, float]


def write_qmri(
    bids_dir: Path,
    participant: str,
    collections: Sequence[str],
    options: QmriOptions | None = None,
    threads: int = 1,
) -> QmriTruth:
    """Write collections of one participant (without ``sub-``) and return the truth.

    The dataset is made where it is not there.
    """
    chosen = options or QmriOptions()
    rng = np.random.default_rng([chosen.seed, 61])
    if not (bids_dir / 'dataset_description.json').exists():
        person = {'participant_id': f'sub-{participant}', 'age': '40', 'sex': 'F'}
        write_description(bids_dir, [person], chosen.seed)
    apart = _draw_rigid(rng, chosen.apart_mm, chosen.apart_degrees)
    deformation = _draw_t1w(bids_dir, participant, chosen, threads)
    rest = Deformation(deformation.matrix @ np.linalg.inv(apart), deformation.field)
    shape, affine = make_grid(chosen)
    centre = apart[:3, 3] + np.array([0.0, -15.0, 5.0])
    b1 = draw_transmit(affine, shape, centre, chosen.b1)
    substance = draw_substance(rest, affine, shape, threads)
    matrices, factors, sigmas = {}, {}, {}
    for suffix in collections:
        scans = list_scans(suffix, chosen.has_myelin)
        moves = _draw_moves(rng, scans, suffix, chosen)
        heads = [
            substance
            if np.array_equal(move, np.eye(4))
            else draw_substance(
                Deformation(rest.matrix @ np.linalg.inv(move), rest.field), affine, shape, threads
            )
            for move in moves
        ]
        factors[suffix], sigmas[suffix] = _write_scans(
            bids_dir, participant, suffix, scans, heads, b1, affine, chosen
        )
        matrices[suffix] = tuple(moves)
    if chosen.transmit:
        write_transmit(bids_dir, participant, chosen.transmit, substance, b1, affine)
    return QmriTruth(affine, substance, b1, matrices, apart, factors, sigmas)


def make_grid(options: QmriOptions) -> tuple[tuple[int, int, int], Matrix]:
    """Return the size and the affine of the grid of all collections."""
    voxel = options.voxel_mm
    whole = np.ceil(EXTENT / voxel).astype(int)
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = CORNER + voxel / 2
    if options.shape is not None:
        start = np.round((np.array([0.0, -15.0, 5.0]) - CORNER) / voxel).astype(int)
        start -= np.array(options.shape) // 2
        affine[:3, 3] += start * voxel
        whole = np.array(options.shape)
    x, y, z = (int(size) for size in whole)
    return (x, y, z), affine


def _draw_t1w(bids_dir: Path, participant: str, options: QmriOptions, threads: int) -> Deformation:
    wanted = replace(options.head, voxel_mm=(options.t1w_mm,) * 3)
    if options.has_t1w:
        head = draw_head(wanted, threads)
        save_scan(bids_dir, {'sub': participant}, head)
        return head.deformation
    return draw_deformation(wanted)


def _draw_rigid(rng: np.random.Generator, mm: float, degrees: float) -> Matrix:
    shift = rng.uniform(-1, 1, 3) * mm
    turn = np.radians(rng.uniform(-1, 1, 3) * degrees)
    return rigid_matrix(np.concatenate([shift, turn]), np.array([0.0, -15.0, 5.0]))


def _draw_moves(
    rng: np.random.Generator, scans: Sequence[Scan], suffix: str, options: QmriOptions
) -> list[Matrix]:
    count = 1 + max(scan.acquisition for scan in scans)
    moves = [_draw_rigid(rng, options.motion_mm, options.motion_degrees) for _ in range(count)]
    moves[reference_of(suffix)] = np.eye(4)
    if options.motion_mm == options.motion_degrees == 0:
        moves = [np.eye(4)] * count
    return moves


def _write_scans(
    bids_dir: Path,
    participant: str,
    suffix: str,
    scans: Sequence[Scan],
    heads: Sequence[Substance],
    b1: Volume,
    affine: Matrix,
    options: QmriOptions,
) -> tuple[float, float]:
    """Write the images of a collection; return the factor of the signal and the noise on it."""
    rest = heads[reference_of(suffix)]
    signals = [scan.signal(heads[scan.acquisition], b1) for scan in scans]
    white = rest.shares[1] > 0.95
    peak = max(float(np.abs(signal).max()) for signal in signals)
    chosen = next(n for n, s in enumerate(scans) if s.acquisition == reference_of(suffix))
    if suffix == 'MP2RAGE':
        chosen = 1
    level = float(np.abs(signals[chosen])[white].mean()) if white.any() else peak
    sigma = level / options.snr if options.snr else 0.0
    factor = HIGHEST / peak
    rng = np.random.default_rng([options.seed, 62, len(suffix), ord(suffix[1])])
    with_phase = options.has_phase and suffix in WITH_PHASE
    for scan, signal in zip(scans, signals, strict=True):
        noise = rng.standard_normal((2, *signal.shape)) * sigma
        noisy = signal + noise[0] + 1j * noise[1]
        name = {'sub': participant, **scan.entities}
        metadata = {**_SCANNER, **scan.metadata}
        if not with_phase:
            _save(bids_dir, name, suffix, np.abs(noisy) * factor, affine, metadata)
            continue
        magnitude = np.abs(noisy) * factor
        _save(bids_dir, {**name, 'part': 'mag'}, suffix, magnitude, affine, metadata)
        phase = np.angle(noisy) * (4096 / np.pi)
        _save(
            bids_dir, {**name, 'part': 'phase'}, suffix, np.clip(phase, -4096, 4095), affine,
            {**metadata, 'Units': 'arbitrary'},
        )  # fmt: skip
    return factor, sigma * factor


def _save(
    bids_dir: Path,
    entities: Mapping[str, str],
    suffix: str,
    data: NDArray[Any],
    affine: Matrix,
    metadata: Mapping[str, Any],
) -> None:
    path = bids_dir / raw_path(entities, datatype='anat', suffix=suffix)
    save_image(path, np.rint(data).astype(np.int16), affine, metadata)


def save_image(
    path: Path, data: NDArray[Any], affine: Matrix, metadata: Mapping[str, Any]
) -> None:
    """Write an image and its sidecar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units('mm', 'sec')
    image.to_filename(path)
    write_sidecar(path, metadata)
