"""The options of the command line, by what they say. Standard library only."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from mriderived.config import (
    DEFAULT_MEASURES,
    AlffDefinition,
    AnatBackend,
    Config,
    Denoising,
    Device,
    Export,
    Learner,
    Lesions,
    Readable,
    RehoNeighbours,
    SkullStrip,
    TrackingAlgorithm,
)

#: Stands for an option without its value; no shell can pass it.
NOTHING = '\0'
#: Denoising strategies without censoring.
_PLAIN = [name for name in get_args(Denoising) if not name.endswith('+scrub')]


def _list(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    group.add_argument(*flags, nargs='*', action='extend', **details)


def _value(group: argparse._ArgumentGroup, *flags: str, **details: Any) -> None:
    group.add_argument(*flags, nargs='?', const=NOTHING, **details)


def add_selection(group: argparse._ArgumentGroup) -> None:
    """Add the options that say what to work on: participants, sessions, images."""
    _list(
        group,
        '-p',
        '--participant-label',
        metavar='LABEL',
        dest='participant_labels',
        help='participants, with or without sub-, or a file with one label per line',
    )
    _list(
        group,
        '--session-label',
        metavar='LABEL',
        dest='session_labels',
        help='sessions, with or without ses-, or a file with one label per line',
    )
    _value(
        group,
        '--bids-filter-file',
        metavar='JSON',
        help='entities that the images must have, by query (see docs/usage.md)',
    )
    group.add_argument(
        '--skip-bids-validation',
        action='store_true',
        help='do not run the BIDS validator on bids_dir',
    )


def add_processing(group: argparse._ArgumentGroup) -> None:
    """Add the options that say what to compute, and how."""
    _list(
        group,
        '--measures',
        metavar='NAME',
        help=f'only these measures; {DEFAULT_MEASURES} stands for all but those that run only '
        f'where named, as in: {DEFAULT_MEASURES} thickness_laplace (default: {DEFAULT_MEASURES})',
    )
    _list(group, '--skip-measures', metavar='NAME', help='not these measures')
    _list(
        group,
        '--atlases',
        metavar='NAME',
        help=f'atlases of regional measures (default: {" ".join(Config.atlases)})',
    )
    _list(
        group,
        '--output-spaces',
        metavar='NAME',
        help=f'spaces of warped maps (default: {" ".join(Config.output_spaces)})',
    )
    _value(
        group,
        '--skull-strip',
        metavar='|'.join(get_args(SkullStrip)),
        help='auto: unless the image has been stripped already (default)',
    )
    _value(
        group,
        '--anat-backend',
        metavar='|'.join(get_args(AnatBackend)),
        help='what finds tissues and spaces; deepmriprep needs its weights (default: builtin)',
    )
    _value(
        group,
        '--lesions',
        metavar='|'.join(get_args(Lesions)),
        help='what leaves regions without numbers; auto: suspected large lesions and given masks '
        '(default); mask: given masks alone; ignore: nothing',
    )
    _add_bold(group)
    _add_diffusion(group)
    _add_group_level(group)
    _value(group, '--random-seed', metavar='N', help=f'default: {Config.random_seed}')
    group.add_argument(
        '--sloppy',
        action='store_true',
        help='coarse and quick; for tests only, marked in every output',
    )


def _add_bold(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        '--denoising',
        metavar='NAME',
        help=f'what is taken off BOLD: {", ".join(_PLAIN)}, each also with +scrub '
        f'(default: {Config.denoising}: 36P, or 24P+GSR where a run has no tissues)',
    )
    _value(
        group,
        '--frequency-band',
        metavar='LOW-HIGH',
        help=f'of BOLD, in Hz (default: {Config.frequency_band})',
    )
    group.add_argument(
        '--use-syn-sdc',
        action='store_true',
        help='BOLD and diffusion without a field map: tell distortion from the T1w (a guess)',
    )
    _value(
        group,
        '--alff-definition',
        metavar='|'.join(get_args(AlffDefinition)),
        help='ALFF as mean amplitude (Zang, Zou; default) or as standard deviation (C-PAC)',
    )
    _value(
        group,
        '--reho-neighbours',
        metavar='|'.join(get_args(RehoNeighbours)),
        help=f'voxels that ReHo is of, itself included (default: {Config.reho_neighbours})',
    )
    _value(
        group,
        '--task-model',
        metavar='JSON',
        help='BIDS Stats Model of runs with events: adds maps of its contrasts',
    )


def _add_diffusion(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--fix-gradients',
        action='store_true',
        help='diffusion whose gradient table has wrong axes or signs: take the likely right one',
    )
    _value(
        group,
        '--tracking-algorithm',
        metavar='|'.join(get_args(TrackingAlgorithm)),
        help='streamlines go where chance leads within the distribution of fibres (default), or '
        'where it is largest',
    )
    _value(
        group,
        '--tracking-seeds',
        metavar='N',
        help=f'places where streamlines begin (default: {Config.tracking_seeds})',
    )


def _add_group_level(group: argparse._ArgumentGroup) -> None:
    _value(
        group,
        '--export',
        metavar='|'.join(get_args(Export)),
        help='group only: its tables also in the form of the ENIGMA protocols (default: none)',
    )
    _value(
        group,
        '--ica-components',
        metavar='N',
        help='group only: find so many components of denoised_in_space, by CanICA and dual '
        'regression (default: none)',
    )
    group.add_argument(
        '--tangent',
        action='store_true',
        help='group only: connectivity in tangent space too',
    )
    _list(
        group,
        '--derivatives',
        metavar='NAME=DIR',
        help=f'group only: results of others for the tables ({", ".join(get_args(Readable))})',
    )
    _list(
        group,
        '--model',
        metavar='FORMULA',
        dest='models',
        help="group only: fit this to every region, as in 'thickness ~ age + C(sex) + tiv', in "
        'quotes; or the models of a YAML file (see docs/models.md)',
    )
    _list(
        group,
        '--harmonise',
        metavar='FORMULA',
        help='group only: take differences between sites off the regions and keep the rest, as in '
        "'site ~ age + C(sex)', or 'site ~ 1' to keep nothing",
    )
    _list(
        group,
        '--predict',
        metavar='FORMULA',
        help='group only: predict a column from regions, by cross-validation, as in '
        "'age ~ thickness + area'",
    )
    _list(
        group,
        '--norms',
        metavar='FORMULA',
        help='group only: how far everybody is from what is normal, as in '
        "'thickness ~ age + C(sex)'",
    )
    _value(
        group,
        '--norms-reference',
        metavar='RULE',
        help='who draws the curves of --norms, as in \'group == "control"\' (default: everybody)',
    )
    _list(
        group,
        '--exclude',
        metavar='RULE',
        help="group only: leave out of statistics whom this is true of, as in 't1w_quality_cjv > "
        "0.8', in quotes",
    )
    _value(
        group,
        '--ratings',
        metavar='FILE',
        help='group only: leave out of statistics whose images this file excludes (ratings.tsv of '
        'the reports)',
    )
    _value(
        group,
        '--learner',
        metavar='|'.join(get_args(Learner)),
        help=f'what learns to predict (default: {Config.learner})',
    )
    _value(
        group,
        '--sites',
        metavar='COLUMN',
        help='sites that --predict harmonises within training participants (default: none)',
    )
    _list(
        group,
        '--map-model',
        metavar='FORMULA',
        dest='map_models',
        help="group only: fit this to every voxel, as in 'gm_modulated_smooth ~ age + tiv', or "
        'the models of a YAML file (see docs/maps.md)',
    )
    _value(
        group,
        '--permutations',
        metavar='N',
        help='of voxel-wise models (default: none; 1000 do with the fitted tail)',
    )
    _value(group, '--smoothing', metavar='MM', help='of maps, before a voxel-wise model')
    _value(
        group,
        '--dask-scheduler',
        metavar='ADDRESS',
        help='run permutations on this Dask cluster, not here',
    )


def add_resources(group: argparse._ArgumentGroup) -> None:
    """Add the options that say what of the machine to use."""
    _value(
        group,
        '--nprocs',
        metavar='N',
        help='processors in all (default: those this process may use)',
    )
    _value(
        group,
        '--omp-nthreads',
        metavar='N',
        help='threads of one computation (default: shared among the participants that run)',
    )
    _value(
        group,
        '--mem',
        metavar='SIZE',
        dest='mem_gb',
        help='memory in all, with its unit: 8G, 8000M (default: 90 %% of what there is)',
    )
    _value(
        group,
        '--device',
        metavar='|'.join(get_args(Device)),
        help='where networks run (default: auto)',
    )
    _value(
        group,
        '-w',
        '--work-dir',
        metavar='DIR',
        help='intermediate files, caches, temporary files (default: out_dir/work)',
    )
    group.add_argument(
        '--clean-workdir',
        action='store_true',
        help='remove the intermediate files of participants that are done',
    )


def add_running(group: argparse._ArgumentGroup) -> None:
    """Add the options that say how to run."""
    _value(
        group,
        '--config-file',
        metavar='TOML',
        help='settings, as written to out_dir/logs; the command line wins',
    )
    for flag, text in {
        '--dry-run': 'show what would run, what is missing and why; write nothing',
        '--reports-only': 'write the reports again from what is in out_dir',
        '--write-graph': 'write the graph of every workflow to out_dir/logs',
        '--stop-on-first-failure': 'end all participants after a unit of work has failed',
    }.items():
        group.add_argument(flag, action='store_true', help=text)
    group.add_argument(
        '-v', '--verbose', action='count', help='say more; -vv says all, also what libraries say'
    )
    group.add_argument('--version', action='store_true', help='print the version and end')
    group.add_argument('-h', '--help', action='store_true', help='print this text and end')
