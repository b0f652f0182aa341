"""The log of a run: everything in ``logs/<run>.log``, what matters on the terminal.

Standard library only: libraries add their handlers at import unless they find one.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import time
import uuid
from pathlib import Path
from typing import TextIO

from mriderived.config import Config

_FORMAT = '%(asctime)s %(levelname)-7s %(name)s: %(message)s'
#: Tells child processes where the log of the run is.
_VARIABLE = 'MRIDERIVED_LOG'
_QUIET = logging.WARNING


class _TerminalHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stderr`` is at the time: a live display puts itself in between."""

    def __init__(self, level: int) -> None:
        logging.Handler.__init__(self, level)
        self.setFormatter(logging.Formatter('%(levelname)s: %(message)s'))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The current standard error."""
        return sys.stderr


class _EarlyHandler(logging.handlers.MemoryHandler):
    """Keeps what is said before the run has a log: a run that is refused writes none."""

    def __init__(self) -> None:
        super().__init__(capacity=sys.maxsize, flushLevel=sys.maxsize, flushOnClose=False)


def name_run() -> str:
    """Return a name for this run, sorted by time and different for runs of the same second."""
    return f'{time.strftime("%Y%m%d-%H%M%S")}_{uuid.uuid4().hex[:8]}'


def start_log(config: Config, run: str) -> Path:
    """Write the settings of the run to ``logs/`` and open its log; return the log's path."""
    folder = config.out_dir / 'logs'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{run}.toml').write_text(config.to_toml(), encoding='utf-8')
    log_file = folder / f'{run}.log'
    os.environ[_VARIABLE] = f'{config.verbose}:{log_file}'
    _hand_over(_add_file(log_file, config.verbose))
    return log_file


def show_log(verbose: int) -> None:
    """Show our own warnings on the terminal; -v our steps, -vv everything libraries say."""
    _show_terminal(verbose)
    _configure(_EarlyHandler(), verbose)


def _show_terminal(verbose: int) -> None:
    level = {0: _QUIET, 1: logging.INFO}.get(verbose, logging.DEBUG)
    terminal = _TerminalHandler(level)
    if verbose < 2:
        terminal.addFilter(logging.Filter('mriderived'))
    _configure(terminal, verbose)
    _keep_off_terminal(logging.getLogger('nipype'))
    logging.captureWarnings(True)


def follow_log() -> None:
    """In a child process: write to the log of the run that started it.

    Without -v nothing goes to the terminal, where the parent may have a live display.
    """
    verbose, _, log_file = os.environ.get(_VARIABLE, '0:').partition(':')
    if int(verbose):
        _show_terminal(int(verbose))
    _keep_off_terminal(logging.getLogger('nipype'))
    logging.captureWarnings(True)
    if log_file:
        _add_file(Path(log_file), int(verbose))


def stop_log() -> None:
    """Close all handlers, so that a second run in this process starts anew."""
    os.environ.pop(_VARIABLE, None)
    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, _TerminalHandler | _EarlyHandler | logging.FileHandler):
            logging.getLogger().removeHandler(handler)
            handler.close()
    logging.captureWarnings(False)


def _hand_over(log: logging.Handler) -> None:
    """Put what was kept so far into the log, and keep no more."""
    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, _EarlyHandler):
            handler.setTarget(log)
            handler.flush()
            logging.getLogger().removeHandler(handler)
            handler.close()


def _add_file(log_file: Path, verbose: int) -> logging.Handler:
    handler = logging.FileHandler(log_file, encoding='utf-8')
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    _configure(handler, verbose)
    return handler


def _keep_off_terminal(library: logging.Logger) -> None:
    """Remove what a library has added at import; what is there keeps it from adding more."""
    for handler in list(library.handlers):
        library.removeHandler(handler)
    library.addHandler(logging.NullHandler())


def _configure(handler: logging.Handler, verbose: int) -> None:
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
