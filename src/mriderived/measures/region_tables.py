"""The region table of every map that asks for one: a measure made from a declaration."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nb
import numpy as np

from mriderived.config import Config
from mriderived.core.regions import region_table
from mriderived.interfaces.sink import write_remarks
from mriderived.measures.base import Column, Measure, Output
from mriderived.measures.missing_regions import (
    MIN_BOLD_COVERAGE,
    MIN_COVERAGE,
    explain_coverage,
    read_labels,
    remark_missing,
)
from mriderived.measures.one_node import one_node_wf

#: What a region of a map is given.
STATISTICS = ('mean', 'std', 'median')
#: Why a region of a map has no number.
NO_VALUE = 'the map has no value in this region'


class RegionTable(NamedTuple):
    """The file that :func:`tabulate_map` writes."""

    table: Path


def tabulate_map(
    map_file: Path,
    atlas_dseg: Path,
    atlas_labels: Path,
    tissues: tuple[str, ...] = (),
    is_zero_missing: bool = False,
    least_coverage: float = MIN_COVERAGE,
) -> RegionTable:
    """Summarise a map within the regions of an atlas on the same grid."""
    labels = read_labels(atlas_labels)
    if tissues:
        labels = labels[labels['tissue'].isin(tissues)]
    values = np.asarray(nb.loadsave.load(map_file).dataobj, dtype=np.float64)
    if is_zero_missing:
        values[values == 0] = np.nan
    regions = np.asarray(nb.loadsave.load(atlas_dseg).dataobj).astype(np.int32)
    table = region_table(values, regions, labels['index'].to_numpy())
    table.insert(1, 'name', labels['name'].to_numpy())
    reasons = [
        why or (NO_VALUE if count == 0 else '')
        for why, count in zip(
            explain_coverage(labels, least_coverage), table['n_voxels'], strict=True
        )
    ]
    table.loc[np.array([bool(why) for why in reasons], dtype=bool), list(STATISTICS)] = np.nan
    out_file = Path('regions.tsv')
    table.to_csv(out_file, sep='\t', index=False, na_rep='n/a', float_format='%.7g')
    if table.empty:
        write_remarks(out_file, notes=[f'The atlas has no region of {" or ".join(tissues)}.'])
    remark_missing(out_file, table, reasons, STATISTICS, 'value')
    return RegionTable(table=out_file)


def find_grid(measure: Measure, output: Output) -> str:
    """Return the kind of image on whose grid a map is."""
    return 'T1w' if output.entities.get('space') == 'T1w' else measure.source


def label_needs(source: str) -> tuple[str, str]:
    """Return the resources with the regions of an atlas on the grid of images of one kind."""
    prefix = '' if source == 'T1w' else f'{source}_'
    return f'{prefix}atlas_dseg', f'{prefix}atlas_labels'


def init_region_table_wf(output: Output, source: str, config: Config) -> Any:
    """Build the workflow that tabulates a map."""
    del config  # nothing in the settings changes a region table
    field = output.field
    dseg, labels = label_needs(source)
    return one_node_wf(
        tabulate_map,
        (f'{field}=map_file', f'{dseg}=atlas_dseg', f'{labels}=atlas_labels'),
        {'table': f'{field}_regions'},
        tissues=output.tissues,
        is_zero_missing=output.is_zero_missing,
        least_coverage=MIN_COVERAGE if source == 'T1w' else MIN_BOLD_COVERAGE,
    )


def region_measure(measure: Measure, output: Output) -> Measure:
    """Return the measure that tabulates one map of ``measure`` over atlases."""
    unit = output.unit or '1'
    statistics = {'mean': 'Mean', 'std': 'Standard deviation', 'median': 'Median'}
    columns = (
        Column('index', 'Number of the region in the label image.'),
        Column('name', 'Name of the region.', unit=''),
        *(
            Column(name, f'{name} of: {output.description}', unit, title)
            for name, title in statistics.items()
        ),
        Column('n_voxels', 'Voxels of the region that have a value.', title='Voxels'),
    )
    return Measure(
        name=f'{output.field}_regions',
        title=f'{output.title or measure.title}, by region',
        needs=(output.field, *label_needs(find_grid(measure, output))),
        outputs=(
            Output(
                field=f'{output.field}_regions',
                datatype=output.datatype,
                suffix=output.suffix,
                extension='.tsv',
                entities=output.entities,
                description=f'By region: {output.description}',
                columns=columns,
                cohort_columns=('mean',),
                tissues=output.tissues,
                draft=output.draft or 'mriderived',
            ),
        ),
        init_wf=partial(init_region_table_wf, output, find_grid(measure, output)),
        reference=measure.reference,
        methods='',
        over='atlas',
        source=measure.source,
        scope=measure.scope,
        is_opt_in=measure.is_opt_in,
    )


def region_measures(measures: Iterable[Measure]) -> tuple[Measure, ...]:
    """Return a region table for every output that declares ``regions=True``."""
    return tuple(
        region_measure(measure, output)
        for measure in measures
        for output in measure.outputs
        if output.regions
    )
