"""Every measure, in the order in which it runs and stands in tables and reports."""

from mriderived.measures.alff import ALFF
from mriderived.measures.b1 import B1
from mriderived.measures.base import Measure
from mriderived.measures.bold_quality import BOLD_QUALITY
from mriderived.measures.bundle_profiles import BUNDLE_PROFILES
from mriderived.measures.connectivity import CONNECTIVITY
from mriderived.measures.connectome import CONNECTOME
from mriderived.measures.csd import CSD
from mriderived.measures.denoised_space import DENOISED_IN_SPACE
from mriderived.measures.diffusion_gradient import DIFFUSION_GRADIENT
from mriderived.measures.dwi_quality import DWI_QUALITY
from mriderived.measures.dwi_space import DWI_IN_SPACE
from mriderived.measures.free_water import FREE_WATER
from mriderived.measures.fsaverage_thickness import FSAVERAGE_THICKNESS
from mriderived.measures.irt1 import IRT1
from mriderived.measures.kurtosis import KURTOSIS
from mriderived.measures.landmarks import LANDMARKS
from mriderived.measures.megre import MEGRE
from mriderived.measures.mp2rage import MP2RAGE
from mriderived.measures.mpm import MPM
from mriderived.measures.mpm_mtsat import MPM_MTSAT
from mriderived.measures.mpm_r2star import MPM_R2STAR
from mriderived.measures.mtr import MTR
from mriderived.measures.myelin_water import MYELIN_WATER
from mriderived.measures.noddi import NODDI
from mriderived.measures.perivascular_spaces import PERIVASCULAR_SPACES
from mriderived.measures.perivascular_spaces_contrast import PERIVASCULAR_SPACES_CONTRAST
from mriderived.measures.perivascular_spaces_t2w import PERIVASCULAR_SPACES_T2W
from mriderived.measures.regional_volume import REGIONAL_VOLUME
from mriderived.measures.reho import REHO
from mriderived.measures.seed_map import SEED_MAP
from mriderived.measures.seed_maps import SEED_MAPS
from mriderived.measures.skeleton import SKELETON
from mriderived.measures.structure_volume import STRUCTURE_VOLUME
from mriderived.measures.surface_regions import SURFACE_REGIONS
from mriderived.measures.t1w_quality import T1W_QUALITY
from mriderived.measures.t1w_t2w import T1W_T2W
from mriderived.measures.t1w_t2w_surface import T1W_T2W_SURFACE, T1W_T2W_SURFACE_REGIONS
from mriderived.measures.t2 import T2
from mriderived.measures.t2star import T2STAR
from mriderived.measures.tensor import TENSOR
from mriderived.measures.thickness import THICKNESS
from mriderived.measures.thickness_laplace import THICKNESS_LAPLACE
from mriderived.measures.tissue_volume import TISSUE_VOLUME
from mriderived.measures.tractography import TRACTOGRAPHY
from mriderived.measures.tsnr import TSNR
from mriderived.measures.vbm import VBM
from mriderived.measures.vfa import VFA
from mriderived.measures.wmh import WMH
from mriderived.measures.wmh_t1w import WMH_T1W
from mriderived.measures.wmti import WMTI

MEASURES: tuple[Measure, ...] = (
    TISSUE_VOLUME,
    STRUCTURE_VOLUME,
    REGIONAL_VOLUME,
    THICKNESS,
    SURFACE_REGIONS,
    FSAVERAGE_THICKNESS,
    THICKNESS_LAPLACE,
    VBM,
    LANDMARKS,
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
    TENSOR,
    FREE_WATER,
    KURTOSIS,
    WMTI,
    NODDI,
    CSD,
    TRACTOGRAPHY,
    CONNECTOME,
    DIFFUSION_GRADIENT,
    SKELETON,
    BUNDLE_PROFILES,
    DWI_QUALITY,
    DWI_IN_SPACE,
    T1W_T2W,
    T1W_T2W_SURFACE,
    T1W_T2W_SURFACE_REGIONS,
    WMH,
    WMH_T1W,
    B1,
    T2,
    MYELIN_WATER,
    MEGRE,
    VFA,
    MP2RAGE,
    IRT1,
    MPM,
    MPM_R2STAR,
    MPM_MTSAT,
    MTR,
    PERIVASCULAR_SPACES,
    PERIVASCULAR_SPACES_T2W,
    PERIVASCULAR_SPACES_CONTRAST,
)
