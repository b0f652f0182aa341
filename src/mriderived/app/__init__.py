"""From a command line to a finished run: settings, checks, processes, progress, exit code."""
