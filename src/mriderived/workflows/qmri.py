"""The steps of the preprocessing of quantitative MRI, in the order in which they run."""

from mriderived.measures.base import Measure
from mriderived.workflows.qmri_alignment import QMRI_ALIGNMENT
from mriderived.workflows.qmri_atlas import QMRI_ATLAS
from mriderived.workflows.qmri_field import QMRI_FIELD
from mriderived.workflows.qmri_mask import QMRI_MASK
from mriderived.workflows.qmri_phase import QMRI_PHASE
from mriderived.workflows.qmri_quality import QMRI_QUALITY
from mriderived.workflows.qmri_registration import QMRI_REGISTRATION

QMRI_STEPS: tuple[Measure, ...] = (
    QMRI_ALIGNMENT,
    QMRI_PHASE,
    QMRI_REGISTRATION,
    QMRI_MASK,
    QMRI_FIELD,
    QMRI_ATLAS,
    *QMRI_QUALITY,
)
