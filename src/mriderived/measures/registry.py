"""Every measure that can be asked for: those of files of their own, and those made from maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mriderived.bids.stats_model import StatsModel
from mriderived.config import (
    AlffDefinition,
    Config,
    RatioCalibration,
    RehoNeighbours,
    TrackingAlgorithm,
)
from mriderived.measures import MEASURES
from mriderived.measures.alff import ALFF, ALFF_BY_DEFINITION
from mriderived.measures.base import Measure
from mriderived.measures.region_tables import region_measures
from mriderived.measures.reho import REHO, REHO_BY_NEIGHBOURS
from mriderived.measures.space_maps import space_measures
from mriderived.measures.t1w_t2w import RATIO_BY_CALIBRATION, T1W_T2W
from mriderived.measures.task_glm import task_measures
from mriderived.measures.tractography import TRACTOGRAPHY, declare_tractography
from mriderived.measures.wmh import WMH
from mriderived.measures.wmh_network import WMH_BY_NETWORK


def _with_maps(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    return (*measures, *region_measures(measures), *space_measures(measures))


#: What there is whatever the settings are.
ALL_MEASURES: tuple[Measure, ...] = _with_maps(MEASURES)


@lru_cache
def find_measures(
    alff_definition: AlffDefinition = 'amplitude',
    model: StatsModel | None = None,
    reho_neighbours: RehoNeighbours = '27',
    tracking_algorithm: TrackingAlgorithm = 'probabilistic',
    tracking_seeds: int = Config.tracking_seeds,
    *,
    has_wmh_model: bool = False,
    t1t2_calibration: RatioCalibration = 'none',
) -> tuple[Measure, ...]:
    """Return every measure with these settings; a model of tasks adds some at the end."""
    chosen = {
        ALFF.name: ALFF_BY_DEFINITION[alff_definition],
        REHO.name: REHO_BY_NEIGHBOURS[reho_neighbours],
        TRACTOGRAPHY.name: declare_tractography(tracking_algorithm, tracking_seeds),
        T1W_T2W.name: RATIO_BY_CALIBRATION[t1t2_calibration],
        WMH.name: WMH_BY_NETWORK if has_wmh_model else WMH,
    }
    own = tuple(chosen.get(measure.name, measure) for measure in MEASURES)
    return (*_with_maps(own), *(_with_maps(task_measures(model)) if model else ()))
