"""T2w and FLAIR images, checked, with the lesion mask that was drawn on one; see ``sources``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mriderived.bids.dataset import Image
from mriderived.bids.image_checks import BadImageError, ImageCheck, check_image, look_at_volume
from mriderived.bids.known_files import KnownFiles
from mriderived.bids.lesion_masks import find_lesion_mask, find_stray_masks

#: The resource that each of these images offers, by BIDS suffix.
CONTRASTS = {'T2w': 'raw_t2w', 'FLAIR': 'raw_flair'}
#: The resource that the lesion mask of an image is, by the suffix of the image.
LESION_MASKS_OF = {
    'T1w': 'raw_lesion_mask',
    'T2w': 'raw_t2w_lesion_mask',
    'FLAIR': 'raw_flair_lesion_mask',
}


def check_contrast(
    bids_dir: Path, files: KnownFiles, images: Iterable[Image], run: tuple[Image, ...]
) -> tuple[ImageCheck, dict[str, Any]]:
    """Check a structural image, and find the lesion mask that belongs to it."""
    image = run[0]
    if len(run) > 1:
        raise BadImageError(
            image.path,
            f'it is one of {len(run)} echoes',
            f'A {image.suffix} of several echoes has a suffix of its own (MESE, MEGRE).',
        )
    check = check_image(image.path, files.remembering(look_at_volume), image.suffix)
    everything = list(images)
    mask = find_lesion_mask(image, everything)
    for stray in find_stray_masks(image, everything):
        told = (
            f'{stray.name} is the lesion mask of no image here and is not used: give it the name '
            f'of one, as in {image.path.name.partition(".")[0]}_label-lesion_roi.nii.gz'
        )
        check = replace(check, notes=(*check.notes, told))
    if mask is None:
        return check, {}
    if not mask.exists():
        raise BadImageError(mask, 'its content is not here', 'Get it: datalad get')
    row = ('Lesion mask', mask.relative_to(bids_dir.absolute()).as_posix())
    return replace(check, rows=(*check.rows, row)), {'lesion_mask': mask}
