"""What models would be of, as far as the tables of participants tell before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

from mriderived.config import Config


def preview_models(config: Config) -> Iterator[str]:
    """Yield a line for each formula: which columns are covariates, and which would be measures.

    Yields nothing where no model is asked for, and why the tables cannot be read where they
    cannot.
    """
    asked = (config.models, config.map_models, config.harmonise, config.norms)
    if not (any(asked) or config.predict):
        return
    # pandas and formulas take a second to import, and most runs have no model.
    from mriderived.bids.covariates import CovariateError, read_covariates
    from mriderived.group.formulas import parse_terms, required_columns
    from mriderived.group.model_files import ModelError, read_models

    try:
        known = read_covariates(config.bids_dir).frame
        wanted = [
            (model, required_columns(parse_terms(model)))
            for texts in asked for model in read_models(texts)
        ]  # fmt: skip
        wanted += [(model, [model.outcome]) for model in read_models(config.predict)]
    except (CovariateError, ModelError) as error:
        yield f'Models: {error}'
        return
    for model, columns in wanted:
        there = [f'{name} ({int(known[name].notna().sum())} values)' for name in columns if name in known]  # noqa: E501  # fmt: skip
        others = [name for name in columns if name not in known]
        told = f'covariates: {", ".join(there) or "none"}'
        if others:
            told += f'; not in participants.tsv or phenotype/: {", ".join(others)}, to be columns of the cohort table'  # noqa: E501  # fmt: skip
        yield f'{model.formula}: {told}'
