"""The participant's report: what it says, that it is one safe file, and that it always comes."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from participant_outputs import (
    HOSTILE,
    MEASURES,
    SVG,
    Outputs,
    figure,
    measure,
    unit,
    write_outputs,
)

from mriderived.bids.status import UnitRecord, read_record, write_record
from mriderived.config import SLOPPY_TEXT, SLOPPY_TITLE
from mriderived.reports.individual import group_reasons, make_banner, write_participant_report
from mriderived.reports.loader import load_participant
from mriderived.reports.methods import write_methods
from mriderived.reports.tables import format_number, read_table
from mriderived.workflows.anat_lesion import _notes as lesion_notes

SECTIONS = ('summary', 'inputs', 'pictures', 'measures', 'quality', 'errors', 'methods',
            'provenance')  # fmt: skip


class Page(HTMLParser):
    """Everything with an id, every link and source, and the text of every element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.alternatives: list[str | None] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values['id'] or ''] if 'id' in values else []
        self.sources += [value for key in ('src', 'srcset', 'data') if (value := values.get(key))]
        if tag == 'link':
            self.sources.append(values.get('href') or '')
        if tag == 'img':
            self.alternatives.append(values.get('alt'))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return ' '.join(' '.join(self.words).split())


def write(outputs: Outputs) -> Page:
    path = write_participant_report(outputs.out_dir, '01', measures=MEASURES)
    assert path == outputs.page
    return Page(path.read_text())


def test_all_sections_stand_on_the_page_once(tmp_path: Path) -> None:
    page = write(write_outputs(tmp_path))
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    assert len(page.ids) == len(set(page.ids))


def test_every_status_and_reason_is_told(tmp_path: Path) -> None:
    page = write(write_outputs(tmp_path))
    for words in ('done', 'failed', 'skipped', 'not available', 'the atlas is not there',
                  'not selected', 'The brain was already extracted.'):  # fmt: skip
        assert words in page.text
    assert 'Not everything worked 4 of 7 units of work done' in page.text
    assert '1 failed, 1 not available, 1 skipped' in page.text


def test_a_reason_that_many_share_stands_once(tmp_path: Path) -> None:
    image = 'sub-01/anat/sub-01_T1w.nii.gz'
    shared = "not reached, because 'brain' failed on this image: the file is empty"
    names = ('registration', 'volumes', 'vbm')
    write_record(tmp_path, '01', [
        unit(image, 'brain', 'failed', reason='the file is empty'),
        *(unit(image, name, 'skipped', reason=shared) for name in names),
    ])  # fmt: skip
    page = write(Outputs(tmp_path))
    assert page.text.count(shared) == 1
    assert (
        'The following 3 measures: Registration, Regional grey-matter volume, Modulated maps'
        in page.text
    )
    assert 'following 1' not in page.text
    text = Outputs(tmp_path).page.read_text()
    assert text.count('href="#reason-1"') == 1
    assert text.count('href="#reason-2"') == 3
    assert {'reason-1', 'reason-2'} <= set(page.ids)


def test_images_share_no_reason(tmp_path: Path) -> None:
    units = [unit(f'sub-01/anat/{n}_T1w.nii.gz', 'vbm', 'failed', reason='cut') for n in 'ab']
    assert [(g.number, len(g.units)) for g in group_reasons(units)] == [(1, 1), (2, 1)]


def test_problems_are_told_without_the_path_to_the_outputs(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path)
    (tmp_path / 'logs' / 'sub-01' / 'inputs.json').write_text('{')
    page = write(outputs)
    assert 'logs/sub-01/inputs.json is not valid JSON' in page.text
    assert str(tmp_path) not in page.text


def test_nothing_is_loaded_and_every_picture_has_words(tmp_path: Path) -> None:
    page = write(write_outputs(tmp_path))
    assert page.sources
    assert all(source.startswith('data:') for source in page.sources)
    pictures = [alternative for alternative in page.alternatives if alternative]
    assert len(pictures) == 4
    assert all(len(words) > 20 for words in pictures)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path)
    page = write(outputs)
    assert page.tags.count('script') == 2  # the data and our own
    assert HOSTILE not in outputs.page.read_text()
    assert page.text.count('hacked') >= 3


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    image = 'sub-01/anat/<script>alert(1)</script>_T1w.nii.gz'
    write_record(tmp_path, '01', [unit(image, '<script>', 'failed', variant='"><script>')])
    page = write(Outputs(tmp_path))
    assert page.tags.count('script') == 2


def test_pictures_go_to_their_image_and_measure(tmp_path: Path) -> None:
    write_outputs(tmp_path, sessions=('pre', 'post'))
    view = load_participant(tmp_path, '01', MEASURES)
    assert [image.label for image in view.images] == ['ses-pre T1w', 'ses-post T1w']
    for image, session in zip(view.images, ('pre', 'post'), strict=True):
        assert [picture.name for picture in image.pictures] == ['brain', 'registration', 'noise']
        assert all(f'_ses-{session}_' in picture.path.name for picture in image.pictures)
        assert image.pictures[1].variant == 'MNI152NLin2009cAsym'
        assert image.pictures[1].reference is not None
        assert [picture.is_dark for picture in image.pictures] == [True, True, False]


def test_an_image_whose_entities_another_has_too_keeps_its_own_files(tmp_path: Path) -> None:
    for stem in ('sub-01', 'sub-01_run-2'):
        (tmp_path / 'sub-01' / 'figures').mkdir(parents=True, exist_ok=True)
        (tmp_path / 'sub-01' / 'figures' / f'{stem}_desc-brain_T1w.svg').write_text('<svg/>')
    units = [
        unit(f'sub-01/anat/{stem}_T1w.nii.gz', 'brain') for stem in ('sub-01', 'sub-01_run-2')
    ]
    write_record(tmp_path, '01', units)
    images = load_participant(tmp_path, '01', MEASURES).images
    assert [[p.path.name for p in image.pictures] for image in images] == [
        ['sub-01_desc-brain_T1w.svg'],
        ['sub-01_run-2_desc-brain_T1w.svg'],
    ]


def test_tables_of_units_that_are_not_done_are_left_out(tmp_path: Path) -> None:
    write_outputs(tmp_path)
    records = read_record(tmp_path, '01')
    changed = [
        UnitRecord(**{**r.__dict__, 'status': 'failed'}) if r.measure == 't1w_quality' else r
        for r in records
    ]
    before = load_participant(tmp_path, '01', MEASURES).images[0].tables
    write_record(tmp_path, '01', changed)
    after = load_participant(tmp_path, '01', MEASURES).images[0].tables
    assert [table.kind for table in before] == ['measures', 'quality']
    assert [table.kind for table in after] == ['measures']


def test_measures_carry_units_and_reasons(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path)
    write(outputs)
    found = re.search(r'id="measure-data">(.*?)</script>', outputs.page.read_text(), re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert data['sources'][0]['title'] == 'Regional grey-matter volume · Tiny'
    assert data['columns'][0] == {
        'name': 'volume', 'title': 'volume', 'unit': 'mm³', 'rawUnit': 'mm³',
        'description': 'Grey-matter volume of the region.',
    }  # fmt: skip
    assert data['rows'][0] == [0, 'Left-Hippocampus', 0, '4133.25', '4\u202f133']
    assert data['rows'][2] == [
        0, 'Right-Hippocampus', 0, 'n/a', 'n/a', 'the region is outside the image',
    ]  # fmt: skip
    assert len(data['rows']) == 24


def test_volumes_of_the_whole_image_are_told_in_millilitres(tmp_path: Path) -> None:
    path = tmp_path / 'sub-01_desc-tissue_morph.tsv'
    path.write_text('tiv_volume\tgm_volume\n1523456.78\tn/a\n')
    about = {'LongName': 'Total intracranial volume', 'Units': 'mm3', 'Description': 'All.'}
    path.with_suffix('.json').write_text(json.dumps({'tiv_volume': about, 'gm_volume': about}))
    table = read_table(tmp_path, path, 'Tissue', [])
    assert table is not None
    tiv, gm = table.values
    assert (tiv.title, tiv.text, tiv.unit) == ('Total intracranial volume', '1\u202f523', 'mL')
    # The number of the file stays, for the tooltip and the download.
    assert (tiv.raw, tiv.raw_unit) == ('1523456.78', 'mm³')
    assert (gm.text, gm.unit) == ('n/a', 'mL')


def test_quality_tells_metrics_and_reasons(tmp_path: Path) -> None:
    page = write(write_outputs(tmp_path))
    assert 'Coefficient of joint variation.' in page.text
    assert 'n/a: no air around the head' in page.text


def test_coarse_runs_are_marked(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path)
    page = write(outputs)
    assert 'sloppy' in page.ids
    assert SLOPPY_TITLE in page.text and SLOPPY_TEXT in page.text
    path = tmp_path / 'logs' / 'sub-01' / 'provenance.json'
    path.write_text(json.dumps({'settings': {'sloppy': 'false'}}))
    assert 'sloppy' not in write(outputs).ids


def test_report_of_nothing_is_written(tmp_path: Path) -> None:
    page = write(Outputs(tmp_path))
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    assert 'Nothing is recorded' in page.text


def test_report_without_declarations_shows_the_names(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path)
    text = Page(write_participant_report(outputs.out_dir, 'sub-01').read_text()).text
    assert 'volumes · Tiny' in text


@pytest.mark.parametrize('name', ['inputs.json', 'provenance.json'])
def test_a_broken_file_is_named_and_the_rest_is_there(tmp_path: Path, name: str) -> None:
    outputs = write_outputs(tmp_path)
    (tmp_path / 'logs' / 'sub-01' / name).write_text('{"half')
    page = write(outputs)
    assert f'{name} is not valid JSON' in page.text
    assert 'Regional grey-matter volume' in page.text


def test_a_broken_table_is_named_and_the_rest_is_there(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path)
    table = next(tmp_path.rglob('*_morph.tsv'))
    table.write_bytes(b'index\tname\tvolume\n1\t\xff\xfe\t3\n')
    page = write(outputs)
    assert f'{table.name} cannot be read' in page.text
    assert 'Coefficient of joint variation.' in page.text


def test_an_image_that_was_refused_stands_among_the_checks(tmp_path: Path) -> None:
    image = 'sub-01/anat/sub-01_T1w.nii.gz'
    write_record(tmp_path, '01', [unit(image, 'brain', 'failed', reason='the gzip is cut off')])
    assert f'{image} Refused the gzip is cut off' in write(Outputs(tmp_path)).text


def test_banner_follows_the_records() -> None:
    done, failed = unit('a', 'x'), unit('a', 'y', 'failed')
    absent = unit('a', 'z', 'not_available')
    assert make_banner([]).status == 'skipped'
    assert make_banner([done]) == ('done', 'Complete', '1 of 1 units of work done.')
    assert make_banner([done, absent]).status == 'not_available'
    assert make_banner([done, absent, failed]).status == 'failed'


def test_a_suspected_lesion_makes_the_banner_amber_and_says_so(tmp_path: Path) -> None:
    parts = [{'Kind': 'cavity', 'Volume': 14.7}, {'Kind': 'given', 'Volume': 3.0}]
    notes = tuple(lesion_notes(parts))
    lesions, failed = unit('a', 'lesions', notes=notes), unit('a', 'y', 'failed')
    words = 'A large lesion is suspected (14.7 mL; fluid where tissue is expected). '
    banner = make_banner([lesions, unit('a', 'z', 'not_available')])
    assert banner.status == 'suspected'
    assert banner.headline == 'Look at this brain: a large lesion is suspected'
    assert banner.detail == f'{words}1 of 2 units of work done, 1 not available.'
    both = make_banner([lesions, failed])
    assert (both.status, both.detail.startswith(words)) == ('failed', True)
    given = unit('a', 'lesions', notes=tuple(lesion_notes(parts[1:])))
    assert make_banner([given]).status == 'done'
    write_record(tmp_path, '01', [lesions])
    assert words in write(Outputs(tmp_path)).text
    page = Outputs(tmp_path).page.read_text()
    assert 'class="banner suspected"' in page
    # amber, as for what is not available
    assert re.search(r'\.banner\.suspected[^{]*\{[^}]*var\(--absent\)', page)


def test_methods_number_their_sources_once() -> None:
    methods = write_methods(MEASURES, {'version': '1.2', 'packages': {'numpy': '2.3'}})
    assert [(r.number, r.label, r.url) for r in methods.references] == [
        (1, 'Tustison et al. 2010', 'https://doi.org/10.1109/TMI.2010.2046908'),
        (2, '', 'https://doi.org/10.1002/mrm.21992'),
        (3, 'Avants et al. 2008', 'https://doi.org/10.1016/j.media.2007.06.004'),
    ]
    text = methods.to_markdown()
    assert 'MRIderived 1.2, which uses numpy 2.3.' in text
    assert 'with N4 (Tustison et al. 2010 [1]). [2]' in text
    assert '1. Tustison et al. 2010. <https://doi.org/10.1109/TMI.2010.2046908>' in text


def test_methods_in_latex_escape_and_cite() -> None:
    text = write_methods(MEASURES, {}).to_latex()
    assert r'5 \% of x\_y \& more.~\cite{r2}' in text
    assert r'\bibitem{r1} Tustison et al. 2010 \url{https://doi.org/10.1109/TMI' in text


def test_methods_tell_only_what_was_done(tmp_path: Path) -> None:
    page = write(write_outputs(tmp_path))
    assert 'Bias was corrected with N4' in page.text
    assert 'Maps were smoothed' not in page.text


@pytest.mark.parametrize(
    ('raw', 'shown'),
    [
        ('1412344.75', '1\u202f412\u202f345'), ('999.96', '1000'), ('123.456', '123.5'),
        ('12.345', '12.35'), ('-1.5', '\u22121.5'), ('0.000012345', '1.234e\u221205'),
        ('0', '0'), ('n/a', 'n/a'), ('inf', 'inf'), ('1e300', '1e+300'),
    ],
)  # fmt: skip
def test_numbers_are_written_for_reading(raw: str, shown: str) -> None:
    assert format_number(raw) == shown


def test_thousands_of_rows_stay_small_and_quick(tmp_path: Path) -> None:
    outputs = write_outputs(tmp_path, sessions=('a', 'b', 'c', 'd'), n_regions=500)
    write(outputs)
    assert outputs.page.stat().st_size < 500_000


def test_pictures_and_tables_of_images_with_the_same_name_but_for_the_suffix(
    tmp_path: Path,
) -> None:
    outputs = Outputs(tmp_path)
    images = {name: f'sub-01/anat/sub-01_{name}.nii.gz' for name in ('T1w', 'FLAIR')}
    figures = tmp_path / 'sub-01' / 'figures'
    figures.mkdir(parents=True)
    measures = []
    records = []
    table = tmp_path / 'sub-01' / 'anat' / 'sub-01_desc-wmh_morph.tsv'
    table.parent.mkdir()
    table.write_text('volume\n7\n')
    for name, image in images.items():
        (figures / f'sub-01_desc-mask_{name}.svg').write_text(SVG.format(fill='#fff'))
        own = (figure('mask', 'brain', f'Mask of {name}', f'The mask of the {name}.'),)
        measures.append(measure(f'{name}_brain', f'Brain of {name}', source=name, figures=own))
        paths = (table.relative_to(tmp_path).as_posix(),) if name == 'FLAIR' else ()
        records.append(unit(image, f'{name}_brain', outputs=paths))
    write_record(outputs.out_dir, '01', records)
    view = load_participant(outputs.out_dir, '01', measures)
    assert {
        (image.label, picture.title) for image in view.images for picture in image.pictures
    } == {(name, f'Mask of {name}') for name in images}
    assert [(image.label, len(image.tables)) for image in view.images] == [
        ('T1w', 0),
        ('FLAIR', 1),
    ]
