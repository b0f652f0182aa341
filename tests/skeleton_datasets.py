"""Datasets without information: names and metadata as in a real one, images as small as can be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np

SKELETONS = Path(__file__).parent / 'skeletons'


def write_image(path: Path, shape: tuple[int, ...] = (4, 4, 4)) -> None:
    """Write a ramp: as small as an image can be that is neither empty nor constant."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    image = nb.Nifti1Image(data, np.eye(4))  # type: ignore[no-untyped-call]
    image.to_filename(path)


def build_skeleton(root: Path, files: Mapping[str, Any]) -> Path:
    """Write a dataset from path to content.

    Images take their metadata as content (written as sidecar, if there is any), or
    ``{link: target}`` for a link without content. Text is written as it is, mappings and lists
    as JSON.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict) and 'link' in content:
            path.symlink_to(content['link'])
        elif name.endswith('/'):
            path.mkdir(exist_ok=True)
        elif name.endswith(('.nii', '.nii.gz')):
            write_image(path)
            if content:
                sidecar = path.with_name(path.name.partition('.')[0] + '.json')
                sidecar.write_text(json.dumps(content))
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root
