"""The steps of the functional preprocessing, in the order in which they run."""

from mriderived.measures.base import Measure
from mriderived.workflows.func_atlas import BOLD_ATLAS
from mriderived.workflows.func_confounds import BOLD_CONFOUNDS
from mriderived.workflows.func_denoising import BOLD_DENOISING
from mriderived.workflows.func_distortion import BOLD_DISTORTION
from mriderived.workflows.func_distortion_t1w import BOLD_DISTORTION_T1W
from mriderived.workflows.func_mask import BOLD_MASK
from mriderived.workflows.func_motion import BOLD_MOTION
from mriderived.workflows.func_registration import BOLD_REGISTRATION
from mriderived.workflows.func_series import BOLD_SERIES
from mriderived.workflows.func_spaces import BOLD_SPACE
from mriderived.workflows.func_t1w_space import BOLD_T1W

FUNC_STEPS: tuple[Measure, ...] = (
    BOLD_MOTION,
    BOLD_DISTORTION,
    BOLD_REGISTRATION,
    BOLD_MASK,
    BOLD_SERIES,
    BOLD_CONFOUNDS,
    BOLD_DENOISING,
    BOLD_ATLAS,
    BOLD_T1W,
    BOLD_SPACE,
)

#: The same with ``--use-syn-sdc``.
FUNC_STEPS_T1W = tuple(
    BOLD_DISTORTION_T1W if step is BOLD_DISTORTION else step for step in FUNC_STEPS
)
