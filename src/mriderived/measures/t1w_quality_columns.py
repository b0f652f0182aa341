"""The columns of the table of image quality: what each metric is and what readers call it."""

from __future__ import annotations

from mriderived.measures.base import Column

_TISSUES = {'csf': 'cerebrospinal fluid', 'gm': 'grey matter', 'wm': 'white matter'}
_REGIONS = {'bg': 'air', **_TISSUES}
_UNIT = 'arbitrary, white matter = 1000'
_STATISTICS = {
    'mean': ('Mean', _UNIT),
    'median': ('Median', _UNIT),
    'mad': ('Median absolute deviation, scaled to a standard deviation,', _UNIT),
    'stdv': ('Standard deviation', _UNIT),
    'k': ('Excess kurtosis', '1'),
    'p05': ('5th percentile', _UNIT),
    'p95': ('95th percentile', _UNIT),
}


def _columns() -> tuple[Column, ...]:
    return (
        Column('cjv', 'Coefficient of joint variation of GM and WM; lower is better.',
               title='Coefficient of joint variation'),
        Column('cnr', 'Contrast between GM and WM over the noise of both and of air.',
               title='Contrast-to-noise ratio'),
        *(Column(f'snr_{t}', f'Median over standard deviation of {name}.',
                 title=f'Signal-to-noise ratio, {name}')
          for t, name in _TISSUES.items()),
        Column('snr_total', 'Mean of the signal-to-noise ratios of the three tissues.',
               title='Signal-to-noise ratio, mean of tissues'),
        *(Column(f'snrd_{t}', f'Median of {name} over the noise in air (Dietrich).',
                 title=f'Signal-to-air-noise ratio, {name}')
          for t, name in _TISSUES.items()),
        Column('snrd_total', 'Mean of the ratios of the three tissues to the noise in air.',
               title='Signal-to-air-noise ratio, mean of tissues'),
        Column('efc', 'Entropy focus criterion: 0 for one bright voxel, 1 for a uniform image.',
               title='Entropy focus criterion'),
        Column('fber', 'Mean energy of the head over that of air, 10 mm and more away.',
               title='Foreground-to-background energy ratio'),
        Column('qi_1', 'Share of artefacts in the air above brow and inion; lower is better.',
               title='Quality index 1, artefacts in air'),
        Column('qi_2', 'Misfit of coil noise to the upper tail of the histogram of air.',
               title='Quality index 2, noise in air'),
        Column('wm2max', 'Median of WM over the 99.95th percentile of the image; usual 0.6-0.8.',
               title='White matter to maximum intensity'),
        Column('inu_med', 'Median of the bias field of mean 1 in the brain.',
               title='Bias field, median'),
        Column('inu_range', '95th minus 5th percentile of the bias field of mean 1.',
               title='Bias field, range'),
        *_smoothness_columns(),
        *(Column(f'icvs_{t}', f'Share of {name} in the volume of the three tissues.',
                 title=f'Volume fraction, {name}')
          for t, name in _TISSUES.items()),
        *(Column(f'rpve_{t}', f'Share of the volume of {name} in voxels of mixed tissue.',
                 title=f'Residual partial volume, {name}')
          for t, name in _TISSUES.items()),
        *(Column(f'tpm_overlap_{t}', f'Fuzzy Jaccard index of {name} with the template.',
                 title=f'Overlap with the template, {name}')
          for t, name in _TISSUES.items()),
        *_summary_columns(),
        *(Column(f'size_{a}', f'Voxels along {a} (RAS).', 'voxels', f'Image size, {a}')
          for a in 'xyz'),
        *(Column(f'spacing_{a}', f'Voxel size along {a} (RAS).', 'mm', f'Voxel size, {a}')
          for a in 'xyz'),
        Column('anisotropy', 'Largest over smallest voxel size.', title='Anisotropy of the voxel'),
        Column('brain_at_border_n', 'Brain voxels on the faces of the image; 0 is uncut.',
               'voxels', 'Brain voxels at the border'),
        Column('lesion_volume', 'Volume of large lesions, suspected or given; 0 for none.',
               'mL', 'Volume of large lesions'),
        Column('lesion_n', 'Connected parts of large lesions, suspected or given.',
               title='Number of large lesions'),
    )  # fmt: skip


def _smoothness_columns() -> tuple[Column, ...]:
    text = 'Full width at half maximum of the spatial correlation in the brain'
    return tuple(
        Column(f'fwhm_{axis}{suffix}', f'{text}, {where}.', unit, f'Smoothness, {where}')
        for suffix, unit in (('', 'voxels'), ('_mm', 'mm'))
        for axis, where in (*((a, f'along {a}') for a in 'xyz'), ('avg', 'mean of the three axes'))
    )


def _summary_columns() -> tuple[Column, ...]:
    return tuple(
        column
        for region, name in _REGIONS.items()
        for column in (
            *(
                Column(f'summary_{region}_{key}', f'{text} of {name}.', unit,
                       f'{text.split(",")[0]}, {name}')
                for key, (text, unit) in _STATISTICS.items()
            ),
            Column(f'summary_{region}_n', f'Voxels of {name} behind these statistics.', 'voxels',
                   f'Voxels of {name}'),
        )
    )  # fmt: skip


COLUMNS = _columns()
