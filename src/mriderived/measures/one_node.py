"""The workflow of measures and steps whose work is one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from nipype.interfaces import utility as niu
from nipype.pipeline import engine as pe

from mriderived.interfaces.call import Call


def one_node_wf(
    function: Callable[..., Any],
    needs: Sequence[str],
    names: Mapping[str, str] | None = None,
    node_name: str = '',
    **settings: Any,
) -> Any:
    """Return a workflow that passes its needs to ``function`` and offers what it returns.

    ``needs`` are the parameters that come from other units; ``settings`` the others. A need
    under another name than the parameter is written ``need=parameter``; ``names`` gives the
    fields of the result other names. The node is called as the function if not by
    ``node_name``.
    """
    pairs = [(need.split('=')[0], need.split('=')[-1]) for need in needs]
    fields = get_type_hints(function)['return']._fields
    offered = [(field, (names or {}).get(field, field)) for field in fields]
    workflow = pe.Workflow(name=f'{function.__name__}_wf')
    inputnode = pe.Node(niu.IdentityInterface([need for need, _ in pairs]), name='inputnode')
    outputnode = pe.Node(niu.IdentityInterface([name for _, name in offered]), name='outputnode')
    node = pe.Node(Call(function, **settings), name=node_name or function.__name__)
    workflow.connect([
        (inputnode, node, pairs),
        (node, outputnode, offered),
    ])  # fmt: skip
    return workflow
