"""The columns of the table of diffusion quality: what each metric is and what readers call it."""

from __future__ import annotations

from mriderived.measures.base import Column

COLUMNS: tuple[Column, ...] = (
    Column('volumes', 'Volumes of the series.', '1', 'Volumes'),
    Column('shells', 'b-values, the unweighted one apart.', '1', 'Shells'),
    Column('b_max', 'Largest b-value.', 's/mm^2', 'Largest b-value'),
    Column(
        'fd_mean', 'Mean framewise displacement.', 'mm', 'Framewise displacement, mean'
    ),
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
        'untold_volumes',
        'Volumes whose motion could not be told: they have the position of their neighbours.',
        '1',
        'Volumes of unknown motion',
    ),
    Column(
        'outlier_slices',
        'Slices whose signal was lost and was replaced, of all volumes.',
        'percent',
        'Lost slices',
    ),
    Column(
        'spikes',
        'Slices whose air is far brighter than in the other volumes of the shell.',
        'percent',
        'Slices with spikes',
    ),
    Column(
        'ndc_raw',
        'Mean correlation of weighted volumes with their neighbours in q-space, as acquired.',
        '1',
        'Neighbouring DWI correlation, raw',
    ),
    Column(
        'ndc', 'The same after preprocessing.', '1', 'Neighbouring DWI correlation'
    ),
    Column(
        'snr_b0',
        'Median of the brain without diffusion weighting over the noise.',
        '1',
        'Signal-to-noise ratio, b = 0',
    ),
    *(
        Column(
            f'cnr_{shell}',
            f'How much directions differ over how much noise does, in shell {shell} (from the '
            'lowest b-value).',
            '1',
            f'Contrast-to-noise ratio, shell {shell}',
        )
        for shell in (1, 2, 3)
    ),
    Column(
        'fa_callosum',
        'Median fractional anisotropy of the middle of the corpus callosum.',
        '1',
        'FA of the corpus callosum',
    ),
    Column(
        'coherence',
        'How much of the same fibre there is where fibres point to (0 to 1); a wrong gradient '
        'table lowers it.',
        '1',
        'Fibre coherence',
    ),
)  # fmt: skip
