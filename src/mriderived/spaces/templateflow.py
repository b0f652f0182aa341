"""Spaces and atlases of TemplateFlow, from a filled ``TEMPLATEFLOW_HOME`` or the network.

A file that lies in ``TEMPLATEFLOW_HOME`` is used without asking the network, so the same folder
gives the same results with and without one. ``templateflow`` itself is only imported to fetch a
file: that takes seconds and writes to its cache.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import nibabel as nb
import numpy as np

from mriderived.spaces.model import DEFAULT_SPACE, Atlas, Space, UnavailableError

SITE = 'https://www.templateflow.org'
#: What the entities of file names are called in the queries of the ``templateflow`` package.
LONG_NAMES = {'res': 'resolution', 'seg': 'segmentation'}

Query = Mapping[str, str]


def home() -> Path:
    """Return the folder of TemplateFlow's files."""
    return Path(os.environ.get('TEMPLATEFLOW_HOME') or Path.home() / '.cache' / 'templateflow')


def get_templateflow_space(name: str) -> Space:
    """Return a volumetric space of TemplateFlow.

    Raises
    ------
    UnavailableError
        If TemplateFlow does not have it, or has it but neither here nor through the network.
    """
    if not re.fullmatch(r'[A-Za-z0-9]+', name):
        raise UnavailableError(f'{name!r} is not the name of a space; see {SITE}')
    mask = _require(name, f'brain mask of the space {name}', [{'desc': 'brain'}], 'mask')
    head = _require(name, f'T1w image of the space {name}', [{'desc': 'brain'}, {}], 'T1w')
    about = _describe(name)
    return Space(
        name=name,
        title=str(about.get('Name', name)),
        brain=_strip(head, mask),
        mask=mask,
        tissues=None,
        licence=str(about.get('License', 'not stated')),
        reference=_reference(about),
        source='TemplateFlow',
    )


def get_templateflow_atlas(name: str) -> Atlas:
    """Return an atlas by its name there, such as ``Schaefer2018:desc-400Parcels7Networks``.

    Behind the colon stand the further entities of its file, joined by ``_``; ``tpl`` among them
    chooses another space than the default.

    Raises
    ------
    UnavailableError
        If TemplateFlow does not have it, or has it but neither here nor through the network.
    """
    atlas, entities = _split(name)
    space = entities.pop('tpl', DEFAULT_SPACE)
    query = {'atlas': atlas, **entities}
    image = _require(space, f'image of the atlas {name} in {space}', [query], 'dseg')
    # Versions of an atlas that differ only in a threshold share one table.
    tables = [query, {'atlas': atlas}]
    table = _require(space, f'table of the atlas {name} in {space}', tables, 'dseg', '.tsv')
    about = _describe(space)
    return Atlas(
        name=name,
        title=name,
        space=space,
        image=image,
        table=table,
        licence='see TemplateFlow',
        reference=_reference(about),
        source='TemplateFlow',
        source_space=space,
        entities=_name_entities(atlas, entities),
        is_restricted=True,
    )


def _split(name: str) -> tuple[str, dict[str, str]]:
    atlas, _, rest = name.partition(':')
    pairs = [part.partition('-') for part in rest.split('_') if part]
    if not re.fullmatch(r'[A-Za-z0-9]+', atlas) or not all(k and v for k, _, v in pairs):
        raise UnavailableError(
            f'{name!r} does not name an atlas: write the name of a bundled one or, for '
            'TemplateFlow, ATLAS or ATLAS:desc-VALUE'
        )
    return atlas, {key: value for key, _, value in pairs}


def _name_entities(atlas: str, entities: Query) -> dict[str, str]:
    """What tells versions of an atlas apart goes to ``seg``, because outputs use ``desc``."""
    version = ''.join(entities.get(key, '') for key in ('seg', 'desc'))
    named = {'atlas': atlas, 'seg': version, 'scale': entities.get('scale', '')}
    return {key: value for key, value in named.items() if value}


def _require(
    template: str, what: str, queries: Iterable[Query], suffix: str, extension: str = '.nii.gz'
) -> Path:
    """Return the file of the first query that one fits: here if possible, else fetched."""
    here = _files_here(template)
    listed = _files_listed(template)
    for names in (here, listed):
        for query in queries:
            found = [name for name in names if _fits(name, query, suffix, extension)]
            if found:
                return _fetch(template, min(found, key=_distance_from_1_mm), bool(names is here))
    raise UnavailableError(
        f'there is no {what}: neither in {home() / f"tpl-{template}"} nor in the list of '
        f'TemplateFlow; check the name at {SITE} or put the file there'
    )


def _files_here(template: str) -> list[str]:
    folder = home() / f'tpl-{template}'
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob('tpl-*')
        if path.is_file() and path.stat().st_size > 0
    )


def _files_listed(template: str) -> list[str]:
    """Return what the installed ``templateflow`` says there is to fetch."""
    spec = find_spec('templateflow')
    if spec is None or not spec.submodule_search_locations:
        return []
    skeleton = Path(spec.submodule_search_locations[0]) / 'conf' / 'templateflow-skel.zip'
    if not skeleton.is_file():
        return []
    prefix = f'tpl-{template}/'
    with zipfile.ZipFile(skeleton) as archive:
        names = [name for name in archive.namelist() if name.startswith(prefix)]
    return sorted(name.removeprefix(prefix) for name in names if not name.endswith('/'))


def _parse(name: str) -> tuple[dict[str, str], str, str]:
    stem, dot, extension = name.rpartition('/')[2].partition('.')
    *pairs, suffix = stem.split('_')
    entities = dict(pair.split('-', 1) for pair in pairs if '-' in pair)
    return entities, suffix, dot + extension


def _fits(name: str, query: Query, suffix: str, extension: str) -> bool:
    entities, found, ending = _parse(name)
    rest = {key: value for key, value in entities.items() if key not in ('tpl', 'res')}
    return (found, ending, rest) == (suffix, extension, dict(query))


def _distance_from_1_mm(name: str) -> tuple[int, str]:
    resolution = _parse(name)[0].get('res', '0')
    return abs(int(resolution) - 1) if resolution.isdigit() else 99, name


def _fetch(template: str, name: str, is_here: bool) -> Path:
    path = home() / f'tpl-{template}' / name
    if is_here:
        return path
    import requests

    try:
        _download(template, name)
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise UnavailableError(
            f'{path} is not there and could not be fetched ({type(error).__name__}). Where there '
            f'is a network, fetch it with: python -c "import templateflow.api as t; '
            f"t.get('{template}')\", then copy that folder and set TEMPLATEFLOW_HOME to it. "
            f'No network is needed for the bundled space {DEFAULT_SPACE} and the bundled atlases'
        ) from error
    if not path.is_file() or path.stat().st_size == 0:
        raise UnavailableError(f'{path} could not be fetched: TemplateFlow sent nothing')
    return path


def _download(template: str, name: str) -> None:
    from templateflow.client import TemplateFlowClient

    entities, suffix, extension = _parse(name)
    entities.pop('tpl')
    query: dict[str, Any] = {LONG_NAMES.get(key, key): v for key, v in entities.items()}
    if 'resolution' in query:
        query['resolution'] = int(query['resolution'])
    query.setdefault('desc', None)
    client = TemplateFlowClient(root=home(), autoupdate=False)
    client.get(template, suffix=suffix, extension=extension, **query)


def _strip(head: Path, mask: Path) -> Path:
    """Return a skull-stripped copy of ``head``; itself where it says that it is one."""
    if _parse(head.name)[0].get('desc') == 'brain':
        return head
    image: Any = nb.loadsave.load(head)
    inside = np.asarray(nb.loadsave.load(mask).dataobj) > 0
    if inside.shape != image.shape[:3]:
        raise UnavailableError(f'{head} and {mask} have different grids; get both anew')
    data = np.asarray(image.dataobj, dtype=np.float32) * inside
    folder = Path(tempfile.gettempdir()) / f'mriderived-{os.getuid()}'
    folder.mkdir(exist_ok=True)
    target = folder / f'{head.parent.name}-brain.nii.gz'
    partial = target.with_name(f'.{uuid4().hex}.{target.name}')
    stripped: Any = nb.Nifti1Image(data, image.affine)
    stripped.to_filename(partial)
    return partial.replace(target)


def _describe(template: str) -> dict[str, Any]:
    path = home() / f'tpl-{template}' / 'template_description.json'
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _reference(about: Mapping[str, Any]) -> str:
    links = about.get('ReferencesAndLinks') or [SITE]
    return str(next(iter(links.values() if isinstance(links, dict) else links)))
