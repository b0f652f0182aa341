"""Which of a participant's files is the lesion mask of a structural image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mriderived.bids.dataset import Image
from mriderived.bids.image_checks import BadImageError
from mriderived.bids.names import InvalidNameError, split_name

#: Suffixes of masks: ``sub-01_T1w_label-lesion_roi.nii.gz`` is the name that fMRIPrep reads,
#: ``sub-01_label-lesion_mask.nii.gz`` the one of BIDS derivatives.
SUFFIXES = ('roi', 'mask')
LABEL = 'lesion'
#: Suffixes of the images that may have one.
OWNERS = ('T1w', 'T2w', 'FLAIR')


def find_lesion_mask(image: Image, images: Iterable[Image]) -> Path | None:
    """Return the lesion mask beside an image, or nothing.

    A mask whose name holds no suffix of an image (``sub-01_label-lesion_mask``) is the T1w's.

    Raises
    ------
    BadImageError
        If there are several.
    """
    found = [other.path for other in images if _is_mask_of(other, image)]
    if len(found) > 1:
        names = ' and '.join(sorted(path.name for path in found))
        raise BadImageError(image.path, f'it has several lesion masks: {names}', 'Keep one.')
    return found[0] if found else None


def find_stray_masks(image: Image, images: Sequence[Image]) -> list[Path]:
    """Return the lesion masks in the folder of an image that are those of no image at all."""
    masks = [
        other
        for other in images
        if other.suffix in SUFFIXES
        and other.path.parent == image.path.parent
        and f'_label-{LABEL}_' in other.path.name
    ]
    owners = [other for other in images if other.suffix in OWNERS]
    return [mask.path for mask in masks if not any(_is_mask_of(mask, one) for one in owners)]


def _is_mask_of(mask: Image, image: Image) -> bool:
    if mask.suffix not in SUFFIXES or mask.path.parent != image.path.parent:
        return False
    try:
        # the suffix of the image stands in the middle of the name that fMRIPrep reads
        plain = mask.path.name.replace(f'_{image.suffix}_', '_', 1)
        if image.suffix != 'T1w' and plain == mask.path.name:
            return False
        entities = split_name(plain).entities
        mine = split_name(image.path).entities
    except InvalidNameError:
        return False
    return entities == {**mine, 'label': LABEL}
