"""The rating widget of the participant's report, in a real browser without a network."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from participant_outputs import MEASURES, write_outputs

from mriderived.group.ratings import read_ratings
from mriderived.reports.individual import write_participant_report

selenium = pytest.importorskip('selenium')
from selenium.webdriver import Chrome, ChromeOptions, ChromeService  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402

pytestmark = pytest.mark.browser


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    chromium = shutil.which('chromium') or shutil.which('google-chrome')
    driver = shutil.which('chromedriver')
    if not chromium or not driver:
        pytest.skip('Chromium and chromedriver are not here')
    options = ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path / 'profile'
    for argument in ('--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                     '--window-size=1280,900', f'--user-data-dir={profile}'):  # fmt: skip
        options.add_argument(argument)
    options.add_experimental_option(
        'prefs', {'download.default_directory': str(tmp_path / 'saved')}
    )
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    with Chrome(options=options, service=ChromeService(driver)) as chrome:
        chrome.set_network_conditions(
            offline=True, latency=0, download_throughput=0, upload_throughput=0
        )
        yield chrome
        assert not [entry['message'] for entry in chrome.get_log('browser')]


def press(page: Chrome, selector: str) -> None:
    page.execute_script('document.querySelector(arguments[0]).click()', selector)


def type_into(page: Chrome, selector: str, text: str) -> None:
    page.execute_script(
        'const box = document.querySelector(arguments[0]); box.value = arguments[1];'
        'box.dispatchEvent(new Event("change"))', selector, text,
    )  # fmt: skip


def wait_for(path: Path) -> None:
    for _ in range(50):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f'{path} was not saved')


def test_ratings_are_kept_and_saved_as_the_group_level_reads_them(
    browser: Chrome, tmp_path: Path
) -> None:
    outputs = write_outputs(tmp_path, sessions=('pre', 'post'), n_regions=20)
    write_participant_report(outputs.out_dir, '01', measures=MEASURES)
    browser.get(outputs.page.as_uri())
    type_into(browser, '#rater', 'AB')
    press(browser, '.rating:nth-of-type(1) [data-rating=exclude]')
    type_into(browser, '.rating:nth-of-type(1) .comment', 'ringing\tand  motion')
    press(browser, '.rating:nth-of-type(2) [data-rating=accept]')
    press(browser, '.rating:nth-of-type(2) [data-rating=uncertain]')
    assert browser.find_element(By.ID, 'rating-count').text == '2 images rated'
    browser.get(outputs.page.as_uri())  # opened once more
    pressed = browser.find_elements(By.CSS_SELECTOR, '.rating [aria-pressed=true]')
    assert [button.text for button in pressed] == ['Exclude', 'Uncertain']
    press(browser, '#rating-download')
    wait_for(tmp_path / 'saved' / 'ratings.tsv')
    bad, unsure = read_ratings(tmp_path / 'saved' / 'ratings.tsv')
    if bad.rating != 'exclude':
        bad, unsure = unsure, bad
    assert (bad.participant, bad.comment, bad.rater) == ('01', 'ringing and motion', 'AB')
    assert {bad.session, unsure.session} == {'pre', 'post'} and unsure.rating == 'uncertain'
    assert bad.date.startswith('20') and bad.image.endswith('_T1w.nii.gz')
    # pressed again, a rating is taken back
    press(browser, '.rating:nth-of-type(2) [data-rating=uncertain]')
    assert browser.find_element(By.ID, 'rating-count').text == '1 image rated'


def test_each_rater_has_ratings_of_their_own(browser: Chrome, tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path, sessions=('pre', 'post'), n_regions=20)
    write_participant_report(outputs.out_dir, '01', measures=MEASURES)
    browser.get(outputs.page.as_uri())
    count, field = browser.find_element(By.ID, 'rating-count'), '.rating:nth-of-type(1)'
    comment = browser.find_element(By.CSS_SELECTOR, f'{field} .comment')
    press(browser, f'{field} [data-rating=exclude]')
    type_into(browser, f'{field} .comment', 'ringing')
    type_into(browser, '#rater', 'AB')  # signs what was not signed
    assert (count.text, comment.get_property('value')) == ('1 image rated', 'ringing')
    type_into(browser, '#rater', 'CD')
    assert (count.text, comment.get_property('value')) == ('0 images rated', '')
    assert not browser.find_elements(By.CSS_SELECTOR, '.rating [aria-pressed=true]')
    press(browser, f'{field} [data-rating=accept]')
    type_into(browser, '#rater', 'AB')
    assert comment.get_property('value') == 'ringing'
    (pressed,) = browser.find_elements(By.CSS_SELECTOR, '.rating [aria-pressed=true]')
    assert pressed.text == 'Exclude'
    press(browser, '#rating-download')
    wait_for(tmp_path / 'saved' / 'ratings.tsv')
    ratings = read_ratings(tmp_path / 'saved' / 'ratings.tsv')
    assert {one.image for one in ratings} == {ratings[0].image}
    assert sorted((one.rater, one.rating, one.comment) for one in ratings) == [
        ('AB', 'exclude', 'ringing'), ('CD', 'accept', ''),
    ]  # fmt: skip


def test_a_browser_that_keeps_nothing_says_so(browser: Chrome, tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path, sessions=('pre',), n_regions=20)
    write_participant_report(outputs.out_dir, '01', measures=MEASURES)
    refuse = 'Object.defineProperty(window, "localStorage", {get() { throw new Error("none"); }})'
    browser.execute_cdp_cmd('Page.addScriptToEvaluateOnNewDocument', {'source': refuse})
    browser.get(outputs.page.as_uri())
    press(browser, '.rating [data-rating=accept]')
    assert 'not kept by this browser' in browser.find_element(By.ID, 'rating-count').text
