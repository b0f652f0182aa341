"""The steps of the structural preprocessing, in the order in which they run."""

from mriderived.measures.base import Measure
from mriderived.workflows.anat_atlas import ATLAS
from mriderived.workflows.anat_brain import BRAIN
from mriderived.workflows.anat_cortex import CORTEX
from mriderived.workflows.anat_registration import REGISTRATION
from mriderived.workflows.anat_structures import STRUCTURES
from mriderived.workflows.anat_surfaces import SURFACES
from mriderived.workflows.anat_tissue import TISSUE

STEPS: tuple[Measure, ...] = (BRAIN, TISSUE, REGISTRATION, STRUCTURES, ATLAS, CORTEX, SURFACES)
