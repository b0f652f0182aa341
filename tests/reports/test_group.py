"""The page of the cohort: its content, and how it behaves in a browser."""

import json
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / 'group'))

from cohort_outputs import (
    MEASURES,
    Participant,
    make_config,
    make_measure,
    write_cohort,
    write_complete,
    write_description,
)

from mriderived.bids.status import NoInputError
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE
from mriderived.group.stage import run_group
from mriderived.measures.base import Column
from mriderived.reports.group import write_group_report
from mriderived.reports.group_tables import read_listing, read_sessions

HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>{{7*7}}'


def make_report(out_dir, measures=MEASURES):
    run_group(make_config(out_dir), measures)
    return write_group_report(out_dir)


def read_data(page):
    text = page.read_text(encoding='utf-8')
    return {
        name: json.loads(content)
        for name, content in re.findall(
            r'<script type="application/json" id="([^"]+)">(.*?)</script>', text, re.DOTALL
        )
    }


@pytest.fixture
def out_dir(tmp_path):
    write_description(tmp_path / 'out')
    return tmp_path / 'out'


def test_values_are_those_of_the_table(out_dir):
    write_complete(out_dir, '01', gm='600000.125')
    Participant(out_dir, '02').add('tissue', None, 'failed', 'no memory').write()
    data = read_data(make_report(out_dir))
    names = [column[0] for column in data['data']['sessions'][0]['columns']]
    # Words (quality_axes) have no distribution.
    assert names == [
        'tissue_gm',
        'tissue_tiv',
        'regional_dk_left_thalamus_volume',
        'regional_dk_right_thalamus_volume',
        'regional_dk_ctx_lh_cuneus_volume',
        'quality_cjv',
    ]
    assert data['values-0'][0] == [600000, None]
    assert data['values-0'][5] == [0.375, None]
    assert data['data']['status']['codes'] == ['dddd', 'f   ']
    assert data['data']['sessions'][0]['reasons'][0] == 'failed: no memory'


def test_outlier_is_told(out_dir):
    write_cohort(out_dir, 40, 5)
    (out_dir / 'sub-0007.html').write_text('<!doctype html><title>7</title>')
    session = read_data(make_report(out_dir))['data']['sessions'][0]
    row = session['participants'].index('0007')
    column = [entry[0] for entry in session['columns']].index('regional_dk_region_1_volume')
    assert [row, column] in [item[:2] for item in session['outliers']]
    assert session['links'][row] == 'sub-0007.html'
    assert session['links'][row - 1] == ''


def describe(page, name):
    """Return what the page is told of a column, texts looked up."""
    session = read_data(page)['data']['sessions'][0]
    (entry,) = (entry for entry in session['columns'] if entry[0] == name)
    keys = ('measure', 'atlas', 'space', 'region', 'column', 'title', 'unit')
    texts = (session['texts'][place] for place in entry[1:8])
    return {**dict(zip(keys, texts, strict=True)), 'factor': entry[10]}


def test_columns_have_titles_and_units_for_readers(out_dir):
    titled = make_measure(
        'tissue', (Column('gm', 'All.', 'mm3', 'Grey matter volume'),), desc='tissue'
    )
    volume = Column('volume', 'V.', 'mm3', 'Volume')
    regional = make_measure('regional', (volume,), 'atlas', ('volume',))
    write_complete(out_dir, '01')
    page = make_report(out_dir, (titled, regional, MEASURES[2]))
    found = describe(page, 'tissue_gm')
    assert (found['title'], found['unit'], found['factor']) == ('Grey matter volume', 'mL', 0.001)
    found = describe(page, 'regional_dk_left_thalamus_volume')
    assert (found['region'], found['title']) == ('Left-Thalamus', 'Volume')
    assert (found['unit'], found['factor']) == ('mm³', 1.0)
    # Without a title the name of the column stands in.
    assert describe(page, 'quality_cjv')['title'] == 'cjv'
    dictionary = json.loads((out_dir / 'phenotype/mriderived.json').read_text())
    assert dictionary['tissue_gm']['Units'] == 'mm3'
    assert dictionary['regional_dk_left_thalamus_volume']['LongName'] == 'Volume of Left-Thalamus'


def test_sloppy_outputs_are_marked(out_dir):
    write_complete(out_dir, '01')
    assert 'id="sloppy"' not in make_report(out_dir).read_text()
    tables = ('tissue', 'mriderived', 'mriderived_reasons')
    dictionaries = [out_dir / f'phenotype/{name}.json' for name in tables]
    assert not any('Sloppy' in json.loads(path.read_text()) for path in dictionaries)
    write_description(out_dir, sloppy=True)
    assert f'<strong>{SLOPPY_TITLE}</strong>' in make_report(out_dir).read_text()
    for path in dictionaries:
        assert json.loads(path.read_text())['Sloppy'] == f'{SLOPPY_TITLE}. {SLOPPY_TEXT}'


def test_a_broken_description_is_told(out_dir):
    write_complete(out_dir, '01')
    (out_dir / 'dataset_description.json').write_text('{"half')
    (warning,) = run_group(make_config(out_dir), MEASURES).warnings
    assert warning.startswith('whether this was a coarse run cannot be told')


def test_page_needs_nothing_else(out_dir):
    write_complete(out_dir, '01')
    text = make_report(out_dir).read_text()
    frame = re.sub(r'<script type="application/json".*?</script>', '', text, flags=re.DOTALL)
    assert not re.search(r'<(script|img|iframe)[^>]*\ssrc=', frame)
    assert not re.search(r'@import|url\(', frame)
    assert re.findall(r'<link[^>]*>', frame) == ['<link rel="icon" href="data:,">']


def test_same_outputs_same_bytes(out_dir):
    write_cohort(out_dir, 10, 5)
    page = make_report(out_dir)
    before = page.read_bytes()
    assert make_report(out_dir).read_bytes() == before


def test_warnings_and_reasons_are_escaped(out_dir):
    write_complete(out_dir, '01')
    Participant(out_dir, '02').add('tissue', None, 'failed', HOSTILE).write()
    (out_dir / 'sub-01/anat/sub-01_desc-T1w_qc.tsv').write_text(f'cjv\n{HOSTILE}\n1\n')
    page = make_report(out_dir)
    text = page.read_text()
    assert '<img' not in text
    assert text.count('</script>') == 3
    assert read_data(page)['data']['status']['reasons'][1] == HOSTILE


def test_without_tables_the_error_names_the_remedy(out_dir):
    with pytest.raises(NoInputError, match='run the group level first'):
        write_group_report(out_dir)


def test_large_cohorts_are_thinned_to_outliers_and_ranks(out_dir, monkeypatch):
    write_cohort(out_dir, 60, 6)
    run_group(make_config(out_dir), MEASURES)
    monkeypatch.setattr('mriderived.reports.group_tables.MOST_VALUES', 200)
    (session,) = read_sessions(out_dir, read_listing(out_dir))
    assert session.is_thinned
    column = [entry['column'] for entry in session.columns].index('regional_dk_region_1_volume')
    shown = json.loads(session.values[column])
    rows = [row for row, place, _ in session.outliers if place == column]
    assert 7 in rows and set(rows) <= set(shown['i'])
    assert 20 <= len(shown['i']) <= 200 // len(session.columns) + len(rows)
    ends = [session.columns[column][name] for name in ('minimum', 'maximum')]
    assert [min(shown['v']), max(shown['v'])] == pytest.approx([float(end) for end in ends], 1e-4)


# ---- in a browser

needs_browser = pytest.mark.skipif(
    not (shutil.which('chromium') and shutil.which('chromedriver')), reason='needs Chromium'
)


@pytest.fixture(scope='module')
def driver(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    folder = tmp_path_factory.mktemp('profile')
    for argument in (
        '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
        '--window-size=1400,900', f'--user-data-dir={folder}',
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which('chromedriver')))
    yield browser
    browser.quit()


def open_page(driver, page):
    """Open a page, whose script ends without an error and asks for no other file."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get(page.as_uri())
    # An address that differs in its measure alone may be loaded after `get` comes back.
    ready = 'return document.documentElement.dataset.ready'
    WebDriverWait(driver, 30).until(lambda page: page.execute_script(ready) == 'true')
    assert [entry for entry in driver.get_log('browser') if entry['level'] == 'SEVERE'] == []
    assert driver.execute_script("return performance.getEntriesByType('resource').length") == 0


def texts(driver, selector):
    script = 'return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)'
    return driver.execute_script(script, selector)


@pytest.mark.browser
@needs_browser
def test_a_thousand_participants(driver, tmp_path):
    out_dir = tmp_path / 'out'
    write_cohort(out_dir, 1000, 396)
    (out_dir / 'sub-0007.html').write_text('<!doctype html><title>Report of 7</title>')
    page = make_report(out_dir)
    assert page.stat().st_size < 15e6
    open_page(driver, page)
    assert texts(driver, '#count') == ['399 of 399 measures']

    driver.execute_script(
        "const s = document.getElementById('search'); s.value = 'region_1_volume';"
        "s.dispatchEvent(new Event('input'))"
    )
    assert texts(driver, '#overview tbody b') == ['Region 1']
    driver.execute_script("document.querySelector('#overview tbody tr').click()")
    assert texts(driver, '#detail h3') == ['Region 1: volume']
    assert len(texts(driver, '#detail circle')) == 1000
    link = driver.execute_script(
        "return [...document.querySelectorAll('#detail .offs a')]"
        ".find((a) => a.textContent === 'sub-0007')"
    )
    assert link.get_attribute('href') == (out_dir / 'sub-0007.html').as_uri()
    assert 'sub-0007' in texts(driver, '#detail svg a')[0]

    driver.execute_script("document.querySelector('#overview th button').click()")
    assert driver.execute_script("return document.querySelector('#grid canvas').width") > 300
    assert texts(driver, '#faults tbody tr')[0].startswith('failed20the image is <empty> & bad')
    # A region has more than one value: what stands apart is named with it.
    chips = texts(driver, '#ranking [data-participant="0007"] .chip')
    assert chips[0].startswith('Region 1: volume +')
    open_page(driver, page)  # a second time, now with the measure in the address
    driver.execute_script("document.querySelector('#ranking a').click()")
    assert driver.title == 'Report of 7'


@pytest.mark.browser
@needs_browser
def test_one_participant(driver, out_dir):
    write_complete(out_dir, '01')
    open_page(driver, make_report(out_dir))
    assert texts(driver, '#overview tbody b')[:2] == ['gm', 'tiv']
    assert texts(driver, '#ranking .empty') == [
        'Fewer than 5 participants: nobody can stand apart.'
    ]
    assert texts(driver, '#gaps .empty') == ['Every participant has a value of every measure.']


@pytest.mark.browser
@needs_browser
def test_what_nobody_has_stands_last_and_columns_sort(driver, out_dir):
    for place in range(8):
        gm = 900000 if place == 3 else 600000 + 1000 * place
        person = Participant(out_dir, f'{place}').add('tissue', status='failed', reason='dark')
        person.atlas().regional(volumes=(f'{gm}', '2', f'{place}')).quality().write()
    open_page(driver, make_report(out_dir))
    names = texts(driver, '#overview tbody b')
    assert names[0] == 'Left-Thalamus' and names[-2:] == ['gm', 'tiv']
    assert texts(driver, '#detail h3') == ['Left-Thalamus: volume']
    outliers = '#overview tbody td:last-child'
    before = texts(driver, outliers)
    driver.execute_script("document.querySelector('#overview th:last-child button').click()")
    assert texts(driver, outliers) == sorted(before, key=int, reverse=True)
    driver.execute_script("document.querySelector('#overview th:last-child button').click()")
    assert texts(driver, outliers) == sorted(before, key=int)


@pytest.mark.browser
@needs_browser
def test_everything_failed(driver, out_dir):
    Participant(out_dir, '01').add('brain', None, 'failed', 'no memory').write()
    open_page(driver, make_report(out_dir))
    assert texts(driver, '#overview .empty') == ['There is no measure.']
    assert 'no memory' in texts(driver, '#faults tbody tr')[0]


@pytest.mark.browser
@needs_browser
def test_sessions_are_chosen(driver, out_dir):
    write_complete(out_dir, '01', 'a', gm='1')
    write_complete(out_dir, '01', 'b', gm='2')
    write_complete(out_dir, '02', 'b', gm='4')
    open_page(driver, make_report(out_dir))
    assert texts(driver, '#session option') == ['a', 'b']
    assert texts(driver, '#overview tbody tr:first-child .number')[:2] == ['1', '0.001 mL']
    driver.execute_script(
        "const s = document.getElementById('session'); s.value = 1;"
        "s.dispatchEvent(new Event('change'))"
    )
    assert texts(driver, '#overview tbody tr:first-child .number')[:2] == ['2', '0.003 mL']


@pytest.mark.browser
@needs_browser
@pytest.mark.parametrize(('number', 'is_summarised'), [(4, False), (5, True)])
def test_few_values_are_points_without_a_box(driver, out_dir, number, is_summarised):
    for place in range(number):
        write_complete(out_dir, f'{place}', gm=f'{600000 + 1000 * place}')
    open_page(driver, make_report(out_dir))
    count = "return document.querySelectorAll('{}').length"
    for part in ('.plot .box', '.plot .whisker', '.plot .mid', '.strip .band', '.strip .mid'):
        assert bool(driver.execute_script(count.format(part))) is is_summarised, part
    assert driver.execute_script(count.format('.plot circle.point')) == number
    assert texts(driver, '#overview tbody tr:first-child .name')[0].startswith('gm')
    title = "return document.querySelector('#overview .name').title"
    assert driver.execute_script(title) == 'tissue_gm'


@pytest.mark.browser
@needs_browser
def test_hostile_words_stay_words(driver, out_dir):
    labels = ((1, HOSTILE.replace('\t', ' ')), (2, 'Region'))
    measure = make_measure('regional', (Column('volume', HOSTILE, HOSTILE),), 'atlas', ('volume',))
    for number in range(6):
        participant = Participant(out_dir, f'{number}').atlas(labels)
        participant.regional(('1', f'{number}'), labels)
        participant.add('tissue', None, 'failed', HOSTILE).write()
    open_page(driver, make_report(out_dir, (measure,)))
    assert texts(driver, '#overview tbody b')[0] == HOSTILE
    assert texts(driver, '#faults td:nth-child(3)') == [HOSTILE]
    assert driver.title.startswith('Group report')
    assert driver.execute_script("return document.querySelectorAll('img').length") == 0


@pytest.mark.browser
@needs_browser
def test_colouring_stays_in_the_browser(driver, out_dir, tmp_path):
    for label in ('01', '02', '03'):
        write_complete(out_dir, label)
    people = tmp_path / 'participants.tsv'
    people.write_text('participant_id\tsite\nsub-01\tA\nsub-02\tB\nsub-03\tn/a\n')
    open_page(driver, make_report(out_dir))
    driver.find_element('id', 'people-file').send_keys(str(people))
    deadline = time.monotonic() + 10
    while not texts(driver, '.key') and time.monotonic() < deadline:
        time.sleep(0.05)
    assert texts(driver, '.key') == ['A', 'B']
    fills = driver.execute_script(
        "return [...document.querySelectorAll('#detail circle')].map((c) => c.style.fill)"
    )
    assert len(fills) == len(set(fills)) == 3


@pytest.mark.browser
@needs_browser
def test_tables_of_chapters_are_sorted_searched_and_saved(driver, out_dir):
    lines = ['participant_id\tage']
    for place in range(12):
        write_complete(out_dir, f'{place:02d}', gm=f'{600000 - 999 * place + 77 * (place % 3)}')
        lines.append(f'sub-{place:02d}\t{20 + 3 * place}')
    config = make_config(out_dir, models=('volume ~ age', 'gm ~ age'))
    config.bids_dir.mkdir()
    (config.bids_dir / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    # Volumes that differ between people, or there is nothing to fit.
    for place in range(12):
        table = next((out_dir / f'sub-{place:02d}').rglob('*atlas-DK_morph.tsv'))
        rows = table.read_text().splitlines()
        changed = [f'{row.rsplit(chr(9), 2)[0]}\t{number * 10 + (place * number) % 7}\t7'
                   for number, row in enumerate(rows[1:], start=1)]  # fmt: skip
        table.write_text('\n'.join([rows[0], *changed]) + '\n')
    run_group(config, MEASURES)
    open_page(driver, write_group_report(out_dir))
    cells = '#model-volumeage + .note ~ .scroll tbody tr:not([hidden]) td:nth-child({})'
    regions = texts(driver, cells.format(2))
    assert len(regions) == 3
    script = (
        "document.querySelectorAll('#model-volumeage ~ .scroll th button')[arguments[0]].click()"
    )
    driver.execute_script(script, 2)
    up = [float(text) for text in texts(driver, cells.format(3))]
    driver.execute_script(script, 2)
    down = [float(text) for text in texts(driver, cells.format(3))]
    assert up == sorted(up) and down == up[::-1]
    driver.execute_script(script, 1)
    assert texts(driver, cells.format(2)) == sorted(regions, key=str.lower)
    driver.execute_script(
        "const s = document.querySelector('#model-volumeage ~ .tools input');"
        "s.value = 'thalamus left';"
        "s.dispatchEvent(new Event('input'))"
    )
    assert texts(driver, cells.format(2)) == ['Left-Thalamus']
    assert texts(driver, '#model-volumeage ~ .tools .push') == ['1 of 3 rows']
    saved = driver.execute_async_script(
        'const done = arguments[0]; const make = URL.createObjectURL;'
        "URL.createObjectURL = (blob) => { blob.text().then(done); return '#'; };"
        "document.querySelector('#model-volumeage ~ .tools button').click();"
        'URL.createObjectURL = make'
    )
    header, row, end = saved.split('\n')
    assert header.split('\t')[:3] == ['Contrast', 'Region', 'Estimate'] and end == ''
    assert row.split('\t')[:2] == ['age', 'Left-Thalamus']


@pytest.mark.browser
@needs_browser
def test_a_point_of_a_scatter_opens_the_report(driver, out_dir):
    (out_dir.parent / 'raw').mkdir()
    lines = ['participant_id\tage']
    for number in range(12):
        volumes = [f'{8000 - 10 * number + 7 * (number % 5)}', '7900', f'{4000 + number % 3}']
        person = Participant(out_dir, f'{number:02d}').tissue().atlas().regional(volumes)
        person.write()
        lines.append(f'sub-{number:02d}\t{20 + number}')
        if number != 3:
            (out_dir / f'sub-{number:02d}.html').write_text(
                f'<!doctype html><title>{number}</title>'
            )
    (out_dir.parent / 'raw' / 'participants.tsv').write_text('\n'.join(lines) + '\n')
    run_group(make_config(out_dir, models=('volume ~ age',)), MEASURES)
    page = write_group_report(out_dir)
    point = """
        const stage = document.querySelector('.stage[data-spots]'), image = stage.firstElementChild;
        const spot = JSON.parse(stage.dataset.spots).find((s) => s[2] === arguments[0]);
        const frame = image.getBoundingClientRect();
        const at = { clientX: frame.left + spot[0] * frame.width + 2, clientY: frame.top + spot[1] * frame.height - 2 };
        image.dispatchEvent(new MouseEvent('mousemove', at));
        const told = [document.getElementById('tip').textContent, image.style.cursor];
        image.dispatchEvent(new MouseEvent('click', at));
        return told;
    """  # noqa: E501
    open_page(driver, page)
    assert driver.execute_script(point, '03') == ['sub-03: there is no report', '']
    assert driver.current_url.startswith(page.as_uri())
    assert driver.execute_script(point, '07') == ['sub-07', 'pointer']
    assert driver.title == '7'
