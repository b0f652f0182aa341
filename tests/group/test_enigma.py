"""The tables in ENIGMA's form, cell by cell, on made-up outputs of the real measures."""

import csv
import json

import pytest
from cohort_outputs import Participant, make_config, read_table, write_description, write_table

from mriderived.bids.names import bidsignore
from mriderived.bids.status import NoInputError
from mriderived.bids.validate import validate_dataset
from mriderived.config import SLOPPY_TITLE
from mriderived.group.enigma import ATLAS, FOLDER, tables
from mriderived.group.stage import run_group
from mriderived.measures.structure_volume import STRUCTURE_VOLUME
from mriderived.measures.surface_regions import SURFACE_REGIONS
from mriderived.measures.tissue_volume import TISSUE_VOLUME
from mriderived.reports.group import write_group_report
from mriderived.spaces import get_label_table
from mriderived.spaces.labels import read_table as read_labels
from mriderived.workflows.anat_surfaces import SURFACES

MEASURES = (SURFACES, TISSUE_VOLUME, STRUCTURE_VOLUME, SURFACE_REGIONS)
THICKNESS, AREA, VOLUMES = (
    'CorticalMeasuresENIGMA_ThickAvg.csv',
    'CorticalMeasuresENIGMA_SurfAvg.csv',
    'LandRvolumes.csv',
)
REGIONS = [
    'bankssts', 'caudalanteriorcingulate', 'caudalmiddlefrontal', 'cuneus', 'entorhinal',
    'fusiform', 'inferiorparietal', 'inferiortemporal', 'isthmuscingulate', 'lateraloccipital',
    'lateralorbitofrontal', 'lingual', 'medialorbitofrontal', 'middletemporal', 'parahippocampal',
    'paracentral', 'parsopercularis', 'parsorbitalis', 'parstriangularis', 'pericalcarine',
    'postcentral', 'posteriorcingulate', 'precentral', 'precuneus', 'rostralanteriorcingulate',
    'rostralmiddlefrontal', 'superiorfrontal', 'superiorparietal', 'superiortemporal',
    'supramarginal', 'frontalpole', 'temporalpole', 'transversetemporal', 'insula',
]  # fmt: skip
LAST = ['LThickness', 'RThickness', 'LSurfArea', 'RSurfArea', 'ICV']
LABELS = read_labels(get_label_table(ATLAS))
GYRI = LABELS[LABELS['tissue'] == 'cortex']
STRUCTURES = LABELS[LABELS['tissue'] != 'cortex']


@pytest.fixture
def out_dir(tmp_path):
    write_description(tmp_path / 'out')
    return tmp_path / 'out'


def add_tissue(person, tiv='1500000.5'):
    columns = tuple(column.name for column in TISSUE_VOLUME.outputs[0].columns)
    file = f'{person.stem}_desc-tissue_morph.tsv'
    cells = [tiv if name == 'tiv_volume' else '1' for name in columns]
    write_table(person.out_dir / file, columns, [cells])
    return person.add('tissue_volume', outputs=[file])


def add_structures(person):
    """A volume is a hundred times the number of its structure."""
    file = f'{person.stem}_seg-aseg_morph.tsv'
    rows = [
        (row.index_, row.name_, f'{100 * row.index_}.25', '1', '1500000.5', '7')
        for row in named(STRUCTURES)
    ]
    header = ('index', 'name', 'volume', 'normalised_volume', 'tiv_volume', 'n_voxels')
    write_table(person.out_dir / file, header, rows)
    return person.add('structure_volume', outputs=[file])


def add_surface(person, lacks=(), atlas=ATLAS, scale=1.0):
    """Region n of a side has n mm2; the right side is 1 mm thicker than the left."""
    file = f'{person.stem}_atlas-{atlas}_desc-surface_morph.tsv'
    rows = []
    for row in named(GYRI):
        side, number = divmod(row.index_, 1000)
        cells = (f'{scale * number}', f'{side + number / 100:.2f}', '20.5')
        cells = ('n/a',) * 3 if row.index_ in lacks else cells
        rows.append((row.index_, row.name_, *cells))
    reasons = {str(index): 'the region is not on the surface' for index in lacks}
    missing = dict.fromkeys(('area', 'thickness', 'contrast'), reasons) if lacks else None
    header = ('index', 'name', 'area', 'thickness', 'contrast')
    write_table(person.out_dir / file, header, rows, missing)
    person.add('surface_regions', atlas, outputs=[file])
    quality = f'{person.stem}_desc-surfaces_morph.tsv'
    columns = [column.name for column in SURFACES.outputs[-1].columns]
    cells = [{'area_white_L': '90000.5', 'area_white_R': '91000.5'}.get(c, '0') for c in columns]
    write_table(person.out_dir / quality, columns, [cells])
    return person.add('surfaces', outputs=[quality])


def named(table):
    columns = table.rename(columns={'index': 'index_', 'name': 'name_'})
    return list(columns.itertuples(index=False))


def complete(out_dir, label, session=None, run='', **surface):
    person = Participant(out_dir, label, session, run)
    return add_surface(add_structures(add_tissue(person)), **surface).write()


def export(out_dir, **settings):
    config = make_config(out_dir, export='enigma', atlases=(ATLAS,), **settings)
    return run_group(config, MEASURES)


def read(out_dir, name):
    with (out_dir / FOLDER / name).open(newline='') as stream:
        header, *rows = csv.reader(stream)
    return header, {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_headers_are_those_of_the_protocols(out_dir):
    complete(out_dir, '01')
    result = export(out_dir)
    names = [path.name for path in result.exports]
    assert names == [THICKNESS, AREA, VOLUMES, 'README.txt']
    for name, ending in ((THICKNESS, 'thickavg'), (AREA, 'surfavg')):
        regions = [f'{side}_{region}_{ending}' for side in 'LR' for region in REGIONS]
        assert read(out_dir, name)[0] == ['SubjID', *regions, *LAST]
        assert len(regions) == 68
    first = (out_dir / FOLDER / VOLUMES).read_text().splitlines()[0]
    assert first == (
        'SubjID,LLatVent,RLatVent,Lthal,Rthal,Lcaud,Rcaud,Lput,Rput,Lpal,Rpal,Lhippo,Rhippo,'
        'Lamyg,Ramyg,Laccumb,Raccumb,ICV'
    )


def test_values_are_those_of_the_cohort_table(out_dir):
    complete(out_dir, '01')
    export(out_dir)
    thickness, area, volumes = (read(out_dir, n)[1]['sub-01'] for n in (THICKNESS, AREA, VOLUMES))
    assert thickness['L_bankssts_thickavg'] == '1.01'
    assert thickness['R_insula_thickavg'] == '2.35'
    assert area['L_paracentral_surfavg'] == '17.0'
    assert area['R_parahippocampal_surfavg'] == '16.0'
    for table in (thickness, area):
        assert table['LSurfArea'] == '90000.5'
        assert table['RSurfArea'] == '91000.5'
        assert table['ICV'] == '1500000.5'
    numbers = (4, 43, 10, 49, 11, 50, 12, 51, 13, 52, 17, 53, 18, 54, 26, 58)
    cells = ['sub-01', *(f'{100 * number}.25' for number in numbers), '1500000.5']
    assert list(volumes.values()) == cells


def test_mean_of_a_side_is_weighted_by_area(out_dir):
    complete(out_dir, '01')
    export(out_dir)
    # Regions 1 to 35 without 4, n mm2 each of side + n / 100 mm.
    numbers = [n for n in range(1, 36) if n != 4]
    mean = sum(n * n / 100 for n in numbers) / sum(numbers)
    for name in (THICKNESS, AREA):
        row = read(out_dir, name)[1]['sub-01']
        assert float(row['LThickness']) == pytest.approx(1 + mean, abs=1e-6)
        assert float(row['RThickness']) == pytest.approx(2 + mean, abs=1e-6)


def test_missing_values_are_na_and_keep_their_reasons(out_dir):
    complete(out_dir, '01', lacks=(1032,))
    failed = add_tissue(Participant(out_dir, '02'))
    failed.add('structure_volume', None, 'failed', 'no memory')
    failed.add('surface_regions', ATLAS, 'skipped', 'step surfaces failed').write()
    export(out_dir)
    tables_ = {name: read(out_dir, name)[1] for name in (THICKNESS, AREA, VOLUMES)}
    for name in (THICKNESS, AREA):
        row = tables_[name]['sub-01']
        gone = [column for column, cell in row.items() if cell == 'NA']
        assert gone == [f'L_frontalpole_{name[-12:-4].strip("_").lower()}', 'LThickness']
        row = tables_[name]['sub-02']
        assert {cell for column, cell in row.items() if column not in ('SubjID', 'ICV')} == {'NA'}
        assert row['ICV'] == '1500000.5'
    assert list(tables_[VOLUMES]['sub-02'].values()) == ['sub-02', *['NA'] * 16, '1500000.5']
    reasons = read_table(out_dir, 'mriderived_reasons.tsv')
    column = 'surface_regions_desikankilliany_ctx_lh_frontalpole_thickness'
    assert reasons['sub-01'][column] == 'the region is not on the surface'
    assert reasons['sub-02'][column] == 'skipped: step surfaces failed'
    assert reasons['sub-02']['structure_volume_left_caudate_volume'] == 'failed: no memory'


def test_sessions_and_runs(out_dir):
    complete(out_dir, '02', 'b', scale=2.0)
    complete(out_dir, '01', 'b', scale=3.0)
    complete(out_dir, '01', 'a', '2', scale=9.0)
    complete(out_dir, '01', 'a', '1', scale=4.0)
    export(out_dir)
    for name in (THICKNESS, AREA, VOLUMES):
        rows = read(out_dir, name)[1]
        assert list(rows) == ['sub-01_ses-a', 'sub-01_ses-b', 'sub-02_ses-b']
    cells = [row['L_bankssts_surfavg'] for row in read(out_dir, AREA)[1].values()]
    assert cells == ['4.0', '3.0', '2.0']


def test_order_of_columns_does_not_depend_on_the_tables(out_dir, tmp_path):
    headers = set()
    for seed, labels in enumerate((LABELS, LABELS[::-1])):
        folder = tmp_path / f'out{seed}'
        write_description(folder)
        person = complete(folder, '01')
        file = f'{person.stem}_atlas-{ATLAS}_dseg.tsv'
        labels.to_csv(folder / file, sep='\t', index=False, na_rep='n/a')
        person = Participant(folder, '02').add('atlas', ATLAS, outputs=[file])
        person.add('surface_regions', ATLAS, 'failed', 'no memory').write()
        export(folder)
        files = [(folder / FOLDER / name).read_text() for name in (THICKNESS, AREA, VOLUMES)]
        headers.add(tuple(files))
    assert len(headers) == 1


def test_other_atlases_are_not_taken(out_dir):
    person = add_structures(add_tissue(Participant(out_dir, '01')))
    add_surface(person, atlas='Other', scale=7.0)
    add_surface(person).write()
    run_group(make_config(out_dir, export='enigma', atlases=(ATLAS, 'Other')), MEASURES)
    assert read(out_dir, AREA)[1]['sub-01']['L_bankssts_surfavg'] == '1.0'


def test_without_the_atlas_or_a_measure_nothing_is_written(out_dir):
    person = add_tissue(Participant(out_dir, '01'))
    add_surface(person, atlas='Other').write()
    with pytest.raises(NoInputError) as caught:
        export(out_dir)
    assert str(caught.value) == (
        '--export enigma needs surface_regions with the atlas DesikanKilliany, structure_volume, '
        'which no participant was run with: run the participant level with --measures '
        'surface_regions structure_volume --atlases DesikanKilliany first'
    )
    assert not (out_dir / 'phenotype').exists()
    add_structures(person)
    add_surface(person).write()
    assert len(export(out_dir).exports) == 4


def test_export_of_another_cohort_does_not_stay(out_dir):
    complete(out_dir, '01')
    export(out_dir)
    assert json.loads((out_dir / 'logs/group.json').read_text())['exports'][2].endswith(VOLUMES)
    page = write_group_report(out_dir).read_text()
    assert f'href="exports/enigma/{THICKNESS}"' in page
    result = run_group(make_config(out_dir), MEASURES)
    assert result.exports == ()
    assert not list((out_dir / FOLDER).iterdir())
    assert 'exports/enigma' not in write_group_report(out_dir).read_text()


def test_readme_tells_units_and_marks_a_coarse_run(out_dir):
    complete(out_dir, '01')
    export(out_dir)
    text = (out_dir / FOLDER / 'README.txt').read_text()
    assert 'not by FreeSurfer' in text
    assert 'volume and ICV in mm3' in text
    assert "Do not pool these values with FreeSurfer's" in text
    assert SLOPPY_TITLE not in text
    write_description(out_dir, sloppy=True)
    export(out_dir)
    assert (out_dir / FOLDER / 'README.txt').read_text().startswith(SLOPPY_TITLE)


def test_the_validator_does_not_mind(out_dir):
    complete(out_dir, '01')
    export(out_dir)
    # It would, were the folder not hidden from it.
    assert f'/exports/enigma/{VOLUMES}' in judge(out_dir)
    (out_dir / '.bidsignore').write_text(bidsignore())
    assert judge(out_dir) == []
    assert judge(out_dir, strict=True) == []


def judge(out_dir, strict=False):
    result = validate_dataset(out_dir, kind='derivatives', strict=strict)
    found = (issue.location for issue in (*result.errors, *result.warnings))
    return [location for location in found if 'exports' in location]


def test_every_place_is_in_the_label_table_and_the_declarations():
    outputs = {m.name: m.outputs[-1 if m is SURFACES else 0] for m in MEASURES}
    regions = {*LABELS['name'], ''}
    for columns in tables().values():
        for name, place in columns:
            known = {column.name for column in outputs[place.measure].columns}
            assert place.column in known
            assert place.region in regions or name in ('LThickness', 'RThickness')
