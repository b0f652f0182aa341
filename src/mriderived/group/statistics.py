"""All statistics of a cohort: whom they leave out, then models, maps, predictions and norms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mriderived.bids.covariates import CovariateError, Covariates, read_covariates
from mriderived.config import Config
from mriderived.group.blocks import Block
from mriderived.group.chapters import Chapter
from mriderived.group.exclusion import find_excluded, select, select_cohort
from mriderived.group.exclusion_chapter import compare_with_everybody, tell_exclusion
from mriderived.group.harmonise_chapter import find_harmonised_chapters
from mriderived.group.map_chapter import find_map_chapters
from mriderived.group.model_chapter import find_model_chapters, join_covariates
from mriderived.group.model_files import ModelError, read_models
from mriderived.group.norms_chapter import find_norms_chapters
from mriderived.group.prediction_chapter import find_prediction_chapters
from mriderived.group.records import Cohort
from mriderived.group.variables import Variables, gather_variables
from mriderived.measures.base import Measure


def find_statistics(
    config: Config, cohort: Cohort, blocks: Sequence[Block], measures: Sequence[Measure]
) -> tuple[list[Chapter], list[str]]:
    """Find all that the settings ask for; also returns why something was refused."""
    try:
        known = read_covariates(config.bids_dir)
        everybody = gather_variables(cohort.rows, blocks)
        covariates = join_covariates(known, everybody)
        excluded = find_excluded(config, everybody, covariates)
    except (CovariateError, ModelError) as error:
        return [], [f'no model was fitted: {error}']
    if not (config.exclude or config.ratings):
        return _find_all(config, cohort, everybody, known, covariates, measures)
    chapter = tell_exclusion(config, excluded, everybody)
    keep = excluded.keep(everybody.rows)
    if not keep.any():
        return [chapter], ['no model was fitted: everybody is left out']
    stayed = select(everybody, keep), covariates[keep].reset_index(drop=True)
    few = select_cohort(cohort, excluded.keep(cohort.rows))
    found, refused = _find_all(config, few, stayed[0], known, stayed[1], measures)
    chapters = [chapter, *found]
    if config.models and not np.all(keep):
        models = read_models(config.models)
        whole = everybody, covariates
        chapters.insert(1, compare_with_everybody(config.out_dir, models, whole, stayed))
    return chapters, refused


def _find_all(
    config: Config,
    cohort: Cohort,
    variables: Variables,
    known: Covariates,
    covariates: pd.DataFrame,
    measures: Sequence[Measure],
) -> tuple[list[Chapter], list[str]]:
    found = (
        find_harmonised_chapters(
            config.out_dir, read_models(config.harmonise), variables, covariates
        ),
        find_model_chapters(config, read_models(config.models), variables, known, covariates),
        find_map_chapters(
            config, cohort, measures, read_models(config.map_models), known, covariates
        ),
        find_prediction_chapters(config, read_models(config.predict), variables, covariates),
        find_norms_chapters(config, read_models(config.norms), variables, covariates),
    )
    chapters = [chapter for part, _ in found for chapter in part]
    return chapters, [reason for _, reasons in found for reason in reasons]
