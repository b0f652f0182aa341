"""Run a graph node by node, and tell what became of each unit."""

from __future__ import annotations

import logging
import re
import textwrap
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
from nipype.pipeline.plugins.base import PluginBase

from mriderived.interfaces.call import Call
from mriderived.interfaces.draw import Draw

LOGGER = logging.getLogger(__name__)


@dataclass
class UnitResult:
    """What running the nodes of one unit came to."""

    seconds: float = 0.0
    error: str = ''
    traceback: str = ''
    #: The unit whose failure kept this one from running.
    blocked_by: str = ''
    notes: list[str] = field(default_factory=list)


class UnitPlugin(PluginBase):  # type: ignore[misc]
    """Run units one after the other; a failing node stops what depends on it, nothing else.

    Parameters
    ----------
    order
        Names of the units in the order in which they run.
    unit_of
        Tells the unit and whether the node draws a figure from a node's full name.
    started, finished
        Called with a unit's name (and its result) as it starts and ends.
    """

    def __init__(
        self,
        order: Iterable[str],
        unit_of: Callable[[str], tuple[str, bool]],
        started: Callable[[str], None],
        finished: Callable[[str, UnitResult], None],
        *,
        stop_on_first_failure: bool = False,
    ) -> None:
        super().__init__()
        self.order = list(order)
        self.unit_of = unit_of
        self.started = started
        self.finished = finished
        self.stop_on_first_failure = stop_on_first_failure
        self.results: dict[str, UnitResult] = {}

    def run(self, graph: Any, config: Any, updatehash: bool = False) -> None:
        """Execute the graph; called by nipype."""
        by_unit: dict[str, list[Any]] = {name: [] for name in self.order}
        for node in nx.lexicographical_topological_sort(graph, key=lambda node: node.fullname):
            by_unit[self.unit_of(node.fullname)[0]].append(node)
        blocked: dict[Any, str] = {}
        for name, nodes in by_unit.items():
            self.started(name)
            result = self._run_unit(name, nodes, graph, blocked)
            self.results[name] = result
            self.finished(name, result)
            if result.error and self.stop_on_first_failure:
                return

    def _run_unit(
        self, name: str, nodes: list[Any], graph: Any, blocked: dict[Any, str]
    ) -> UnitResult:
        result = UnitResult()
        start = time.perf_counter()
        for node in nodes:
            is_figure = self.unit_of(node.fullname)[1]
            if node in blocked:
                if blocked[node] != name and not is_figure:
                    result.blocked_by = result.blocked_by or blocked[node]
                continue
            try:
                node.run(updatehash=False)
                result.notes += _notes(node)
            except Exception as error:  # the one place where any failure of a unit ends
                reason, details = explain(error)
                LOGGER.debug('%s failed: %s', node.fullname, details)
                if is_figure:
                    LOGGER.warning('The figure %s could not be drawn: %s', node.fullname, reason)
                    result.notes.append(f'A figure could not be drawn: {reason}')
                    continue
                result.error, result.traceback = result.error or reason, details
                blocked.update(dict.fromkeys(_dependants(graph, node), name))
        result.seconds = time.perf_counter() - start
        return result


def _dependants(graph: Any, failed: Any) -> set[Any]:
    """Return the nodes that cannot run without a node; cut it off from those that can.

    A node can where all that it wanted of the failed one has a default: it does without.
    """
    lost = {failed}
    for node in nx.topological_sort(graph.subgraph(nx.descendants(graph, failed))):
        sources = [source for source in graph.predecessors(node) if source in lost]
        wanted = {source: _wanted(graph, source, node) for source in sources}
        required = _required(node)
        if any(required & fields for fields in wanted.values()):
            lost.add(node)
            continue
        for source, fields in wanted.items():
            graph.remove_edge(source, node)
            for field_name in fields:
                node.input_source.pop(field_name, None)
    return lost - {failed}


def _wanted(graph: Any, source: Any, node: Any) -> set[str]:
    return {into for _, into in graph.get_edge_data(source, node)['connect']}


def _required(node: Any) -> set[str]:
    """Return the inputs without which a node cannot run; of foreign interfaces all."""
    if isinstance(node.interface, Call | Draw):
        return set(node.interface.required)
    return set(node.inputs.copyable_trait_names())


def _notes(node: Any) -> list[str]:
    if not node.name.startswith('save_'):
        return []
    return list(node.result.outputs.notes or [])


def explain(error: BaseException) -> tuple[str, str]:
    """Return the reason of a failure in one line, and the traceback."""
    details = ''.join(traceback.format_exception(error))
    inner = str(error).split('Traceback:\n', 1)
    if len(inner) == 2:
        details = textwrap.dedent(inner[1]).strip()
    lines = details.splitlines()
    starts = [i for i, line in enumerate(lines) if re.match(r'[\w.]+(:|$)', line)]
    reason = ' '.join(' '.join(lines[starts[-1] if starts else -1 :]).split())
    name, _, message = reason.partition(': ')
    # Our own errors are written for the user; others need their class to be understood.
    if message and (name.startswith('mriderived.') or name in {'ValueError', 'RuntimeError'}):
        reason = message
    return reason or type(error).__name__, details


def root_causes(results: Mapping[str, UnitResult]) -> dict[str, str]:
    """Return for every unit that did not finish the unit whose own failure caused it."""
    roots = {}
    for name in results:
        root = name
        while results[root].blocked_by and not results[root].error:
            root = results[root].blocked_by
        if results[root].error:
            roots[name] = root
    return roots
