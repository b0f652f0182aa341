from pathlib import Path
from typing import NamedTuple

import pytest
from nipype.pipeline import engine as pe

from mriderived.interfaces.call import Call


class Doubled(NamedTuple):
    out: Path
    length: int


RUNS: list[str] = []


def double(source: Path, times: int = 2, mask: Path | None = None) -> Doubled:
    RUNS.append(source.name)
    text = source.read_text() * times + (mask.read_text() if mask else '')
    out = Path('doubled.txt')
    out.write_text(text)
    return Doubled(out, len(text))


def run(base_dir: Path, source: Path, **inputs: object) -> dict[str, object]:
    workflow = pe.Workflow('wf', base_dir=str(base_dir))
    workflow.config = {'execution': {'hash_method': 'content', 'create_report': 'false'}}
    first = pe.Node(Call(double, source=source, **inputs), name='first')
    second = pe.Node(Call(double), name='second')
    workflow.connect([(first, second, [('out', 'source')])])
    graph = workflow.run()
    return next(node.result.outputs for node in graph.nodes if node.name == 'second').get()


def test_outputs_are_the_fields_of_the_named_tuple(tmp_path: Path) -> None:
    source = tmp_path / 'a.txt'
    source.write_text('x')
    outputs = run(tmp_path / 'work', source)
    assert Path(str(outputs['out'])).read_text() == 'xxxx'
    assert outputs['length'] == 4


def test_an_optional_file_is_used_when_given(tmp_path: Path) -> None:
    source, mask = tmp_path / 'a.txt', tmp_path / 'm.txt'
    source.write_text('x')
    mask.write_text('m')
    assert run(tmp_path / 'work', source, mask=mask)['length'] == 6


def test_a_second_run_computes_nothing_and_a_changed_file_everything(tmp_path: Path) -> None:
    source = tmp_path / 'a.txt'
    source.write_text('x')
    run(tmp_path / 'work', source)
    RUNS.clear()
    run(tmp_path / 'work', source)
    assert RUNS == []
    source.write_text('yy')
    assert run(tmp_path / 'work', source)['length'] == 8
    assert RUNS == ['a.txt', 'doubled.txt']


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r'nowhere\.txt'):
        Call(double, source=tmp_path / 'nowhere.txt')


def test_a_missing_value_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='double got no value for source'):
        Call(double).run()
