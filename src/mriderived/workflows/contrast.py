"""The steps of T2w and FLAIR images, in the order in which they run."""

from mriderived.measures.base import Measure
from mriderived.workflows.contrast_brain import FLAIR_BRAIN, T2W_BRAIN
from mriderived.workflows.contrast_registration import FLAIR_REGISTRATION, T2W_REGISTRATION
from mriderived.workflows.flair_anatomy import FLAIR_ANATOMY

CONTRAST_STEPS: tuple[Measure, ...] = (
    T2W_REGISTRATION,
    T2W_BRAIN,
    FLAIR_REGISTRATION,
    FLAIR_BRAIN,
    FLAIR_ANATOMY,
)
