"""The preprocessing steps of every kind of image, in the order in which they run."""

from __future__ import annotations

from mriderived.config import AnatBackend
from mriderived.measures.base import Measure
from mriderived.workflows.anat import BACKENDS
from mriderived.workflows.contrast import CONTRAST_STEPS
from mriderived.workflows.dwi import DWI_STEPS, DWI_STEPS_T1W
from mriderived.workflows.func import FUNC_STEPS, FUNC_STEPS_T1W
from mriderived.workflows.qmri import QMRI_STEPS


def preprocessing_steps(
    backend: AnatBackend = 'builtin', use_syn_sdc: bool = False
) -> tuple[Measure, ...]:
    """Return the steps with a way of structural preprocessing; those of others lean on it."""
    func_steps = FUNC_STEPS_T1W if use_syn_sdc else FUNC_STEPS
    dwi_steps = DWI_STEPS_T1W if use_syn_sdc else DWI_STEPS
    return (*BACKENDS[backend], *func_steps, *dwi_steps, *CONTRAST_STEPS, *QMRI_STEPS)
