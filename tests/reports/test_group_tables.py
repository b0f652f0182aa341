"""Long tables of ``group.html``: every estimate is on the page, none hides behind another."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parents[1] / 'group'))

from cohort_outputs import MEASURES, make_config, write_complete, write_description
from test_group import driver, needs_browser, open_page, texts  # noqa: F401 (driver: a fixture)

from mriderived.group.blocks import MISSING
from mriderived.group.model_rows import HEADER, list_estimates
from mriderived.group.stage import run_group
from mriderived.reports.group import write_group_report
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
    # One has neither, one an estimate without a test.
    table.loc[5, ['p', 'estimate']] = np.nan
    table.loc[68, ['p', 'p_fdr', 'ci_low', 'ci_high']] = np.nan
    rows, note = list_estimates(table, 'fdr')
    assert [row[0] for row in rows] == [CONTRASTS[0]] * 67 + [CONTRASTS[1]] * 68 + [CONTRASTS[2]] * 68  # noqa: E501  # fmt: skip
    p = [float(row[6]) for row in rows if row[0] == 'age']
    assert p == sorted(p) and not note
    assert [row[6:8] + row[11:12] for row in rows if row[6] == MISSING] == [(MISSING,) * 3]
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
    assert '110 more rows.</span>' in page and 'href="models/model-x_stats.tsv"' in page


@pytest.fixture
def page(tmp_path):
    """Return the page of six people, two with a report, and of a model of 150 estimates."""
    out_dir = tmp_path / 'out'
    write_description(out_dir)
    for place in range(6):
        write_complete(out_dir, f'{place}', gm=f'{600000 + 1000 * place}')
    for place in range(2):
        (out_dir / f'sub-{place}.html').write_text(f'<!doctype html><title>{place}</title>')
    run_group(make_config(out_dir), MEASURES)
    path = out_dir / 'logs' / 'group.json'
    listing = json.loads(path.read_text())
    rows, _ = list_estimates(estimates(50), 'fdr')
    listing['chapters'] = [{
        'key': 'model-x', 'title': 'Model', 'text': '', 'notes': [], 'header': HEADER,
        'rows': rows, 'pictures': [], 'files': ['models/model-x_stats.tsv'],
    }]  # fmt: skip
    path.write_text(json.dumps(listing))
    return write_group_report(out_dir)


def column(driver, place):  # noqa: F811
    return texts(driver, f'.chapter tbody tr:not(.rest) td:nth-child({place})')


@pytest.mark.browser
@needs_browser
def test_all_rows_are_found_sorted_and_saved(driver, page):  # noqa: F811
    open_page(driver, page)
    assert len(column(driver, 1)) == 60 and texts(driver, '.chapter .push') == ['150 rows']
    click = "document.querySelectorAll('.chapter th button')[arguments[0]].click()"
    driver.execute_script(click, 1)
    driver.execute_script("document.querySelector('.chapter .rest button:last-child').click()")
    regions = column(driver, 2)
    assert regions == [f'{place // 3}Networks_LH' for place in range(150)]
    driver.execute_script(
        "const s = document.querySelector('.chapter select'); s.value = 'tiv';"
        "s.dispatchEvent(new Event('change'))"
    )
    assert set(column(driver, 1)) == {'tiv'}
    assert texts(driver, '.chapter .push') == ['50 of 150 rows']
    saved = driver.execute_async_script(
        'const done = arguments[0]; const make = URL.createObjectURL;'
        "URL.createObjectURL = (blob) => { blob.text().then(done); return '#'; };"
        "document.querySelector('.chapter .tools button').click();"
        'URL.createObjectURL = make'
    )
    assert len(saved.splitlines()) == 51


@pytest.mark.browser
@needs_browser
def test_any_point_of_a_distribution_opens_the_report(driver, page):  # noqa: F811
    open_page(driver, page)
    assert texts(driver, '#detail .hint') == [
        'A click on a point opens the report of that participant.'
    ]
    driver.execute_script(
        "const c = document.querySelector('#detail circle.point'), r = c.getBoundingClientRect();"
        "c.closest('svg').dispatchEvent(new MouseEvent('click', { bubbles: true,"
        'clientX: r.x + r.width / 2, clientY: r.y + r.height / 2 }))'
    )
    assert driver.current_url.endswith('/sub-0.html')


@pytest.mark.browser
@needs_browser
def test_printed_headings_are_no_buttons(driver, page):  # noqa: F811
    open_page(driver, page)
    driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': 'print'})
    shown = driver.execute_script(
        "return [...document.querySelectorAll('.chapter th, #overview th:has(button)')].map("
        "(head) => [getComputedStyle(head, '::before').content,"
        "getComputedStyle(head.querySelector('button')).display])"
    )
    driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})
    assert ['"Contrast"', 'none'] in shown and ['"Measure"', 'none'] in shown
    assert {display for _, display in shown} == {'none'}


@pytest.mark.browser
@needs_browser
def test_the_list_of_measures_is_one_tab_stop(driver, page):  # noqa: F811
    open_page(driver, page)
    rows = "[...document.querySelectorAll('#overview tbody tr')]"
    stops = f'return {rows}.map((row) => row.tabIndex)'
    assert sorted(driver.execute_script(stops))[-2:] == [-1, 0]
