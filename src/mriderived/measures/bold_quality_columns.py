"""The columns of the table of BOLD quality: what each metric is and what readers call it."""

from __future__ import annotations

from mriderived.measures.base import Column

_STATISTICS = {
    'mean': ('Mean', 'arbitrary'),
    'median': ('Median', 'arbitrary'),
    'mad': ('Median absolute deviation, scaled to a standard deviation,', 'arbitrary'),
    'stdv': ('Standard deviation', 'arbitrary'),
    'k': ('Excess kurtosis', '1'),
    'p05': ('5th percentile', 'arbitrary'),
    'p95': ('95th percentile', 'arbitrary'),
    'n': ('Number of voxels', 'voxels'),
}


def _summaries(region: str, name: str) -> tuple[Column, ...]:
    return tuple(
        Column(
            f'summary_{region}_{key}',
            f'{text} of {name} in the mean volume.',
            unit,
            f'{text.split(",")[0]}, {name}',
        )
        for key, (text, unit) in _STATISTICS.items()
    )


COLUMNS: tuple[Column, ...] = (
    Column(
        'aor',
        "Mean share of voxels that are outliers in time (AFNI's definition).",
        '1',
        'Outlier fraction',
    ),
    Column(
        'aqi',
        "Mean distance of volumes from the median volume (1 - Spearman's correlation).",
        '1',
        'Quality index',
    ),
    Column('dummy_trs', 'Volumes before the steady state.', '1', 'Volumes before steady state'),
    Column(
        'dvars_std',
        'Mean root mean square change between volumes, over what noise would give.',
        '1',
        'DVARS, standardised',
    ),
    Column('dvars_nstd', 'The same in thousandths of the median intensity.', '1', 'DVARS'),
    Column(
        'dvars_vstd',
        'The same, standardised voxel by voxel.',
        '1',
        'DVARS, voxelwise standardised',
    ),
    Column('efc', 'Entropy focus criterion of the mean volume.', '1', 'Entropy focus criterion'),
    Column(
        'fber',
        'Mean energy of the brain over that of air.',
        '1',
        'Foreground-to-background energy ratio',
    ),
    Column('fd_mean', 'Mean framewise displacement.', 'mm', 'Framewise displacement, mean'),
    Column(
        'fd_num',
        'Volumes with more than 0.2 mm of framewise displacement.',
        '1',
        'Volumes with motion',
    ),
    Column(
        'fd_perc', 'Share of these volumes in percent.', 'percent', 'Volumes with motion, share'
    ),
    Column(
        'fwhm_avg',
        'Smoothness of the mean volume: full width at half maximum, mean of the axes.',
        'voxels',
        'Smoothness',
    ),
    Column('fwhm_x', 'Smoothness along the first axis.', 'voxels', 'Smoothness, x'),
    Column('fwhm_y', 'Smoothness along the second axis.', 'voxels', 'Smoothness, y'),
    Column('fwhm_z', 'Smoothness along the third axis.', 'voxels', 'Smoothness, z'),
    Column('gcor', 'Mean correlation of all pairs of voxels.', '1', 'Global correlation'),
    Column(
        'gsr_x', 'Ghost-to-signal ratio along the first axis.', '1', 'Ghost-to-signal ratio, x'
    ),
    Column(
        'gsr_y', 'Ghost-to-signal ratio along the second axis.', '1', 'Ghost-to-signal ratio, y'
    ),
    Column(
        'snr',
        'Median over standard deviation of the brain in the mean volume.',
        '1',
        'Signal-to-noise ratio',
    ),
    Column(
        'tsnr',
        'Median temporal signal-to-noise ratio in the brain.',
        '1',
        'Temporal signal-to-noise ratio',
    ),
    *_summaries('bg', 'air'),
    *_summaries('fg', 'the brain'),
)
