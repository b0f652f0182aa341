"""The cohort table in the forms that ``--tables`` and ``--join-covariates`` ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mriderived.bids.covariates import CovariateError
from mriderived.config import Config
from mriderived.group.blocks import Block
from mriderived.group.joined import JoinError, write_joined
from mriderived.group.long_table import describe_columns, write_long
from mriderived.group.records import Cohort


def write_forms(
    config: Config, cohort: Cohort, blocks: Sequence[Block], is_sloppy: bool = False
) -> tuple[list[PurePosixPath], list[str]]:
    """Write what is asked for; return the tables, and why one was not written."""
    written, refused = _write_tables(config, cohort, blocks, is_sloppy), []
    if config.join_covariates:
        try:
            written.append(
                write_joined(config.bids_dir, config.out_dir, cohort, blocks, is_sloppy)
            )
        except (CovariateError, JoinError) as error:
            refused.append(f'covariates were not joined: {error}')
    return written, refused


def _write_tables(
    config: Config, cohort: Cohort, blocks: Sequence[Block], is_sloppy: bool
) -> list[PurePosixPath]:
    out_dir, rows, wanted = config.out_dir, cohort.rows, set(config.tables)
    if not wanted or not blocks:
        return []
    written = []
    about = describe_columns(blocks, cohort, out_dir) if wanted != {'parquet'} else []
    if 'long' in wanted:
        written.append(write_long(out_dir, rows, blocks, about, is_sloppy))
    if wanted & {'parquet', 'long-parquet'}:
        # Arrow takes a moment to import, and most runs of the group level do without.
        from mriderived.group.parquet import write_long_parquet, write_wide_parquet

        if 'parquet' in wanted:
            written.append(write_wide_parquet(out_dir, rows, blocks, is_sloppy))
        if 'long-parquet' in wanted:
            written.append(write_long_parquet(out_dir, rows, blocks, about, is_sloppy))
    return written
