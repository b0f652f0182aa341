"""The steps of the diffusion preprocessing, in the order in which they run."""

from mriderived.measures.base import Measure
from mriderived.workflows.dwi_atlas import DWI_ATLAS
from mriderived.workflows.dwi_denoising import DWI_DENOISING
from mriderived.workflows.dwi_distortion import DWI_DISTORTION
from mriderived.workflows.dwi_distortion_t1w import DWI_DISTORTION_T1W
from mriderived.workflows.dwi_gradients import DWI_GRADIENTS
from mriderived.workflows.dwi_mask import DWI_MASK
from mriderived.workflows.dwi_motion import DWI_MOTION
from mriderived.workflows.dwi_registration import DWI_REGISTRATION
from mriderived.workflows.dwi_series import DWI_SERIES
from mriderived.workflows.dwi_tissue import DWI_TISSUE

DWI_STEPS: tuple[Measure, ...] = (
    DWI_DENOISING,
    DWI_GRADIENTS,
    DWI_MOTION,
    DWI_DISTORTION,
    DWI_REGISTRATION,
    DWI_MASK,
    DWI_SERIES,
    DWI_TISSUE,
    DWI_ATLAS,
)

#: The same with ``--use-syn-sdc``.
DWI_STEPS_T1W = tuple(DWI_DISTORTION_T1W if step is DWI_DISTORTION else step for step in DWI_STEPS)
