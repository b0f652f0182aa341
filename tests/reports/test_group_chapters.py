"""The parts of ``group.html`` beside the measures: text, table, notes and figures of a chapter."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / 'group'))

from cohort_outputs import make_config, write_complete, write_description
from functional_outputs import ATLAS, SPACE, BoldParticipant, square

from mriderived.group.stage import run_group
from mriderived.measures.connectivity import CONNECTIVITY
from mriderived.reports.group import write_group_report

NAMES = [f'r{place}' for place in range(8)]
HOSTILE = '<img src=x onerror=alert(1)>'


@pytest.fixture
def out_dir(tmp_path):
    write_description(tmp_path / 'out')
    return tmp_path / 'out'


def make_page(out_dir, participants, **settings):
    rng = np.random.default_rng(0)
    for place in range(participants):
        person = BoldParticipant(out_dir, f'{place:02d}').moved(0.1 + 0.01 * place)
        series = rng.normal(size=(60, 8))
        person.regions(NAMES).connectivity(
            NAMES, square(rng.normal(0.2, 0.1, 28), 8), series=series
        )
        person.write()
    run_group(make_config(out_dir, **settings), (CONNECTIVITY,))
    return write_group_report(out_dir).read_text(encoding='utf-8')


def test_chapters_have_their_parts(out_dir):
    page = make_page(out_dir, 12, tangent=True)
    for key, title in (
        ('motion-connectivity', 'Motion and connectivity'),
        ('tangent', 'Connectivity in tangent space'),
    ):
        assert f'<li><a href="#{key}">{title}</a></li>' in page
        assert f'<h2 id="{key}">{title}</h2>' in page
    assert '<th>Median |r|</th>' in page and '<th>q &lt; 0.05 (FDR)</th>' in page
    assert '<td>Partial correlation</td><td>12</td>' in page
    pictures = re.findall(r'<img decoding="async" src="([^"]{30})', page)
    assert len(pictures) == 2
    assert all(picture.startswith('data:image/svg+xml,') for picture in pictures)
    assert f'alt="Edges of {ATLAS}. Left' in page
    stem = f'tpl-{SPACE}/func/tpl-{SPACE}_task-rest_atlas-{ATLAS}_stat'
    assert f'href="{stem}-qcfc_desc-pearsoncorrelation_relmat.tsv"' in page
    assert f'href="{stem}-tangent_desc-mean_relmat.tsv"' in page
    assert f'href="phenotype/edges_atlas-{ATLAS}.tsv"' in page


def test_refusals_are_told(out_dir):
    page = make_page(out_dir, 3)
    assert 'No QC-FC, for it wants 10 participants' in page
    assert '<td>3</td><td>–</td>' in page


def test_no_chapter_without_connectivity(out_dir):
    write_complete(out_dir, '01')
    run_group(make_config(out_dir), ())
    page = write_group_report(out_dir).read_text()
    assert 'class="chapter"' not in page and 'motion-connectivity' not in page


def test_a_listing_of_before_and_a_lost_picture_do_no_harm(out_dir):
    make_page(out_dir, 3)
    for picture in (out_dir / 'figures').glob('group_*.svg'):
        picture.unlink()
    page = write_group_report(out_dir).read_text()
    assert 'Motion and connectivity' in page and '<img' not in page
    path = out_dir / 'logs/group.json'
    listing = json.loads(path.read_text())
    del listing['chapters'], listing['files']
    path.write_text(json.dumps(listing))
    assert 'Motion and connectivity' not in write_group_report(out_dir).read_text()


def test_words_are_escaped(out_dir):
    make_page(out_dir, 3)
    path = out_dir / 'logs/group.json'
    listing = json.loads(path.read_text())
    listing['chapters'][0]['notes'].append(HOSTILE)
    listing['chapters'][0]['rows'][0][0] = HOSTILE
    path.write_text(json.dumps(listing))
    assert HOSTILE not in write_group_report(out_dir).read_text()


def test_same_outputs_same_bytes(out_dir):
    first = make_page(out_dir, 11)
    run_group(make_config(out_dir), (CONNECTIVITY,))
    assert write_group_report(out_dir).read_text(encoding='utf-8') == first
