"""Long tables of ``group.html``: every estimate is on the page, none hides behind another."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[1] / 'group'))

from mriderived.group.model_rows import HEADER, list_estimates
from mriderived.reports.group_chapters import FIRST_ROWS, pack_rows, prepare_chapter
from mriderived.reports.rendering import make_environment

CONTRASTS = ('age', 'C(sex)[T.M]', 'tiv')


def estimates(regions):
    """Return a table of three contrasts; every p of the last is smaller than all others."""
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.uniform(0.01, 1, 2 * regions), rng.uniform(0, 1e-9, regions)])
    return pd.DataFrame({
        'contrast': np.repeat(CONTRASTS, regions), 'variable': 'v', 'measure': 'surface_regions',
        'region': [f'{place}Networks_LH' for place in range(regions)] * 3, 'variant': 'Schaefer',
        'column': 'thickness', 'unit': 'mm', 'estimate': rng.normal(size=3 * regions),
        't': rng.normal(size=3 * regions), 'f': 1.0, 'dof': 196.0, 'dof_tested': 1, 'p': p,
        'p_fdr': p, 'cohens_d': 1e-7, 'partial_r2': 0.1, 'n': 200, 'ci_low': 0.0, 'ci_high': 1.0,
    })  # fmt: skip


def unpack(packed):
    columns = [
        [column['texts'][place] for place in column.get('places', range(packed['rows']))]
        for column in packed['columns']
    ]
    return list(zip(*columns, strict=True))


def test_every_estimate_is_listed_contrast_by_contrast():
    table = estimates(68)
    table.loc[5, 'p'] = np.nan
    rows, note = list_estimates(table, 'fdr')
    assert [row[0] for row in rows] == [CONTRASTS[0]] * 67 + [CONTRASTS[1]] * 68 + [CONTRASTS[2]] * 68  # noqa: E501  # fmt: skip
    p = [float(row[6]) for row in rows if row[0] == 'age']
    assert p == sorted(p) and not note
    assert {row[8] for row in rows} == {'1e-07'}


def test_no_contrast_makes_way_for_another():
    rows, note = list_estimates(estimates(50), 'fdr', most=60)
    assert [row[0] for row in rows] == [name for name in CONTRASTS for _ in range(20)]
    assert 'the 20 estimates of the smallest p of each contrast, 60 of 150' in note


def test_a_long_table_is_packed_whole_and_small():
    rows, _ = list_estimates(estimates(1667), 'fdr')
    packed = pack_rows(rows)
    assert unpack(packed) == rows
    # 5,000 estimates: less than 100 bytes each.
    assert len(json.dumps(packed, separators=(',', ':'))) < 500_000


def test_the_page_holds_all_rows(tmp_path):
    rows, _ = list_estimates(estimates(50), 'fdr')
    rows[-1] = ('</script><b>', *rows[-1][1:])
    chapter = {
        'key': 'model-x', 'title': 'Model', 'text': '', 'notes': [], 'header': HEADER,
        'rows': rows, 'pictures': [], 'files': ['models/model-x_stats.tsv'],
    }  # fmt: skip
    template = make_environment().get_template('group.html.j2')
    values = {
        'chapters': [prepare_chapter(tmp_path, chapter)], 'data': '{}', 'values': [],
        'dataset': {'name': '', 'sloppy': False, 'generator': {}, 'settings': {}, 'sources': []},
        'states': {'failed': 0}, 'methods': {'paragraphs': ()},
        'facts': {'outliers': 0, 'participants': 1, 'sessions': 0, 'columns': 0, 'share': None},
        'listing': {'warnings': [], 'fewest': 5, 'threshold': 3.5, 'sites': None, 'version': '',
                    'tables': []},
        'downloads': {name: [] for name in ('wide', 'measures', 'logs', 'exports', 'maps')},
    }  # fmt: skip
    page = template.render(values)
    (packed,) = re.findall(r' id="rows-model-x">(.*?)</script>', page)
    assert unpack(json.loads(packed)) == rows
    assert page.count('<td>age</td>') == FIRST_ROWS
    assert '110 more rows</span>' in page and 'href="models/model-x_stats.tsv"' in page
