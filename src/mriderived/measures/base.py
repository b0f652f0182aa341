"""What a measure is: needs, outputs, figures and a workflow, declared once as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from inspect import signature
from typing import Any, Literal

from mriderived.config import Config

#: In names of outputs: the suffix of the raw image, such as MESE, where results of several kinds
#: of images lie in one folder.
COLLECTION = 'COLLECTION'

#: One instance of a measure per image, per image and atlas, or per image and space.
Over = Literal['image', 'atlas', 'space']


@dataclass(frozen=True)
class Column:
    """A column of a table: what it holds, in which unit, and what readers call it.

    The unit is ``1`` for pure numbers and empty for text. The title goes to the reports and, as
    ``LongName``, to the dictionaries; without one, the name stands in.
    """

    name: str
    description: str
    unit: str = '1'
    title: str = ''


@dataclass(frozen=True)
class Output:
    """One file that a measure writes, and everything that is derived from knowing it.

    The file is named after its source image plus ``entities`` plus, for measures over atlases
    or spaces, the entities of that atlas or space. Other measures ask for it by ``field``.
    """

    field: str
    datatype: str
    suffix: str
    description: str
    extension: str = '.nii.gz'
    entities: Mapping[str, str] = dataclass_field(default_factory=dict)
    unit: str | None = None
    sidecar: Mapping[str, Any] = dataclass_field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    #: Where rows are regions, the columns that become one number per region in the cohort table.
    #: Tables without an ``index`` column have one row, and every column goes to the cohort table.
    cohort_columns: tuple[str, ...] = ()
    #: Whether its numbers go to the cohort table; series and matrices do not.
    in_cohort: bool = True
    draft: str | None = None
    #: What readers call it, where the measure has several outputs.
    title: str = ''
    regions: bool = False
    #: A map of another grid than the spaces', which is wanted in these as well.
    in_spaces: bool = False
    #: Rows are the structures of the brain (``spaces.structures``), whatever the atlases are.
    has_structures: bool = False
    #: The tissues of an atlas in which the map has a meaning; empty: all.
    tissues: tuple[str, ...] = ()
    #: Voxels of the map that are 0 have no value.
    is_zero_missing: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture of the participant report.

    ``draw`` takes the ``needs`` as keyword arguments (paths), and what else it has parameters for
    (None by default) where that is offered. It returns matplotlib figures: one is shown as it is,
    two are shown as a flicker of before and after.
    """

    name: str
    draw: Callable[..., list[Any]]
    needs: tuple[str, ...]
    title: str
    caption: str
    section: Literal['brain', 'tissue', 'registration', 'atlas', 'measure', 'quality'] = 'measure'

    @property
    def optional(self) -> tuple[str, ...]:
        """What it shows where it is offered, and does without elsewhere."""
        parameters = signature(self.draw).parameters.values()
        names = (parameter.name for parameter in parameters if parameter.default is None)
        return tuple(name for name in names if name not in self.needs)


@dataclass(frozen=True)
class Scope:
    """On which of the images of its kind a measure runs, and what its results depend on beside.

    ``tasks``: on runs of these, whose events count then; empty: on all. ``key`` tells apart what
    the settings of a folder do not, such as models. ``family`` names all measures of which it is
    one, for ``--measures``.
    """

    tasks: tuple[str, ...] = ()
    is_multi_echo: bool = False
    #: Of a diffusion series: shells of at least six directions, and directions of the fullest one.
    least_shells: int = 0
    least_directions: int = 0
    #: Shells of larger b-values (s/mm²) do not count; 0: all do.
    largest_b: float = 0.0
    #: Whether it needs volumes without diffusion weighting.
    needs_unweighted: bool = False
    #: Whether the T1w image that it leans on has to be of the same session.
    is_of_t1w_session: bool = False
    #: Of quantitative MRI: suffixes of the collections; empty: all.
    collections: tuple[str, ...] = ()
    #: Images (settings) that the model takes at least.
    least_images: int = 0
    #: Whether it needs phase images, or a map of the transmit field.
    needs_phase: bool = False
    needs_transmit_field: bool = False
    #: Says why what goes with an image does not do for the model, or nothing.
    obstacle: Callable[[Mapping[str, Any]], str] | None = None
    #: Images with a longer edge of their voxels, in mm, do not do; 0: all do.
    largest_voxel: float = 0.0
    key: str = ''
    family: str = ''

    def describe(self) -> str:
        """Say which images these are, as in 'there is no ...'."""
        if self.collections:
            return f'collection {" or ".join(self.collections)}'
        words = ['multi-echo'] if self.is_multi_echo else []
        return ' '.join([*words, 'run', *(['of ' + ' or '.join(self.tasks)] * bool(self.tasks))])


@dataclass(frozen=True)
class Measure:
    """A unit of work: it runs for every image for which all of ``needs`` are offered.

    ``needs`` and the fields of ``outputs`` are names of resources. ``init_wf`` builds a nipype
    workflow whose ``inputnode`` has the fields of ``needs`` and ``optional``, and whose
    ``outputnode`` has the fields of ``outputs``. A measure with ``is_preprocessing`` always runs
    and is not selectable.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    outputs: tuple[Output, ...]
    init_wf: Callable[[Config], Any]
    reference: str
    #: A sentence or two for the methods text, in the past tense, with its references.
    methods: str
    over: Over = 'image'
    #: The atlas whose regions it needs, where it is not over atlases.
    atlas: str = ''
    #: Where it is over atlases: it needs a region of one of these tissues.
    atlas_tissues: tuple[str, ...] = ()
    #: The kind of the raw images that it runs on: a suffix, or ``qmri`` for collections of
    #: quantitative MRI. Other kinds than T1w may need what is offered for the T1w image of their
    #: session, too.
    source: str = 'T1w'
    #: What it uses where it is offered, and does without elsewhere.
    optional: tuple[str, ...] = ()
    is_preprocessing: bool = False
    #: Runs only where ``--measures`` names it; ``default`` does not stand for it.
    is_opt_in: bool = False
    #: On which images of ``source`` it runs.
    scope: Scope = Scope()
    figures: tuple[Figure, ...] = ()
    #: Rough cost at 1 mm on two cores, for ``--dry-run``.
    minutes: float = 0.1
    memory_gb: float = 1.0

    def output(self, name: str) -> Output:
        """Return the output with that field name."""
        return next(output for output in self.outputs if output.field == name)
