"""The options of the group level. Standard library only."""

from __future__ import annotations

import argparse
from typing import get_args

from mriderived.app.option_kinds import add_list, add_value
from mriderived.config import Config, Export, Learner, Readable, TableForm


def add_group_level(group: argparse._ArgumentGroup) -> None:
    """Add the options of the group level."""
    add_value(
        group,
        '--export',
        metavar='|'.join(get_args(Export)),
        help='group only: its tables also in the form of the ENIGMA protocols (default: none)',
    )
    add_value(
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
    add_list(
        group,
        '--derivatives',
        metavar='NAME=DIR',
        help=f'group only: results of others for the tables ({", ".join(get_args(Readable))})',
    )
    add_list(
        group,
        '--tables',
        metavar='|'.join(get_args(TableForm)),
        help='group only: the cohort table in these forms too (default: none)',
    )
    group.add_argument(
        '--join-covariates',
        action='store_true',
        help='group only: a table with participants.tsv and phenotype/*.tsv of the raw dataset '
        'in front of the measures, which tells of people what these tell',
    )
    add_list(
        group,
        '--model',
        metavar='FORMULA',
        dest='models',
        help="group only: fit this to every region, as in 'thickness ~ age + C(sex) + tiv', in "
        'quotes; or the models of a YAML file (see docs/models.md)',
    )
    add_list(
        group,
        '--harmonise',
        metavar='FORMULA',
        help='group only: take differences between sites off the regions and keep the rest, as in '
        "'site ~ age + C(sex)', or 'site ~ 1' to keep nothing",
    )
    group.add_argument(
        '--use-harmonised',
        action='store_true',
        help='models of regions and norms of the values that --harmonise made; predictions '
        'harmonise over its sites, within training participants',
    )
    add_list(
        group,
        '--predict',
        metavar='FORMULA',
        help='group only: predict a column from regions, by cross-validation, as in '
        "'age ~ thickness + area'",
    )
    add_list(
        group,
        '--norms',
        metavar='FORMULA',
        help='group only: how far everybody is from what is normal, as in '
        "'thickness ~ age + C(sex)'",
    )
    add_value(
        group,
        '--norms-reference',
        metavar='RULE',
        help='who draws the curves of --norms, as in \'group == "control"\' (default: everybody)',
    )
    add_list(
        group,
        '--exclude',
        metavar='RULE',
        help="group only: leave out of statistics whom this is true of, as in 't1w_quality_cjv > "
        "0.8', in quotes",
    )
    add_value(
        group,
        '--ratings',
        metavar='FILE',
        help='group only: leave out of statistics whose images this file excludes (ratings.tsv of '
        'the reports)',
    )
    add_value(
        group,
        '--learner',
        metavar='|'.join(get_args(Learner)),
        help=f'what learns to predict (default: {Config.learner})',
    )
    add_value(
        group,
        '--sites',
        metavar='COLUMN',
        help='group only: sites within which outliers are judged (default: those of --harmonise), '
        'and that --predict harmonises within training participants',
    )
    group.add_argument(
        '--folds-by-site',
        action='store_true',
        help='predict people of sites of which nobody was learned from: folds hold whole sites '
        'of --sites, which are not harmonised then',
    )
    add_list(
        group,
        '--map-model',
        metavar='FORMULA',
        dest='map_models',
        help="group only: fit this to every voxel, as in 'gm_modulated_smooth ~ age + tiv', or "
        'the models of a YAML file (see docs/maps.md)',
    )
    add_value(
        group,
        '--permutations',
        metavar='N',
        help='of voxel-wise models (default: none; 1000 do with the fitted tail)',
    )
    add_value(group, '--smoothing', metavar='MM', help='of maps, before a voxel-wise model')
    add_value(
        group,
        '--dask-scheduler',
        metavar='ADDRESS',
        help='read maps and run permutations on this Dask cluster, not here; local: one of '
        '--nprocs processes',
    )
