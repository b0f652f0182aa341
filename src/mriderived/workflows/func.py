"""The steps of the functional preprocessing, in the order in which they run."""

from mriderived.measures.base import Measure
from mriderived.workflows.func_atlas import BOLD_ATLAS
from mriderived.workflows.func_registration import BOLD_REGISTRATION

FUNC_STEPS: tuple[Measure, ...] = (BOLD_REGISTRATION, BOLD_ATLAS)
