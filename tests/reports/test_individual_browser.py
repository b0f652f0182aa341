"""The participant's report in a real browser: no script error, and everything works."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from participant_outputs import MEASURES, write_outputs

from mriderived.reports.individual import write_participant_report

selenium = pytest.importorskip('selenium')
from selenium.webdriver import Chrome, ChromeOptions, ChromeService  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402

pytestmark = pytest.mark.browser


@pytest.fixture(scope='module')
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chromium = shutil.which('chromium') or shutil.which('google-chrome')
    driver = shutil.which('chromedriver')
    if not chromium or not driver:
        pytest.skip('Chromium and chromedriver are not here')
    options = ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp('profile')
    for argument in ('--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                     '--window-size=1280,900', f'--user-data-dir={profile}'):  # fmt: skip
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    with Chrome(options=options, service=ChromeService(driver)) as chrome:
        yield chrome


@pytest.fixture
def page(browser: Chrome, tmp_path: Path) -> Iterator[Chrome]:
    outputs = write_outputs(tmp_path, sessions=('pre', 'post'), n_regions=600)
    write_participant_report(outputs.out_dir, '01', measures=MEASURES)
    browser.get(outputs.page.as_uri())
    yield browser
    messages = [entry['message'] for entry in browser.get_log('browser')]
    assert not messages


def rows(page: Chrome) -> list[str]:
    script = (
        'return [...document.querySelectorAll("#measure-table tbody tr")]'
        '.map(row => [...row.cells].map(cell => cell.textContent).join(" "))'
    )
    return list(page.execute_script(script))


def search(page: Chrome, text: str) -> None:
    box = page.find_element(By.ID, 'measure-search')
    box.clear()
    box.send_keys(text)
    time.sleep(0.3)


def press(page: Chrome, selector: str) -> None:
    page.execute_script('document.querySelector(arguments[0]).click()', selector)


def test_page_opens_with_everything(page: Chrome) -> None:
    assert page.title == 'sub-01 · MRIderived'
    assert page.find_element(By.ID, 'banner').text.startswith('Not everything worked')
    assert len(rows(page)) == 100
    assert '2400 values' in page.find_element(By.ID, 'measure-count').text
    widths = page.execute_script(
        'return [...document.querySelectorAll(".stage img")].map(i => i.naturalWidth)'
    )
    assert len(widths) == 8
    assert all(width > 0 for width in widths)
    # nothing makes the page scroll sideways
    assert page.execute_script(
        'return document.documentElement.scrollWidth <= document.documentElement.clientWidth'
    )


def test_search_filters_rows(page: Chrome) -> None:
    search(page, 'hippocampus volume pre')
    assert [row.split()[0] for row in rows(page)] == ['Left-Hippocampus', 'Right-Hippocampus']
    assert '2 of 2400 values' in page.find_element(By.ID, 'measure-count').text
    search(page, 'no such region')
    assert rows(page) == []


def test_rows_sort_by_number_with_missing_ones_last(page: Chrome) -> None:
    search(page, 'volume pre')
    press(page, '[data-key=value]')
    press(page, '[data-key=value]')
    first = rows(page)[0]
    assert '10\u202f123' in first
    head = page.find_element(By.CSS_SELECTOR, 'th[aria-sort=descending]')
    assert head.text.startswith('Value')
    press(page, '#measure-more')
    assert len(rows(page)) == 600
    assert 'n/a' in rows(page)[-1]


def test_rows_filter_by_image(page: Chrome) -> None:
    page.execute_script(
        'const s = document.querySelector("#measure-image"); s.value = "ses-post T1w";'
        's.dispatchEvent(new Event("change"))'
    )
    assert '1200 of 2400' in page.find_element(By.ID, 'measure-count').text
    assert all(row.endswith('ses-post T1w') for row in rows(page))


def test_searching_thousands_of_rows_is_quick(page: Chrome) -> None:
    milliseconds = page.execute_script(
        'const s = document.querySelector("#measure-source"), t = performance.now();'
        'for (let i = 0; i < 10; i++) s.dispatchEvent(new Event("change"));'
        'return (performance.now() - t) / 10'
    )
    assert milliseconds < 200


def test_flicker_toggles(page: Chrome) -> None:
    def visible() -> str:
        return str(page.execute_script(
            'return getComputedStyle(document.querySelectorAll(".flicker img")[1]).visibility'
        ))  # fmt: skip

    figure = page.find_element(By.CSS_SELECTOR, '.flicker')
    assert 'playing' in str(figure.get_attribute('class'))
    press(page, '.flicker [data-show=participant]')
    assert visible() == 'hidden'
    press(page, '.flicker [data-show=reference]')
    assert visible() == 'visible'
    assert 'playing' not in str(figure.get_attribute('class'))
    pressed = page.find_element(By.CSS_SELECTOR, '.flicker [data-show=reference]')
    assert pressed.get_attribute('aria-pressed') == 'true'


def test_pictures_enlarge_and_close(page: Chrome) -> None:
    press(page, '.stage')
    dialog = page.find_element(By.CSS_SELECTOR, 'dialog.zoom')
    assert dialog.get_attribute('open') is not None
    press(page, 'dialog.zoom')
    assert dialog.get_attribute('open') is None


def test_method_tabs_switch(page: Chrome) -> None:
    press(page, '#tab-latex')
    assert 'thebibliography' in page.find_element(By.ID, 'methods-latex').text
    assert not page.find_element(By.ID, 'methods-text').is_displayed()


def test_quality_metrics_filter(page: Chrome) -> None:
    page.find_element(By.ID, 'quality-search').send_keys('entropy')
    shown = [
        row.text.split()[0]
        for row in page.find_elements(By.CSS_SELECTOR, '#quality-table tbody tr')
        if row.is_displayed()
    ]
    assert shown == ['efc']


def test_errors_show_the_traceback_as_text(page: Chrome) -> None:
    assert '<script>' in page.find_element(By.CSS_SELECTOR, '#errors pre').get_attribute(
        'textContent'
    )
    assert page.title != 'hacked'
