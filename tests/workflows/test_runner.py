"""A graph of four units: one fails, one depends on it, two do not."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nipype.pipeline import engine as pe

from mriderived.interfaces.call import Call
from mriderived.workflows.runner import UnitPlugin, UnitResult, explain, root_causes


class Number(NamedTuple):
    value: int


def add(value: int, amount: int = 1) -> Number:
    return Number(value + amount)


def divide(value: int) -> Number:
    return Number(value // 0)


def graph(base_dir: Path) -> Any:
    workflow = pe.Workflow('sub_01_wf', base_dir=str(base_dir))
    parts = {}
    for name, function in (('a', add), ('b', divide), ('c', add), ('d', add)):
        part = pe.Workflow(name)
        part.add_nodes([pe.Node(Call(function), name='node')])
        parts[name] = part
        workflow.add_nodes([part])
    for name in 'abd':
        parts[name].get_node('node').inputs.value = 1
    workflow.connect(parts['b'], 'node.value', parts['c'], 'node.value')
    workflow.add_nodes([pe.Node(Call(divide, value=1), name='a_draw_picture')])
    return workflow


def run(
    base_dir: Path, *, stop: bool = False, workflow: Any = None
) -> tuple[dict[str, UnitResult], list[str]]:
    events: list[str] = []

    def unit_of(fullname: str) -> tuple[str, bool]:
        name, _, figure = fullname.split('.')[1].partition('_draw_')
        return name, bool(figure)

    plugin = UnitPlugin(
        'abcd',
        unit_of,
        lambda name: events.append(f'+{name}'),
        lambda name, result: events.append(f'-{name}'),
        stop_on_first_failure=stop,
    )
    (workflow or graph(base_dir)).run(plugin=plugin)
    return plugin.results, events


def test_one_failure_stops_only_what_depends_on_it(tmp_path: Path) -> None:
    results, events = run(tmp_path)
    assert events == ['+a', '-a', '+b', '-b', '+c', '-c', '+d', '-d']
    assert not results['a'].error
    assert 'ZeroDivisionError' in results['b'].error
    assert 'divide' in results['b'].traceback
    assert results['c'].blocked_by == 'b'
    assert not results['c'].error
    assert not results['d'].error
    assert not results['d'].blocked_by
    assert root_causes(results) == {'b': 'b', 'c': 'b'}


def test_what_has_a_default_is_done_without_when_it_fails(tmp_path: Path) -> None:
    workflow = graph(tmp_path)
    units = {name: workflow.get_node(name) for name in 'bcd'}
    workflow.connect(units['b'], 'node.value', units['d'], 'node.amount')
    results, _ = run(tmp_path, workflow=workflow)
    assert results['b'].error
    assert results['c'].blocked_by == 'b'
    assert not results['d'].error
    assert not results['d'].blocked_by
    (node,) = [path for path in tmp_path.rglob('result_node.pklz') if path.parts[-3] == 'd']
    assert node.stat().st_size > 0


def test_a_figure_that_fails_is_a_note_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    results, _ = run(tmp_path)
    assert 'The figure sub_01_wf.a_draw_picture could not be drawn: ZeroDivision' in caplog.text
    assert len(results['a'].notes) == 1
    assert 'could not be drawn' in results['a'].notes[0]


def test_stop_on_first_failure(tmp_path: Path) -> None:
    _, events = run(tmp_path, stop=True)
    assert events == ['+a', '-a', '+b', '-b']


def test_reasons_are_one_line_and_ours_come_without_their_class() -> None:
    try:
        raise ValueError('sub-01_T1w.nii.gz is constant.\nReplace it.')
    except ValueError as error:
        assert explain(error)[0] == 'sub-01_T1w.nii.gz is constant. Replace it.'
    try:
        raise KeyError('x')
    except KeyError as error:
        assert explain(error)[0] == "KeyError: 'x'"
