"""The major bundles of white matter: what the tensor says of them and along their way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mriderived.config import Config
from mriderived.core.bundle_profile import (
    LEAST_STREAMLINES,
    NODES,
    find_core,
    orient_streamlines,
    profile_bundle,
    resample_streamlines,
)
from mriderived.core.connectome import label_ends
from mriderived.core.streamlines import Streamlines, measure_lengths, select_streamlines
from mriderived.figures.profiles import draw_profiles
from mriderived.interfaces.sink import write_remarks
from mriderived.interfaces.tractograms import load_trx
from mriderived.interfaces.volumes import load
from mriderived.measures.base import Column, Figure, Measure, Output
from mriderived.measures.bundles import ATLAS, BUNDLES, Bundle
from mriderived.measures.grey_regions import load_grey_regions
from mriderived.measures.one_node import one_node_wf
from mriderived.measures.tables import write_table

MAPS = {
    'fa': ('tensor_fa', 'Fractional anisotropy', '1'),
    'md': ('tensor_md', 'Mean diffusivity', 'mm^2/s'),
    'ad': ('tensor_ad', 'Axial diffusivity', 'mm^2/s'),
    'rd': ('tensor_rd', 'Radial diffusivity', 'mm^2/s'),
}
NEEDS = (
    'tractogram',
    'dwi_atlas_dseg',
    'dwi_atlas_labels',
    *(need for need, _, _ in MAPS.values()),
)


class BundleFiles(NamedTuple):
    """The files that :func:`profile_bundles` writes."""

    bundles: Path
    bundle_profiles: Path


class Found(NamedTuple):
    """One bundle: how many streamlines, their median length (mm), and profiles by map (nodes,)."""

    streamlines: int
    length: float
    profiles: Mapping[str, NDArray[np.float64]]
    reason: str = ''


def profile_bundles(
    tractogram: Path,
    dwi_atlas_dseg: Path,
    dwi_atlas_labels: Path,
    tensor_fa: Path,
    tensor_md: Path,
    tensor_ad: Path,
    tensor_rd: Path,
    threads: int = 1,
) -> BundleFiles:
    """Find the bundles by the ends of streamlines, and sample the maps along them."""
    streamlines, values = load_trx(tractogram)
    labels, dseg, affine = load_grey_regions(dwi_atlas_dseg, dwi_atlas_labels)
    ends = label_ends(streamlines, dseg, affine, threads=threads)
    index = dict(zip(labels['name'], labels['index'].astype(int), strict=True))
    paths = {'fa': tensor_fa, 'md': tensor_md, 'ad': tensor_ad, 'rd': tensor_rd}
    maps = {name: load(path) for name, path in paths.items()}
    outside = maps['md'] == 0
    for volume in maps.values():
        volume[outside] = np.nan
    lengths = values['length'] if 'length' in values else measure_lengths(streamlines)
    found = {
        bundle.name: _find(bundle, streamlines, ends, lengths, index, maps, affine)
        for bundle in BUNDLES
    }
    return BundleFiles(_write_bundles(found), _write_profiles(found))


def _find(
    bundle: Bundle,
    streamlines: Streamlines,
    ends: NDArray[np.int32],
    lengths: NDArray[np.float64],
    index: Mapping[str, int],
    maps: Mapping[str, NDArray[np.float32]],
    affine: NDArray[np.float64],
) -> Found:
    start = np.isin(ends, [index[name] for name in bundle.start if name in index])
    end = np.isin(ends, [index[name] for name in bundle.end if name in index])
    is_straight, is_turned = start[:, 0] & end[:, 1], start[:, 1] & end[:, 0]
    chosen = (is_straight | is_turned) & (lengths >= bundle.least_mm)
    nothing = dict.fromkeys(maps, np.full(NODES, np.nan))
    if chosen.sum() < LEAST_STREAMLINES:
        reason = (
            f'{int(chosen.sum())} streamlines join its regions, fewer than {LEAST_STREAMLINES}'
        )
        return Found(int(chosen.sum()), np.nan, nothing, reason)
    lines = resample_streamlines(select_streamlines(streamlines, chosen))
    lines = orient_streamlines(lines, is_turned[chosen])
    core = find_core(lines, lengths[chosen])
    profiles = {name: profile_bundle(lines[core], volume, affine) for name, volume in maps.items()}
    return Found(int(core.sum()), float(np.median(lengths[chosen][core])), profiles)


def _write_bundles(found: Mapping[str, Found]) -> Path:
    row: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for name, bundle in found.items():
        row[f'{name}_streamlines'] = bundle.streamlines
        row[f'{name}_length'] = bundle.length
        for param, profile in bundle.profiles.items():
            known = profile[np.isfinite(profile)]
            row[f'{name}_{param}'] = float(known.mean()) if known.size else np.nan
    for column, value in row.items():
        if np.isnan(value):
            bundle = found[column.rpartition('_')[0]]
            reasons[column] = bundle.reason or 'the maps have no value along it'
    path = write_table(pd.DataFrame([row]), 'bundles.tsv')
    empty = [bundle.title.lower() for bundle in BUNDLES if found[bundle.name].reason]
    notes = [f'Bundles that were not found: {", ".join(empty)}.'] if empty else []
    write_remarks(path, notes=notes, MissingReasons=reasons)
    return path


def _write_profiles(found: Mapping[str, Found]) -> Path:
    parts = [
        pd.DataFrame({'bundle': name, 'node': np.arange(NODES), **bundle.profiles})
        for name, bundle in found.items()
    ]
    return write_table(pd.concat(parts), 'profiles.tsv')


def init_bundle_profiles_wf(config: Config) -> Any:
    """Build the workflow of the measure."""
    return one_node_wf(profile_bundles, NEEDS, threads=config.omp_nthreads)


def draw_bundle_profiles(bundle_profiles: Path) -> list[Any]:
    """Draw FA along every bundle, left and right together."""
    table = pd.read_csv(bundle_profiles, sep='\t', na_values='n/a')
    panels: dict[str, dict[str, NDArray[np.float64]]] = {}
    for bundle in BUNDLES:
        title, _, side = bundle.title.partition(', ')
        mine = table.loc[table['bundle'] == bundle.name, 'fa'].to_numpy(np.float64)
        panels.setdefault(title, {})[side or 'both'] = mine
    return [draw_profiles(panels, 'FA')]


def _columns() -> tuple[Column, ...]:
    columns = []
    for bundle in BUNDLES:
        columns += [
            Column(f'{bundle.name}_streamlines', f'Streamlines of the {bundle.title.lower()}.',
                   '1', f'{bundle.title}: streamlines'),
            Column(f'{bundle.name}_length', 'Their median length.', 'mm',
                   f'{bundle.title}: length'),
            *(
                Column(f'{bundle.name}_{param}', f'{title} along it, mean of the profile.', unit,
                       f'{bundle.title}: {param.upper()}')
                for param, (_, title, unit) in MAPS.items()
            ),
        ]  # fmt: skip
    return tuple(columns)


BUNDLE_PROFILES = Measure(
    name='bundle_profiles',
    title='Bundles of white matter',
    needs=NEEDS,
    source='dwi',
    atlas=ATLAS,
    outputs=(
        Output(
            field='bundles',
            datatype='dwi',
            suffix='morph',
            extension='.tsv',
            entities={'desc': 'bundles'},
            title='Bundles',
            description='Streamlines, length and diffusion of the major bundles of white matter.',
            columns=_columns(),
            draft='BEP046',
        ),
        Output(
            field='bundle_profiles',
            datatype='dwi',
            suffix='timeseries',
            extension='.tsv',
            entities={'desc': 'profiles'},
            title='Profiles of bundles',
            description='Diffusion at 100 places along each bundle.',
            columns=(
                Column('bundle', 'Name of the bundle.', ''),
                Column('node', 'Place along it, from 0 to 99.'),
                *(Column(param, f'{title}.', unit) for param, (_, title, unit) in MAPS.items()),
            ),
            in_cohort=False,
            draft='BEP046',
        ),
    ),
    init_wf=init_bundle_profiles_wf,
    reference='https://doi.org/10.1371/journal.pone.0049790',
    methods=(
        'Bundles of white matter were the streamlines that join given gyri (after Wassermann et '
        'al. 2016, doi:10.1007/s00429-015-1179-4); streamlines that strayed were left out, and '
        'maps were averaged at 100 places along each, weighted by the distance from its core '
        '(Yeatman et al. 2012, doi:10.1371/journal.pone.0049790).'
    ),
    figures=(
        Figure(
            name='bundles',
            draw=draw_bundle_profiles,
            needs=('bundle_profiles',),
            title='Anisotropy along bundles',
            caption='FA from one end of each bundle to the other, left and right. Both sides '
            'should look alike; gaps are bundles that were not found.',
        ),
    ),
    minutes=0.2,
    memory_gb=2.0,
)
