"""Made-up functional outputs of participants: connectivity, motion, denoised runs in a space."""

import json

import nibabel as nb
import numpy as np
from cohort_outputs import Participant, write_table
from scipy import ndimage

from mriderived.bids.description import write_atlas_description
from mriderived.measures.connectivity import CONNECTIVITY

ATLAS = 'DesikanKilliany'
SPACE = 'MNI152NLin2009cAsym'
#: Voxels of the label image, in mm; regions are columns of voxels along x.
STEP = 4.0


class BoldParticipant(Participant):
    """Collects the units of one run."""

    def __init__(self, out_dir, label, session=None, task='rest'):
        super().__init__(out_dir, label, session)
        folder = self.folder.replace('anat', 'func')
        self.stem = f'{folder}/{self.stem.rpartition("/")[2]}_task-{task}'
        self.image = f'{self.stem}_bold.nii.gz'

    def moved(self, mean_fd):
        """Write confounds with this mean framewise displacement."""
        file = f'{self.stem}_desc-confounds_timeseries.tsv'
        rows = [('n/a', 1)] + [(repr(mean_fd * factor), 1) for factor in (0.5, 1.5, 1.0)]
        write_table(self.out_dir / file, ('framewise_displacement', 'csf'), rows)
        return self.add('bold_confounds', outputs=[file])

    def regions(self, names):
        """Write the label image: region n is the n-th voxel along x, and one beside it."""
        file = f'{self.stem}_atlas-{ATLAS}_dseg.nii.gz'
        labels = np.zeros((len(names) + 2, 3, 3), np.int32)
        labels[1:-1, 1, 1] = np.arange(1, len(names) + 1)
        path = self.out_dir / file
        path.parent.mkdir(parents=True, exist_ok=True)
        nb.Nifti1Image(labels, np.diag([STEP] * 3 + [1])).to_filename(path)
        return self.add('bold_atlas', ATLAS, outputs=[file])

    def connectivity(self, names, pearson, partial=None, series=None):
        """Write matrices, series and the table of regions."""
        stem = f'{self.stem}_atlas-{ATLAS}_stat'
        matrices = {'pearsoncorrelation': pearson, 'partialcorrelation': partial}
        files = {stat: f'{stem}-{stat}_relmat.tsv' for stat in matrices}
        for stat, matrix in matrices.items():
            values = pearson if matrix is None else matrix
            write_numbers(self.out_dir / files[stat], names, values)
        files['mean'] = f'{stem}-mean_timeseries.tsv'
        write_numbers(
            self.out_dir / files['mean'],
            names,
            np.zeros((40, len(names))) if series is None else series,
        )
        files['activity'] = f'{stem}-activity_boldmap.tsv'
        rows = [(place, name, 1, 1) for place, name in enumerate(names, 1)]
        header = ('index', 'name', 'amplitude', 'strength')
        write_table(self.out_dir / files['activity'], header, rows)
        files['networks'] = f'{stem}-networks_relmat.tsv'
        columns = CONNECTIVITY.output('network_means').columns
        names = [column.name for column in columns]
        write_table(self.out_dir / files['networks'], names, [[0.1] * len(names)])
        return self.add('connectivity', ATLAS, outputs=files.values())

    def denoised(self, data, affine, degrees):
        """Write a denoised run in the space."""
        file = f'{self.stem}_space-{SPACE}_res-2_desc-denoised_bold.nii.gz'
        path = self.out_dir / file
        path.parent.mkdir(parents=True, exist_ok=True)
        nb.Nifti1Image(data, affine).to_filename(path)
        sidecar = path.with_name(path.name.replace('.nii.gz', '.json'))
        sidecar.write_text(json.dumps({'DegreesOfFreedomLeft': degrees}))
        return self.add('denoised_in_space', SPACE, outputs=[file])


def describe_atlas(out_dir):
    """Write what the participant level says of the atlas at the root."""
    write_atlas_description(
        out_dir, ATLAS, name=ATLAS, licence='CC0', description='Regions.', references=('x',)
    )


def write_numbers(path, names, values):
    rows = [['n/a' if np.isnan(v) else repr(float(v)) for v in row] for row in values]
    write_table(path, names, rows)


def square(edges, regions):
    """Return the symmetric matrix whose upper half has these Fisher's z, as correlations."""
    matrix = np.eye(regions)
    upper = np.triu_indices(regions, 1)
    matrix[upper] = np.tanh(edges)
    matrix.T[upper] = np.tanh(edges)
    return matrix


#: Each network is two balls, so that the three lie apart from each other.
CENTRES = (((6, 6, 5), (17, 6, 5)), ((6, 18, 5), (17, 18, 5)), ((6, 12, 14), (17, 12, 14)))
SHAPE, FRAMES, NOISE = (24, 25, 20), 200, 1.3
AFFINE = np.diag([4.0, 4, 4, 1])
AFFINE[:3, 3] = -46, -48, -38


def draw_networks():
    """Return three maps of values from 0 to 1, of shape (3, x, y, z)."""
    voxels = np.indices(SHAPE)
    maps = []
    for centres in CENTRES:
        balls = [
            sum((axis - c) ** 2 for axis, c in zip(voxels, centre, strict=True)) <= 4.2**2
            for centre in centres
        ]
        maps.append(ndimage.gaussian_filter(np.any(balls, axis=0).astype(float), 0.7))
    return np.stack(maps)


def draw_brain():
    mask = np.zeros(SHAPE, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    return mask


def draw_run(networks, amplitude, seed):
    """Return a run in which every network has a course of this standard deviation."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(size=(FRAMES, 3))
    waves = np.linalg.qr(waves - waves.mean(axis=0))[0] * np.sqrt(FRAMES) * amplitude
    data = np.einsum('tk,kxyz->xyzt', waves, networks) + rng.normal(0, NOISE, (*SHAPE, FRAMES))
    data -= data.mean(axis=-1, keepdims=True)
    return np.where(draw_brain()[..., None], data, 0).astype(np.float32)
