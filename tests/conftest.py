"""Fixtures for all tests: datasets without information, and the folder of real scans."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nb
import numpy as np
import pytest
import yaml

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


@pytest.fixture
def skeleton(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the dataset of ``skeletons/<name>.yaml``."""

    def build(name: str) -> Path:
        files = yaml.safe_load((SKELETONS / f'{name}.yaml').read_text())
        return build_skeleton(tmp_path / name, files)

    return build


@pytest.fixture(scope='session')
def test_data() -> Path:
    """Return the folder of real scans, or skip."""
    beside = Path(__file__).resolve().parents[2] / 'shared' / 'data'
    folder = Path(os.environ.get('MRIDERIVED_TEST_DATA') or beside)
    if not folder.is_dir():
        pytest.skip('no real scans: set MRIDERIVED_TEST_DATA')
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers, begin with the files that take longest: else one ends alone."""
    if hasattr(config, 'workerinput'):
        slow = {item.path for item in items if item.get_closest_marker('slow')}
        items.sort(key=lambda item: item.path not in slow)
