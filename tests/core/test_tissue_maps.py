import numpy as np
import pytest

from mriderived.core.partial_volume import Fractions, segmentation, tents, tissue_map


def test_tents_sum_to_one_and_invert_the_label_image():
    label = np.linspace(1, 3, 201).astype(np.float32)
    fractions = tents(label)
    np.testing.assert_allclose(sum(fractions), 1, atol=1e-6)
    np.testing.assert_allclose(tissue_map(fractions), label, atol=1e-6)


def test_tents_fade_into_the_background():
    assert [float(part[0]) for part in tents(np.float32([0.4]))] == pytest.approx([0, 0, 0.4])


def test_segmentation_takes_the_commonest_tissue():
    fractions = Fractions(
        gm=np.float32([0.6, 0.2, 0.1, 0]),
        wm=np.float32([0.4, 0.7, 0.1, 0]),
        csf=np.float32([0, 0.1, 0.8, 0]),
    )
    assert segmentation(fractions).tolist() == [1, 2, 3, 0]
