"""What the group level did, in sentences that name their sources, as far as it was done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mriderived import __version__
from mriderived.config import Config
from mriderived.group.chapters import Chapter
from mriderived.group.columns import snake
from mriderived.group.model_files import Model, read_models
from mriderived.group.outliers import FEWEST_OF_SITE
from mriderived.group.small_samples import MANY, OF_MEASURES, OF_VALUES, THRESHOLD

_ERRORS = {
    'classical': 'ordinary least squares',
    'robust': 'ordinary least squares with standard errors that hold for unequal variances '
    '(HC3; MacKinnon and White 1985, doi:10.1016/0304-4076(85)90158-7)',
    'mixed': 'a linear mixed model with a random intercept per participant (restricted '
    'likelihood; Seabold and Perktold 2010, doi:10.25080/Majora-92bf1922-011)',
}
_CORRECTIONS = {
    'fdr': 'the false discovery rate (Benjamini and Hochberg 1995, '
    'doi:10.1111/j.2517-6161.1995.tb02031.x)',
    'holm': 'the family-wise error rate (Holm 1979, https://www.jstor.org/stable/4615733)',
    'bonferroni': 'the family-wise error rate (Bonferroni)',
}
_LEARNERS = {
    'linear': 'ridge or logistic regression',
    'svm': 'a support vector machine with radial basis functions',
    'boosting': 'gradient boosting of trees',
}
_COMBAT = (
    'ComBat (Johnson et al. 2007, doi:10.1093/biostatistics/kxj037; Fortin et al. 2018, '
    'doi:10.1016/j.neuroimage.2017.11.024)'
)


def write_texts(config: Config, chapters: Sequence[Chapter], site_column: str = '') -> list[str]:
    """Return paragraphs on what these settings did; what was refused is not in them."""
    done = {
        chapter.key for chapter in chapters if chapter.header and (chapter.rows or chapter.files)
    }
    parts = (
        _quality(site_column),
        _exclusion(config, done),
        _harmonisation(config, done),
        *_regions(config, done),
        *_maps(config, done),
        _prediction(config, done),
        _norms(config, done),
        _connectivity(done),
    )
    return [part for part in parts if part]


def _asked(texts: Sequence[str], kind: str, done: set[str]) -> list[Model]:
    if not any(key.startswith(f'{kind}-') for key in done):
        return []
    return [model for model in read_models(texts) if f'{kind}-{snake(model.name)}' in done]


def _list(models: Sequence[Model]) -> str:
    return ' and '.join(model.formula for model in models)


def _quality(site_column: str) -> str:
    within = f' of the same {site_column} (of all, where it has fewer than {FEWEST_OF_SITE})' if site_column else ''  # noqa: E501  # fmt: skip
    return (
        f'Tables of the cohort were made with MRIderived {__version__}. A value counted as an '
        f'outlier where it was more than {THRESHOLD} times 1.4826 median absolute deviations from '
        f'the median{within} (Leys et al. 2013, doi:10.1016/j.jesp.2013.03.013), a distance '
        f'that was widened for few values: of normally distributed ones, {OF_VALUES:.2%} stand '
        f'apart by chance, or one value in {1 / OF_MEASURES:.0f} measures of fewer than {MANY} '
        'values (Davies and Gather 1993, doi:10.1080/01621459.1993.10476339).'
    )


def _exclusion(config: Config, done: set[str]) -> str:
    if 'exclusions' not in done:
        return ''
    rules = ' or '.join([*config.exclude, *(['by ratings of images'] if config.ratings else [])])
    return f'Participants were left out of statistics where {rules}.'


def _harmonisation(config: Config, done: set[str]) -> str:
    models = _asked(config.harmonise, 'sites', done)
    if not models:
        return ''
    return f'Differences between sites were taken off tables of regions by {_COMBAT}: {_list(models)}.'  # noqa: E501  # fmt: skip


def _regions(config: Config, done: set[str]) -> Iterator[str]:
    models = _asked(config.models, 'model', done)
    for errors in dict.fromkeys(model.errors for model in models):
        mine = [model for model in models if model.errors == errors]
        corrections = dict.fromkeys(_CORRECTIONS[model.correction] for model in mine)
        yield (
            f'Regions were modelled by {_ERRORS[errors]}: {_list(mine)}. Two-sided p-values were '
            f'corrected over regions for {" or ".join(corrections)}.'
        )


def _maps(config: Config, done: set[str]) -> Iterator[str]:
    models = _asked(config.map_models, 'maps', done)
    if not models:
        return
    blur = f' of maps smoothed by {config.smoothing:g} mm' if config.smoothing else ''
    yield f'Voxels{blur} were modelled by ordinary least squares: {_list(models)}.'
    if config.permutations:
        yield (
            'Family-wise error was controlled by the distribution of the largest statistic over '
            f'{config.permutations} permutations of residuals (Freedman and Lane 1983, '
            'doi:10.2307/1391660; Winkler et al. 2014, doi:10.1016/j.neuroimage.2014.01.060), of '
            't and of t after threshold-free cluster enhancement (Smith and Nichols 2009, '
            'doi:10.1016/j.neuroimage.2008.03.061); small p-values are of a generalised Pareto '
            'law of the tail where it fitted (Winkler et al. 2016, '
            'doi:10.1016/j.neuroimage.2016.05.068).'
        )
    else:
        yield ('p-values of voxels were not corrected for their number, for want of permutations.')


def _prediction(config: Config, done: set[str]) -> str:
    models = _asked(config.predict, 'predict', done)
    if not models:
        return ''
    sites = config.sites or any(model.harmonised or config.use_harmonised for model in models)
    even = f', harmonisation by {_COMBAT}' if sites and not config.folds_by_site else ''
    whole = 'sites' if config.folds_by_site else 'participants'
    tangent = any('tangent' in model.terms for model in models)
    text = (
        f'Out-of-sample predictions ({_list(models)}) were by {_LEARNERS[config.learner]} '
        '(Pedregosa et al. 2011, https://www.jmlr.org/papers/v12/pedregosa11a.html) in nested '
        f'cross-validation over whole {whole}; filling, scaling{even} and the choice of strength '
        'were learned from training participants alone. Gaps are without their dependence on the '
        'true value, as estimated in training (de Lange and Cole 2020, '
        'doi:10.1016/j.nicl.2020.102229). Importance is the pattern of each feature (Haufe et al. '
        '2014, doi:10.1016/j.neuroimage.2013.10.067).'
    )
    if tangent:
        text += (
            ' Covariances were brought to the tangent space of the mean of training participants '
            '(Varoquaux et al. 2010, doi:10.1007/978-3-642-15705-9_25).'
        )
    if config.permutations:
        text += f' p is the share of {config.permutations} permutations that score as well.'
    return text


def _norms(config: Config, done: set[str]) -> str:
    models = _asked(config.norms, 'norms', done)
    if not models:
        return ''
    who = f' of those with {config.norms_reference}' if config.norms_reference else ''
    return (
        f'Norms{who} ({_list(models)}) are of mean and log-variance, fitted by restricted '
        'likelihood (Smyth 2002, doi:10.1198/106186002871), along the first number in B-splines; '
        'z and centiles are out of sample (ten folds).'
    )


def _connectivity(done: set[str]) -> str:
    parts = []
    if 'motion-connectivity' in done:
        parts.append(
            'Edges were correlated with motion (QC-FC; Ciric et al. 2017, '
            'doi:10.1016/j.neuroimage.2017.03.020).'
        )
    if 'tangent' in done:
        parts.append(
            'Covariances were brought to the tangent space of their mean (Varoquaux et al. 2010, '
            'doi:10.1007/978-3-642-15705-9_25).'
        )
    if 'components' in done:
        parts.append(
            'Components of the group are by CanICA (Varoquaux et al. 2010, '
            'doi:10.1016/j.neuroimage.2010.02.010) and dual regression (Nickerson et al. 2017, '
            'doi:10.3389/fnins.2017.00115).'
        )
    return ' '.join(parts)
