"""What is told from the names of regions."""

from pathlib import Path

import pytest

from mriderived.spaces import UnavailableError
from mriderived.spaces.labels import find_hemisphere, find_tissue, read_table, strip_side


@pytest.mark.parametrize(
    ('name', 'hemisphere', 'bare'),
    [
        ('Left-Hippocampus', 'L', 'Hippocampus'),
        ('ctx-rh-insula', 'R', 'ctx-insula'),
        ('ctx_lh_G_cuneus', 'L', 'ctx_G_cuneus'),
        ('17Networks_RH_VisCent_1', 'R', '17Networks_VisCent_1'),
        ('TL hippocampus R', 'R', 'TL hippocampus'),
        ('left pulvinar', 'L', 'pulvinar'),
        ('Brain-Stem', 'both', 'Brain-Stem'),
        ('Leftover lobule', 'both', 'Leftover lobule'),
        ('Vermis VI', 'both', 'Vermis VI'),
    ],
)
def test_sides(name: str, hemisphere: str, bare: str) -> None:
    assert find_hemisphere(name) == hemisphere
    assert strip_side(name) == bare


@pytest.mark.parametrize(
    ('name', 'tissue'),
    [
        ('Left Hippocampus', 'subcortex'),
        ('Left Parahippocampal gyrus', 'cortex'),
        ('TL parahippocampal and ambient gyrus L', 'cortex'),
        ('Left-Cerebellum-White-Matter', 'white'),
        ('Left-Cerebellum-Cortex', 'cerebellum'),
        ('Left Posterior Thalamic Radiation', 'white'),
        ('Left Cingulum and Hippocampus', 'white'),
        ('Left-Inf-Lat-Vent', 'csf'),
        ('Left CA2/CA3', 'subcortex'),
        ('Right Pons', 'brainstem'),
        ('Left Superior temporal gyrus', 'cortex'),
    ],
)
def test_tissues(name: str, tissue: str) -> None:
    assert find_tissue({'name': name}) == tissue


def test_a_bare_table_is_completed(tmp_path: Path) -> None:
    path = tmp_path / 'table.tsv'
    path.write_text('index\tname\tcolor\n0\tbackground\tx\n3\tLeft Amygdala\tx\n4\tNone\tx\n')
    table = read_table(path)
    assert table['index'].tolist() == [3, 4]
    assert table.loc[0].tolist() == [3, 'Left Amygdala', 'L', 'subcortex', 'gm', 'n/a']
    assert table.loc[1, 'name'] == 'None'


def test_a_table_without_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'table.tsv'
    path.write_text('index\tregion\n1\tx\n')
    with pytest.raises(UnavailableError, match=r'table\.tsv .* needs the columns index, name'):
        read_table(path)
