"""The settings that earlier runs left behind."""

import logging

from mriderived.app.recorded import planned_units
from mriderived.config import Config


def leave(out_dir, name, **settings):
    config = Config(out_dir / 'raw', out_dir, out_dir / 'work', **settings)
    (out_dir / 'logs').mkdir(exist_ok=True)
    (out_dir / 'logs' / f'{name}.toml').write_text(config.to_toml())


def test_units_of_all_participant_runs(tmp_path):
    leave(tmp_path, 'a', measures=('regional_volume',), atlases=('AAL3', 'SUIT'))
    leave(tmp_path, 'b', measures=('tissue_volume', 'regional_volume'), atlases=('AAL3',))
    leave(tmp_path, 'c', level='group', atlases=('Hammers',))
    assert planned_units(tmp_path) == (
        ('regional_volume', 'AAL3'),
        ('regional_volume', 'SUIT'),
        ('tissue_volume', None),
    )


def test_only_tables_of_what_was_asked_for_have_columns(tmp_path):
    leave(tmp_path, 'a')
    assert {name for name, _ in planned_units(tmp_path)} == {
        'surfaces', 'tissue_volume', 'structure_volume', 'regional_volume', 'thickness',
        'thickness_regions', 'surface_regions', 't1w_quality', 'landmarks',
    }  # fmt: skip


def test_measures_that_ran_only_where_named_have_columns_then(tmp_path):
    leave(tmp_path, 'a', measures=('default', 'thickness_laplace_regions'), atlases=('AAL3',))
    found = planned_units(tmp_path)
    assert ('thickness_laplace_regions', 'AAL3') in found
    assert ('tissue_volume', None) in found


def test_unreadable_settings_are_told(tmp_path, caplog):
    leave(tmp_path, 'a', measures=('tissue_volume',))
    (tmp_path / 'logs' / 'b.toml').write_text('atlases = "AAL3"\n')
    with caplog.at_level(logging.WARNING):
        assert planned_units(tmp_path) == (('tissue_volume', None),)
    assert 'b.toml' in caplog.text and 'atlases cannot be' in caplog.text


def test_no_run_no_units(tmp_path):
    assert planned_units(tmp_path) == ()
