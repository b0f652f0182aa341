"""The options of the command line, by what they say. Standard library only."""

from __future__ import annotations

import argparse
from typing import get_args

from mriderived.app.group_options import add_group_level
from mriderived.app.option_kinds import add_list, add_value
from mriderived.config import (
    DEFAULT_MEASURES,
    AlffDefinition,
    AnatBackend,
    Config,
    Denoising,
    Device,
    Lesions,
    RatioCalibration,
    RehoNeighbours,
    SkullStrip,
    TrackingAlgorithm,
)

#: Denoising strategies without censoring.
_PLAIN = [name for name in get_args(Denoising) if not name.endswith('+scrub')]


def add_selection(group: argparse._ArgumentGroup) -> None:
    """Add the options that say what to work on: participants, sessions, images."""
    add_list(
        group,
        '-p',
        '--participant-label',
        metavar='LABEL',
        dest='participant_labels',
        help='participants, with or without sub-, or a file with one label per line',
    )
    add_list(
        group,
        '--session-label',
        metavar='LABEL',
        dest='session_labels',
        help='sessions, with or without ses-, or a file with one label per line',
    )
    add_value(
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
    add_list(
        group,
        '--measures',
        metavar='NAME',
        help=f'only these measures; {DEFAULT_MEASURES} stands for all but those that run only '
        f'where named, as in: {DEFAULT_MEASURES} thickness_laplace (default: {DEFAULT_MEASURES})',
    )
    add_list(group, '--skip-measures', metavar='NAME', help='not these measures')
    add_list(
        group,
        '--atlases',
        metavar='NAME',
        help=f'atlases of regional measures (default: {" ".join(Config.atlases)})',
    )
    add_list(
        group,
        '--output-spaces',
        metavar='NAME',
        help=f'spaces of warped maps (default: {" ".join(Config.output_spaces)})',
    )
    add_value(
        group,
        '--skull-strip',
        metavar='|'.join(get_args(SkullStrip)),
        help='auto: unless the image has been stripped already (default)',
    )
    add_value(
        group,
        '--anat-backend',
        metavar='|'.join(get_args(AnatBackend)),
        help='what finds tissues and spaces; deepmriprep needs its weights (default: builtin)',
    )
    add_value(
        group,
        '--lesions',
        metavar='|'.join(get_args(Lesions)),
        help='what leaves regions without numbers; auto: suspected large lesions and given masks '
        '(default); mask: given masks alone; ignore: nothing',
    )
    add_value(
        group,
        '--wmh-model',
        metavar='FILE',
        help='a network (TorchScript) that finds white-matter hyperintensities (default: none)',
    )
    add_value(
        group,
        '--t1t2-calibration',
        metavar='|'.join(get_args(RatioCalibration)),
        help='tissues by which T1w/T2w ratios of all scanners get one scale (default: none)',
    )
    _add_bold(group)
    _add_diffusion(group)
    add_group_level(group)
    add_value(group, '--random-seed', metavar='N', help=f'default: {Config.random_seed}')
    group.add_argument(
        '--sloppy',
        action='store_true',
        help='coarse and quick; for tests only, marked in every output',
    )


def _add_bold(group: argparse._ArgumentGroup) -> None:
    add_value(
        group,
        '--denoising',
        metavar='NAME',
        help=f'what is taken off BOLD: {", ".join(_PLAIN)}, each also with +scrub '
        f'(default: {Config.denoising}: 36P, or 24P+GSR where a run has no tissues)',
    )
    add_value(
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
    add_value(
        group,
        '--alff-definition',
        metavar='|'.join(get_args(AlffDefinition)),
        help='ALFF as mean amplitude (Zang, Zou; default) or as standard deviation (C-PAC)',
    )
    add_value(
        group,
        '--reho-neighbours',
        metavar='|'.join(get_args(RehoNeighbours)),
        help=f'voxels that ReHo is of, itself included (default: {Config.reho_neighbours})',
    )
    add_value(
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
    add_value(
        group,
        '--tracking-algorithm',
        metavar='|'.join(get_args(TrackingAlgorithm)),
        help='streamlines go where chance leads within the distribution of fibres (default), or '
        'where it is largest',
    )
    add_value(
        group,
        '--tracking-seeds',
        metavar='N',
        help=f'places where streamlines begin (default: {Config.tracking_seeds})',
    )


def add_resources(group: argparse._ArgumentGroup) -> None:
    """Add the options that say what of the machine to use."""
    add_value(
        group,
        '--nprocs',
        metavar='N',
        help='processors in all (default: those this process may use)',
    )
    add_value(
        group,
        '--omp-nthreads',
        metavar='N',
        help='threads of one computation (default: shared among the participants that run)',
    )
    add_value(
        group,
        '--mem',
        metavar='SIZE',
        dest='mem_gb',
        help='memory in all, with its unit: 8G, 8000M (default: 90 %% of what there is)',
    )
    add_value(
        group,
        '--device',
        metavar='|'.join(get_args(Device)),
        help='where networks run (default: auto)',
    )
    add_value(
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
    add_value(
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
