"""The structural connectome: which regions streamlines join, and by how much."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.connectome import SEARCH_MM, Connectome, join_regions, label_ends
from mriderived.core.streamlines import average_along
from mriderived.figures.time_courses import draw_matrices
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.tractograms import load_trx
from mriderived.interfaces.volumes import load, load_affine, voxel_size
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.connectivity import TISSUES
from mriderived.measures.grey_regions import load_grey_regions
from mriderived.measures.missing_regions import (
    MIN_BOLD_COVERAGE,
    explain_coverage,
    remark_missing,
)
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.tables import write_table

NEEDS = ('tractogram', 'dwi_atlas_dseg', 'dwi_atlas_labels', 'tensor_fa')
#: With fewer than this share of streamlines between regions, the atlas or its mapping is doubtful.
FEW_ASSIGNED = 0.3


class ConnectomeFiles(NamedTuple):
    """The files that :func:`connect_by_streamlines` writes."""

    connectome_count: Path
    connectome_meanlength: Path
    connectome_meanfa: Path
    connectome_density: Path
    connectome_weight: Path
    connectome_nodes: Path


def connect_by_streamlines(
    tractogram: Path, dwi_atlas_dseg: Path, dwi_atlas_labels: Path, tensor_fa: Path,
    threads: int = 1,
) -> ConnectomeFiles:  # fmt: skip
    """Build the matrices of an atlas."""
    streamlines, values = load_trx(tractogram)
    labels, dseg, affine = load_grey_regions(dwi_atlas_dseg, dwi_atlas_labels)
    numbers = labels['index'].to_numpy(np.int64)
    fa = load(tensor_fa)
    fa[fa == 0] = np.nan
    ends = label_ends(streamlines, dseg, affine, SEARCH_MM, threads)
    sizes = np.bincount(dseg[dseg > 0], minlength=int(numbers.max(initial=0)) + 1)[numbers]
    found = join_regions(
        ends,
        numbers,
        sizes * float(voxel_size(affine).prod()),
        values['length'],
        average_along(streamlines, fa, load_affine(tensor_fa), threads),
        values['weight'],
    )
    reasons = [
        why or ('' if size else 'no voxel of the series fits this region')
        for why, size in zip(explain_coverage(labels, MIN_BOLD_COVERAGE), sizes, strict=True)
    ]
    missing = np.array([bool(why) for why in reasons], dtype=bool)
    names = [str(name) for name in labels['name']]

    def write(matrix: NDArray[np.float64], stat: str) -> Path:
        known = np.where(missing[:, None] | missing[None], np.nan, matrix)
        return write_table(pd.DataFrame(known, columns=names), f'{stat}.tsv')

    files = ConnectomeFiles(
        write(found.counts, 'count'),
        write(found.mean_length, 'meanlength'),
        write(found.mean_along, 'meanfa'),
        write(found.density, 'density'),
        write(found.weight, 'weight'),
        _write_nodes(labels, found, missing, reasons),
    )
    notes = []
    if found.assigned < FEW_ASSIGNED:
        notes.append(
            f'{100 * found.assigned:.0f} % of the streamlines have a region of the atlas at '
            'either end.'
        )
    write_remarks(
        files.connectome_count,
        notes=notes,
        Streamlines=len(streamlines),
        StreamlinesAssigned=round(found.assigned, 4),
    )
    return files


def _write_nodes(
    labels: pd.DataFrame, found: Connectome, missing: NDArray[np.bool_], reasons: list[str]
) -> Path:
    apart = ~np.eye(len(labels), dtype=bool) & ~missing
    table = pd.DataFrame({
        'index': labels['index'],
        'name': labels['name'],
        'strength': np.where(missing, np.nan, (found.weight * apart).sum(axis=1)),
        'degree': np.where(missing, np.nan, ((found.counts > 0) & apart).sum(axis=1)),
    })  # fmt: skip
    path = write_table(table, 'nodes.tsv')
    remark_missing(path, table, reasons, ('strength', 'degree'), 'connections')
    return path


def init_connectome_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(connect_by_streamlines, NEEDS, threads=config.omp_nthreads)


def draw_connectome(connectome_count: Path, connectome_weight: Path) -> list[Any]:
    """Draw counts and weights; their logarithms, for they differ by orders of magnitude."""
    matrices = {
        'Streamlines (log10 of 1 + n)': _logarithm(connectome_count),
        'Weights (log10 of 1 + sum)': _logarithm(connectome_weight),
    }
    limits = {
        name: max(float(np.nanmax(matrix, initial=0)), 0.1) for name, matrix in matrices.items()
    }
    return [draw_matrices(matrices, limits)]


def _logarithm(path: Path) -> NDArray[np.float64]:
    values = pd.read_csv(path, sep='\t', na_values='n/a').to_numpy(np.float64)
    return np.asarray(np.log10(1 + values))


def _matrix(stat: str, title: str, description: str, unit: str) -> Output:
    return Output(
        field=f'connectome_{stat}',
        datatype='dwi',
        suffix='relmat',
        extension='.tsv',
        entities={'stat': stat},
        title=title,
        description=f'{description} One row and one column per region, in the same order; '
        'symmetric. The diagonal is of streamlines that return to their region.',
        unit=unit,
        in_cohort=False,
        draft='BEP017',
    )


CONNECTOME = Measure(
    name='connectome',
    title='Structural connectome',
    needs=NEEDS,
    source='dwi',
    over='atlas',
    atlas_tissues=TISSUES,
    outputs=(
        _matrix('count', 'Streamlines', 'Number of streamlines between regions.', '1'),
        _matrix('meanlength', 'Mean length', 'Mean length of the streamlines.', 'mm'),
        _matrix('meanfa', 'Mean FA', 'Mean over streamlines of their mean FA.', '1'),
        _matrix('density', 'Streamline density',
                'Number of streamlines over the mean volume of both regions.', '1/mm^3'),
        _matrix('weight', 'Weighted connectivity',
                'Sum of the weights of streamlines, which fit the apparent fibre density.', '1'),
        Output(
            field='connectome_nodes',
            datatype='dwi',
            suffix='relmat',
            extension='.tsv',
            entities={'stat': 'nodes'},
            description='How strongly each region is connected with all others.',
            columns=(
                Column('index', 'Number of the region in the label image.'),
                Column('name', 'Name of the region.', unit=''),
                Column('strength', 'Sum of the weights of its streamlines to other regions.', '1',
                       'Structural connection strength'),
                Column('degree', 'Number of other regions that a streamline leads to.', '1',
                       'Number of connected regions'),
            ),
            cohort_columns=('strength', 'degree'),
            tissues=TISSUES,
            draft='BEP017',
        ),
    ),
    init_wf=init_connectome_wf,
    reference='https://doi.org/10.1371/journal.pbio.0060159',
    methods=(
        'Structural connectomes (Hagmann et al. 2008, doi:10.1371/journal.pbio.0060159) are of '
        'streamlines whose ends lie in a region or within 2 mm of one.'
    ),
    figures=(
        Figure(
            name='connectome',
            draw=draw_connectome,
            needs=('connectome_count', 'connectome_weight'),
            title='Structural connectome',
            caption='Streamlines between regions (left) and the sums of their weights (right), in '
            'the order of the table of the atlas.',
        ),
    ),
    minutes=0.2,
    memory_gb=2.0,
)  # fmt: skip
