"""Every measure, in the order in which it runs and stands in tables and reports."""

from mriderived.measures.alff import ALFF
from mriderived.measures.base import Measure
from mriderived.measures.bold_quality import BOLD_QUALITY
from mriderived.measures.connectivity import CONNECTIVITY
from mriderived.measures.denoised_space import DENOISED_IN_SPACE
from mriderived.measures.fsaverage_thickness import FSAVERAGE_THICKNESS
from mriderived.measures.regional_volume import REGIONAL_VOLUME
from mriderived.measures.reho import REHO
from mriderived.measures.seed_map import SEED_MAP
from mriderived.measures.seed_maps import SEED_MAPS
from mriderived.measures.structure_volume import STRUCTURE_VOLUME
from mriderived.measures.surface_regions import SURFACE_REGIONS
from mriderived.measures.t1w_quality import T1W_QUALITY
from mriderived.measures.t2star import T2STAR
from mriderived.measures.thickness import THICKNESS
from mriderived.measures.thickness_laplace import THICKNESS_LAPLACE
from mriderived.measures.tissue_volume import TISSUE_VOLUME
from mriderived.measures.tsnr import TSNR
from mriderived.measures.vbm import VBM

MEASURES: tuple[Measure, ...] = (
    TISSUE_VOLUME,
    STRUCTURE_VOLUME,
    REGIONAL_VOLUME,
    THICKNESS,
    SURFACE_REGIONS,
    FSAVERAGE_THICKNESS,
    THICKNESS_LAPLACE,
    VBM,
    T1W_QUALITY,
    TSNR,
    ALFF,
    REHO,
    CONNECTIVITY,
    SEED_MAP,
    SEED_MAPS,
    BOLD_QUALITY,
    DENOISED_IN_SPACE,
    T2STAR,
)
