"""The settings of one run: a frozen dataclass, written as TOML to ``logs/`` and read back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from mriderived import __version__

Level = Literal['participant', 'group']
SkullStrip = Literal['auto', 'skip', 'force']
Device = Literal['auto', 'cpu', 'cuda']
#: What keeps regions from having numbers: suspected lesions and given masks, masks alone, nothing.
Lesions = Literal['auto', 'mask', 'ignore']
#: How tissues are found and spaces reached; only the first needs no downloaded weights.
AnatBackend = Literal['builtin', 'deepmriprep']
#: What brings the T1w/T2w ratio of all scanners to one scale; see ``core.ratio``.
RatioCalibration = Literal['none', 'eyes-muscle', 'csf-wm']
#: What is taken off BOLD; see ``core.strategies``. With ``+scrub``, volumes are censored too.
Denoising = Literal[
    'auto', 'auto+scrub', '6P', '6P+scrub', '8P', '8P+scrub', '9P', '9P+scrub', '24P', '24P+scrub',
    '24P+GSR', '24P+GSR+scrub', '24P+aCompCor', '24P+aCompCor+scrub', '24P+aCompCor50',
    '24P+aCompCor50+scrub', '36P', '36P+scrub',
]  # fmt: skip
#: What the amplitude of low-frequency fluctuations is; see ``core.alff``.
AlffDefinition = Literal['amplitude', 'deviation']
#: Of how many voxels ReHo is: those that share a face, an edge or a corner with one, and itself.
RehoNeighbours = Literal['27', '19', '7']
#: How streamlines choose the next direction: drawn from the distribution of fibres, or its
#: largest within reach.
TrackingAlgorithm = Literal['probabilistic', 'deterministic']
#: In which form of others the group level writes its tables as well.
Export = Literal['none', 'enigma']

#: Whose results ``--derivatives`` reads.
Readable = Literal['freesurfer', 'mriqc', 'fmriprep', 'xcp_d', 'qsirecon']

#: More forms of the cohort table; the wide one as TSV is always written.
TableForm = Literal['long', 'parquet', 'long-parquet']

#: What learns to predict; see ``group.prediction``.
Learner = Literal['linear', 'svm', 'boosting']

#: Among the names of ``measures``: all that run when none is named.
DEFAULT_MEASURES = 'default'

#: Settings that change a number. A folder of outputs holds results of one set of these only;
#: measures, atlases and spaces are additive and may grow in the same folder.
DECISIVE = ('skull_strip', 'anat_backend', 'lesions', 'wmh_model', 't1t2_calibration',
            'denoising', 'frequency_band', 'alff_definition', 'reho_neighbours', 'use_syn_sdc',
            'fix_gradients', 'tracking_algorithm', 'tracking_seeds', 'random_seed', 'sloppy',
            'bids_filter_file')  # fmt: skip

#: What a coarse run says of itself, in the reports and in every dictionary and sidecar.
SLOPPY_TITLE = 'Coarse run: not for research'
SLOPPY_TEXT = (
    'Made with --sloppy, which trades accuracy for speed in tests. Do not use the numbers.'
)

#: Memory in GiB that is set aside for one participant: twice what was measured at 1 mm (see
#: docs/validation.md), for images that are finer or larger. No measure may declare more.
PARTICIPANT_GB = 5.0
#: The same with networks of the whole brain at 0.75 mm: an estimate, not measured.
NETWORKS_GB = 12.0


@dataclass(frozen=True)
class Config:
    """Everything that a run needs to know; see ``docs/usage.md`` for each setting."""

    bids_dir: Path
    out_dir: Path
    work_dir: Path
    level: Level = 'participant'
    participant_labels: tuple[str, ...] = ()
    session_labels: tuple[str, ...] = ()
    bids_filter_file: Path | None = None
    measures: tuple[str, ...] = ()
    skip_measures: tuple[str, ...] = ()
    atlases: tuple[str, ...] = ('DesikanKilliany', 'Schaefer200')
    output_spaces: tuple[str, ...] = ('MNI152NLin2009cAsym',)
    skull_strip: SkullStrip = 'auto'
    anat_backend: AnatBackend = 'builtin'
    lesions: Lesions = 'auto'
    #: A network that finds white-matter hyperintensities; see ``interfaces.lesion_model``.
    wmh_model: Path | None = None
    t1t2_calibration: RatioCalibration = 'none'
    denoising: Denoising = 'auto'
    #: Of BOLD, in Hz: the lowest and the highest frequency.
    frequency_band: str = '0.01-0.1'
    alff_definition: AlffDefinition = 'amplitude'
    reho_neighbours: RehoNeighbours = '27'
    #: A BIDS Stats Model: what to measure on runs with events.
    task_model: Path | None = None
    use_syn_sdc: bool = False
    #: Take the gradient table whose fibres run on best, where that is another one.
    fix_gradients: bool = False
    tracking_algorithm: TrackingAlgorithm = 'probabilistic'
    #: Places where streamlines begin.
    tracking_seeds: int = 500_000
    device: Device = 'auto'
    export: Export = 'none'
    #: At the group level, of denoised runs in a space; 0 for none.
    ica_components: int = 0
    #: At the group level, connectivity in tangent space.
    tangent: bool = False
    #: At the group level, results of others for the cohort table: name=folder.
    derivatives: tuple[str, ...] = ()
    #: At the group level: the cohort table in more forms.
    tables: tuple[str, ...] = ()
    #: At the group level: a table of the measures with what the dataset says of participants.
    join_covariates: bool = False
    #: At the group level: formulas, or YAML files of models.
    models: tuple[str, ...] = ()
    #: Sites whose differences are taken off, and what is kept: 'site ~ age + C(sex)'.
    harmonise: tuple[str, ...] = ()
    #: Models and norms see values that --harmonise made; predictions harmonise in training.
    use_harmonised: bool = False
    #: Columns to predict, and from what: 'age ~ thickness + area'.
    predict: tuple[str, ...] = ()
    #: What to find norms of, and by what: 'thickness ~ age + C(sex)'.
    norms: tuple[str, ...] = ()
    #: Who draws the curves of norms: one comparison on a column; empty for everybody.
    norms_reference: str = ''
    #: Comparisons on a column: whom statistics leave out.
    exclude: tuple[str, ...] = ()
    #: Ratings of images, from the participants' reports.
    ratings: Path | None = None
    learner: Learner = 'linear'
    #: The column of sites that predictions harmonise within training; empty for none.
    sites: str = ''
    #: Folds of predictions hold whole sites.
    folds_by_site: bool = False
    #: The same as models of maps, voxel by voxel.
    map_models: tuple[str, ...] = ()
    #: Of voxel-wise models; 0 for none.
    permutations: int = 0
    #: Full width at half maximum in mm of the smoothing of maps, before a voxel-wise model.
    smoothing: float = 0.0
    #: The address of a Dask scheduler for permutations, or local; empty for threads.
    dask_scheduler: str = ''
    random_seed: int = 42
    sloppy: bool = False
    nprocs: int = 1
    omp_nthreads: int = 1
    mem_gb: float = 4.0
    stop_on_first_failure: bool = False
    skip_bids_validation: bool = False
    write_graph: bool = False
    clean_workdir: bool = False
    reports_only: bool = False
    dry_run: bool = False
    verbose: int = 0

    @property
    def hash(self) -> str:
        """Fingerprint of the version and of the settings that change a number."""
        text = json.dumps([__version__, self.decisive], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def band(self) -> tuple[float, float]:
        """The lowest and the highest frequency of BOLD, in Hz."""
        low, high = self.frequency_band.split('-')
        return float(low), float(high)

    @property
    def reads_results(self) -> bool:
        """Whether the run only reads what the participant level has put into ``out_dir``."""
        return self.level == 'group' or self.reports_only

    @property
    def asks_for_default(self) -> bool:
        """Whether all measures run that need not be named."""
        return not self.measures or DEFAULT_MEASURES in self.measures

    @property
    def participant_gb(self) -> float:
        """Memory in GiB that is set aside for one participant."""
        return participant_gb(self.anat_backend, has_network=self.wmh_model is not None)

    @property
    def decisive(self) -> dict[str, Any]:
        """The settings that change a number; of files what they hold, not how or where."""
        settings = {name: getattr(self, name) for name in DECISIVE}
        if self.wmh_model is not None:
            files = (self.wmh_model, self.wmh_model.with_suffix('.json'))
            there = (_digest(file, file.stat().st_mtime_ns) for file in files if file.is_file())
            settings['wmh_model'] = ' '.join(there)
        if self.bids_filter_file is not None:
            settings['bids_filter_file'] = json.loads(self.bids_filter_file.read_text('utf-8'))
        return settings

    def to_json(self) -> dict[str, Any]:
        """Return the settings as values of JSON; unset ones are left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in values.items()
            if value is not None
        }

    def to_toml(self) -> str:
        """Return the settings as TOML; unset ones are left out."""
        lines = [f'version = {json.dumps(__version__)}']
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                lines.append(f'{field.name} = {_toml(value)}')
        return '\n'.join(lines) + '\n'


def participant_gb(backend: AnatBackend, *, has_network: bool = False) -> float:
    """Return the memory in GiB that is set aside for one participant with a backend.

    ``has_network``: whether there is another network beside it.
    """
    return NETWORKS_GB if backend == 'deepmriprep' or has_network else PARTICIPANT_GB


@lru_cache
def _digest(path: Path, changed: int) -> str:
    """Return the SHA-256 of a file, read once for as long as it has not ``changed``."""
    del changed
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _toml(value: object) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, tuple):
        return '[' + ', '.join(_toml(item) for item in value) + ']'
    # JSON would write a letter outside the first plane as two halves, which TOML refuses.
    return json.dumps(str(value), ensure_ascii=False)


def read_config(path: Path) -> dict[str, Any]:
    """Read settings from a TOML file, typed as the fields of :class:`Config`.

    Raises
    ------
    ValueError
        If the file is not TOML or holds unknown settings or values; the message names them.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding='utf-8'))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not valid TOML: {error}') from error
    raw.pop('version', None)
    known = {field.name: str(field.type) for field in fields(Config)}
    faults = [f'{name} is not a setting' for name in sorted(set(raw) - set(known))]
    settings = {}
    for name in raw.keys() & known.keys():
        try:
            settings[name] = _typed(name, raw[name], known[name])
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError(f'{path}: {"; ".join(sorted(faults))}')
    return settings


_CHOICES: dict[str, tuple[str, ...]] = {
    'Level': get_args(Level),
    'SkullStrip': get_args(SkullStrip),
    'AnatBackend': get_args(AnatBackend),
    'Lesions': get_args(Lesions),
    'RatioCalibration': get_args(RatioCalibration),
    'Denoising': get_args(Denoising),
    'AlffDefinition': get_args(AlffDefinition),
    'RehoNeighbours': get_args(RehoNeighbours),
    'TrackingAlgorithm': get_args(TrackingAlgorithm),
    'Device': get_args(Device),
    'Export': get_args(Export),
}
_SCALARS: dict[str, tuple[type, ...]] = {'int': (int,), 'float': (int, float), 'bool': (bool,)}


def _typed(name: str, value: object, kind: str) -> object:
    wrong = ValueError(f'{name} cannot be {value!r}')
    if kind in _SCALARS:
        if not isinstance(value, _SCALARS[kind]) or (isinstance(value, bool) and kind != 'bool'):
            raise wrong
        return float(value) if kind == 'float' else value  # type: ignore[arg-type]
    if kind.startswith('tuple'):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise wrong
        return tuple(value)
    if not isinstance(value, str) or (kind in _CHOICES and value not in _CHOICES[kind]):
        raise wrong
    return Path(value) if kind.startswith('Path') else value


def replace(config: Config, **changes: Any) -> Config:
    """Return a copy of ``config`` with some settings changed."""
    return dataclasses.replace(config, **changes)
