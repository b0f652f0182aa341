"""Whether settings fit the folders, the labels and the names that there are.

Each check returns problems instead of raising, so that all are reported together.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from mriderived.app.backend_checks import check_backend, check_wmh_model
from mriderived.app.exit_codes import ExitCode, Problem
from mriderived.app.group_checks import check_group_options
from mriderived.bids.sidecar import description_faults
from mriderived.bids.status import recorded_participants
from mriderived.config import DEFAULT_MEASURES, Config

#: Folders of a raw dataset that BIDS sets apart for other content.
_SET_APART = ('derivatives', 'code', 'sourcedata')


def check_settings(config: Config) -> list[Problem]:
    """Return what is wrong with the settings, as far as a look at the folders tells."""
    problems = [*_check_bids_dir(config), *_check_out_dir(config), *_check_work_dir(config)]
    problems += check_filter_file(config.bids_filter_file)
    problems += check_backend(config)
    problems += check_wmh_model(config)
    problems += check_group_options(config)
    if config.reads_results:
        problems += _check_results(config)
    elif config.bids_dir.is_dir():
        problems += _check_dataset(config)
    if config.omp_nthreads > config.nprocs:
        problems.append(
            Problem(
                f'--omp-nthreads {config.omp_nthreads} is more than --nprocs {config.nprocs}.',
                'One computation cannot use more than all processors; lower the first.',
            )
        )
    return problems


def _check_bids_dir(config: Config) -> Iterator[Problem]:
    path = config.bids_dir
    if not path.exists():
        yield Problem(
            f'bids_dir {path} does not exist.',
            'Check the path (and the mounts of a container).',
            ExitCode.NO_INPUT,
        )
    elif not path.is_dir():
        yield Problem(
            f'bids_dir {path} is a file.',
            'Give the folder that holds dataset_description.json.',
            ExitCode.NO_INPUT,
        )
    elif not os.access(path, os.R_OK | os.X_OK):
        yield Problem(
            f'bids_dir {path} cannot be read.', 'Ask its owner for permission.', ExitCode.NO_INPUT
        )


def _check_description(bids_dir: Path) -> Iterator[Problem]:
    for fault in description_faults(bids_dir):
        yield Problem(f'{fault}.', 'Correct the dataset.', ExitCode.INVALID_BIDS)


def _check_out_dir(config: Config) -> Iterator[Problem]:
    bids, out = config.bids_dir.resolve(), config.out_dir.resolve()
    if out == bids:
        yield Problem(
            'out_dir is bids_dir.',
            f'Use another folder, such as {config.bids_dir / "derivatives" / "mriderived"}.',
        )
    elif _is_amid_raw_data(out, bids):
        yield Problem(
            f'out_dir {config.out_dir} is inside bids_dir, amid the raw data.',
            f'Use {config.bids_dir / "derivatives" / "mriderived"}.',
        )
    elif _is_foreign(out):
        yield Problem(
            f'out_dir {config.out_dir} holds other things than results of MRIderived.',
            'Use a new or an empty folder.',
            ExitCode.CANNOT_WRITE,
        )
    elif not config.dry_run:
        yield from _check_writable('out_dir', config.out_dir)


def _is_foreign(folder: Path) -> bool:
    """Tell whether a folder is not empty, but holds no dataset and no work of ours."""
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return False
    names = {path.name for path in folder.iterdir() if not path.name.startswith('.')}
    return bool(names - {'work', 'logs'}) and 'dataset_description.json' not in names


def _check_work_dir(config: Config) -> Iterator[Problem]:
    bids, out, work = (
        path.resolve() for path in (config.bids_dir, config.out_dir, config.work_dir)
    )
    if work == out or out.is_relative_to(work) or bids.is_relative_to(work):
        yield Problem(
            f'--work-dir {config.work_dir} holds bids_dir or out_dir.',
            f'Use a folder of its own, such as {config.out_dir / "work"}.',
        )
    elif work.is_relative_to(out):
        return  # what is wrong with out_dir has been said
    elif _is_amid_raw_data(work, bids):
        yield Problem(
            f'--work-dir {config.work_dir} is inside bids_dir.',
            f'Use a folder outside it, such as {config.out_dir / "work"}.',
        )
    elif not config.dry_run:
        yield from _check_writable('--work-dir', config.work_dir)


def _is_amid_raw_data(path: Path, bids: Path) -> bool:
    return path.is_relative_to(bids) and path.relative_to(bids).parts[:1] not in {
        (name,) for name in _SET_APART
    }


def _check_writable(name: str, path: Path) -> Iterator[Problem]:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        yield Problem(
            f'{name} {path} cannot be made: {there} is a file.',
            'Give another path.',
            ExitCode.CANNOT_WRITE,
        )
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Problem(
            f'{name} {path} cannot be written: no permission in {there}.',
            'Give another path, or change the permissions (in a container: mount it for writing).',
            ExitCode.CANNOT_WRITE,
        )


def check_filter_file(path: Path | None) -> Iterator[Problem]:
    """Yield what is wrong with the form of a filter file; its names are judged later."""
    if path is None:
        return
    try:
        content = json.loads(path.read_text('utf-8'))
    except OSError as error:
        yield Problem(
            f'--bids-filter-file {path} cannot be read: {error.strerror}.',
            'Give the path of a JSON file.',
            ExitCode.NO_INPUT,
        )
    except ValueError as error:
        yield Problem(
            f'--bids-filter-file {path} is not valid JSON: {error}.',
            'Correct the file.',
            ExitCode.BAD_DATA,
        )
    else:
        if not isinstance(content, dict) or not all(
            isinstance(item, dict) for item in content.values()
        ):
            yield Problem(
                f'--bids-filter-file {path} does not hold filters.',
                'Write an object of objects, such as {"t1w": {"acquisition": "mprage"}}.',
                ExitCode.BAD_DATA,
            )


def _check_results(config: Config) -> Iterator[Problem]:
    there = recorded_participants(config.out_dir)
    if not there and config.derivatives:
        return  # of others alone; whether they have whom is wanted is seen as they are read
    if not there:
        yield Problem(
            f'out_dir {config.out_dir} holds no results of participants.',
            'Run the participant level first.',
            ExitCode.NO_INPUT,
        )
    else:
        yield from _unmatched('participant with results', config.participant_labels, there)


def _check_dataset(config: Config) -> Iterator[Problem]:
    folders = [path for path in config.bids_dir.glob('sub-*') if path.is_dir()]
    there = [path.name.removeprefix('sub-') for path in folders]
    if not there:
        yield Problem(
            f'There is no sub-* folder in {config.bids_dir}.',
            'Give the root of a BIDS dataset.',
            ExitCode.NO_INPUT,
        )
        return  # most likely another folder; what it lacks besides does not matter
    yield from _check_description(config.bids_dir)
    yield from _unmatched('participant', config.participant_labels, there)
    if config.session_labels:
        sessions = {
            path.name.removeprefix('ses-') for folder in folders for path in folder.glob('ses-*')
        }
        if sessions:
            yield from _unmatched('session', config.session_labels, sessions)
        else:
            yield Problem(
                f'--session-label {" ".join(config.session_labels)}: no participant of '
                f'{config.bids_dir} has a session.',
                'Leave the option out.',
                ExitCode.NO_MATCH,
            )


def _unmatched(kind: str, wanted: Iterable[str], there: Collection[str]) -> Iterator[Problem]:
    for label in wanted:
        if label not in there:
            yield Problem(
                f'There is no {kind} {label!r}.', f'{_suggest(label, there)}', ExitCode.NO_MATCH
            )


def suggest(name: str, names: Collection[str]) -> str:
    """Ask whether a name that resembles ``name`` was meant, if there is one."""
    close = difflib.get_close_matches(name, names, n=3)
    return f'Did you mean {" or ".join(close)}?' if close else ''


def _suggest(name: str, names: Collection[str]) -> str:
    """Return the names that resemble ``name``, or all if they are few."""
    close = suggest(name, names)
    if close:
        return close
    known = sorted(names)
    more = f' and {len(known) - 20} more' if len(known) > 20 else ''
    return f'Known: {", ".join(known[:20])}{more}.'


def check_measures(
    config: Config,
    selectable: Collection[str],
    steps: Collection[str],
    opt_in: Collection[str] = (),
) -> list[Problem]:
    """Return the measures asked for that do not exist or cannot be chosen.

    Those of ``opt_in`` are selectable, but run only where they are named.
    """
    problems = []
    for flag, names in (
        ('--measures', [name for name in config.measures if name != DEFAULT_MEASURES]),
        ('--skip-measures', config.skip_measures),
    ):
        for name in names:
            if name in steps:
                problems.append(
                    Problem(
                        f'{flag} {name} is a step of the preprocessing.', 'It runs when needed.'
                    )
                )
            elif name not in selectable:
                problems.append(
                    Problem(
                        f'{flag} {name}: there is no such measure.', _suggest(name, selectable)
                    )
                )
    if not problems and not _wanted(config, selectable, opt_in):
        problems.append(Problem('No measure is left to run.', 'Skip fewer.'))
    return problems


def _wanted(config: Config, selectable: Collection[str], opt_in: Collection[str]) -> set[str]:
    wanted = set(config.measures) - {DEFAULT_MEASURES}
    if config.asks_for_default:
        wanted |= set(selectable) - set(opt_in)
    return wanted - set(config.skip_measures)
