"""The notes of the motion of a diffusion series count the volumes whose motion was not told."""

import numpy as np

from mriderived.core.eddy_terms import still_motion
from mriderived.workflows.dwi_motion import tell_motion


def test_volumes_whose_motion_could_not_be_told_are_counted() -> None:
    motion = still_motion(5, np.ones((4, 4, 4), np.float32), 1)
    assert tell_motion(motion, 'j') == []
    untold = np.array([False, True, False, True, False])
    notes = tell_motion(motion._replace(untold=untold), 'j')
    assert len(notes) == 1
    assert notes[0].startswith('Motion of 2 volumes could not be told')
