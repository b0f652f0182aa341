"""Whether options of the group level stand where they can do something."""

from __future__ import annotations

from collections.abc import Iterator

from mriderived.app.exit_codes import Problem
from mriderived.config import Config


def check_group_options(config: Config) -> Iterator[Problem]:
    """Yield options of the group level that were given to another."""
    given = {
        f'--export {config.export}': config.export != 'none',
        f'--ica-components {config.ica_components}': config.ica_components > 0,
        '--tangent': config.tangent,
        '--derivatives': bool(config.derivatives),
        '--tables': bool(config.tables),
        '--join-covariates': config.join_covariates,
        '--model': bool(config.models),
        '--map-model': bool(config.map_models),
        '--harmonise': bool(config.harmonise),
        '--predict': bool(config.predict),
        '--norms': bool(config.norms),
        '--sites': bool(config.sites),
        '--exclude': bool(config.exclude),
        '--ratings': config.ratings is not None,
    }
    asked = bool(config.predict or config.map_models)
    alone = {
        '--learner': (config.learner != Config.learner and not config.predict, '--predict'),
        '--folds-by-site': (
            config.folds_by_site and not (config.predict and config.sites), '--predict and --sites'
        ),
        '--permutations': (config.permutations > 0 and not asked, '--map-model or --predict'),
        '--smoothing': (config.smoothing > 0 and not config.map_models, '--map-model'),
        '--dask-scheduler': (
            bool(config.dask_scheduler) and not config.map_models, '--map-model'
        ),
    }  # fmt: skip
    for option, (is_alone, needed) in alone.items():
        if is_alone:
            yield Problem(f'{option} does nothing without {needed}.', 'Add it, or leave it out.')
    for option in (name for name, is_given in given.items() if is_given):
        if config.level != 'group':
            yield Problem(
                f'{option} is an option of the group level.',
                'Leave it out here, and give it to group once the participants are done.',
            )
        elif config.reports_only:
            yield Problem(
                f'{option} and --reports-only exclude each other: the latter writes no tables.',
                'Leave one of them out.',
            )
