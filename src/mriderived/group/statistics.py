"""All statistics of a cohort: whom they leave out, then models, maps, predictions and norms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mriderived.bids.covariates import CovariateError, Covariates, read_covariates
from mriderived.config import Config
from mriderived.group.blocks import Block
from mriderived.group.chapters import Chapter
from mriderived.group.derivatives import Sheet
from mriderived.group.exclusion import Exclusion, find_excluded, select, select_cohort
from mriderived.group.exclusion_chapter import compare_with_everybody, tell_exclusion
from mriderived.group.harmonise_chapter import find_harmonised_chapters
from mriderived.group.known_people import check_labels
from mriderived.group.map_chapter import find_map_chapters
from mriderived.group.model_chapter import find_model_chapters, join_covariates
from mriderived.group.model_files import Model, ModelError, read_models
from mriderived.group.norms_chapter import find_norms_chapters
from mriderived.group.predicted_columns import make_sheets
from mriderived.group.prediction_chapter import find_prediction_chapters
from mriderived.group.records import Cohort
from mriderived.group.sample import Sample
from mriderived.group.variables import gather_variables
from mriderived.measures.base import Measure


class Statistics(NamedTuple):
    """Parts of the page, why something was refused, and columns for the cohort table."""

    chapters: list[Chapter]
    refused: list[str]
    sheets: list[Sheet]


def find_statistics(
    config: Config, cohort: Cohort, blocks: Sequence[Block], measures: Sequence[Measure]
) -> Statistics:
    """Find all that the settings ask for."""
    try:
        known = read_covariates(config.bids_dir)
        cohort.warnings += check_labels(known, cohort.rows)
        variables = gather_variables(cohort.rows, blocks)
        covariates = join_covariates(known, variables)
        excluded = find_excluded(config, variables, covariates)
        cohort.warnings += excluded.warnings
    except (CovariateError, ModelError) as error:
        return Statistics([], [f'no model was fitted: {error}'], [])
    everybody = Sample(cohort, variables, covariates)
    if not (config.exclude or config.ratings):
        return _find_all(config, everybody, None, known, measures, excluded)
    chapter = tell_exclusion(config, excluded, variables)
    keep = excluded.keep(variables.rows)
    if not keep.any():
        return Statistics([chapter], ['no model was fitted: everybody is left out'], [])
    stayed = Sample(
        select_cohort(cohort, keep), select(variables, keep),
        covariates[keep].reset_index(drop=True),
    )  # fmt: skip
    others = None if np.all(keep) else everybody
    found = _find_all(config, stayed, others, known, measures, excluded)
    return found._replace(chapters=[chapter, *found.chapters])


def _find_all(
    config: Config,
    sample: Sample,
    everybody: Sample | None,
    known: Covariates,
    measures: Sequence[Measure],
    excluded: Exclusion,
) -> Statistics:
    """Find all of a sample, and what ``everybody`` would change where some are left out.

    Predictions come first, so that models can be of them.
    """
    sites = read_models(config.harmonise)
    sample = sample.harmonise(sites)
    everybody = everybody.harmonise(sites) if everybody else None
    wanted = _ask(config, config.predict)
    predicted = find_prediction_chapters(config, wanted, sample, everybody)
    sheets = make_sheets(wanted, predicted.found, sample.variables.rows, excluded.reasons)
    sample = sample.extend(sheets)
    everybody = everybody.extend(
        make_sheets(wanted, predicted.with_everybody, everybody.variables.rows, {})
    ) if everybody else None  # fmt: skip
    models = _ask(config, config.models)
    compared = (
        [compare_with_everybody(config.out_dir, models, everybody, sample)]
        if everybody and models
        else []
    )
    found = (
        find_harmonised_chapters(config.out_dir, sites, sample),
        find_model_chapters(config, models, known, sample),
        find_map_chapters(
            config, measures, read_models(config.map_models), known, sample, everybody
        ),
        (predicted.chapters, predicted.refused),
        find_norms_chapters(config, _ask(config, config.norms), sample, everybody),
    )
    chapters = [chapter for part, _ in found for chapter in part]
    refused = [reason for _, reasons in found for reason in reasons]
    return Statistics([*compared, *chapters], refused, sheets)


def _ask(config: Config, texts: Sequence[str]) -> list[Model]:
    """Return models; ``--use-harmonised`` holds for those that say nothing of it."""
    return [
        replace(model, harmonised=config.use_harmonised) if model.harmonised is None else model
        for model in read_models(texts)
    ]
