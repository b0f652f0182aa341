"""The steps of the structural preprocessing, in the order in which they run."""

from collections.abc import Mapping

from mriderived.config import AnatBackend
from mriderived.measures.base import Measure
from mriderived.workflows.anat_atlas import ATLAS
from mriderived.workflows.anat_brain import BRAIN
from mriderived.workflows.anat_cortex import CORTEX
from mriderived.workflows.anat_lesion import LESIONS
from mriderived.workflows.anat_network_registration import NETWORK_REGISTRATION
from mriderived.workflows.anat_network_tissue import NETWORK_TISSUE
from mriderived.workflows.anat_registration import REGISTRATION
from mriderived.workflows.anat_structures import STRUCTURES
from mriderived.workflows.anat_surfaces import SURFACES
from mriderived.workflows.anat_tissue import TISSUE

STEPS: tuple[Measure, ...] = (
    BRAIN, TISSUE, REGISTRATION, LESIONS, STRUCTURES, ATLAS, CORTEX, SURFACES,
)  # fmt: skip


_BY_NETWORKS = {step.name: step for step in (NETWORK_TISSUE, NETWORK_REGISTRATION)}
#: The steps of each ``--anat-backend``: same names, same outputs, in the same order.
BACKENDS: Mapping[AnatBackend, tuple[Measure, ...]] = {
    'builtin': STEPS,
    'deepmriprep': tuple(_BY_NETWORKS.get(step.name, step) for step in STEPS),
}
