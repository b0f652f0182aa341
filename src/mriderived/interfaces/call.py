"""Turn a typed Python function into a nipype interface."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, get_type_hints

from nipype.interfaces.base import (
    BaseInterface,
    DynamicTraitedSpec,
    File,
    isdefined,
    traits,
)


@lru_cache
def _signature(function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, Any], type]:
    hints = get_type_hints(function)
    result = hints.pop('return')
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return hints, defaults, result


class Call(BaseInterface):  # type: ignore[misc]
    """Run ``function`` as a node.

    Parameters annotated ``Path`` become existing files, hashed by content; the others are plain
    values. ``Path | None = None`` is an optional file. The fields of the ``NamedTuple`` that the
    function returns are the outputs. The function is pickled by reference, so it must stand at
    the top level of a module. It runs in the node's own folder and may write there.
    """

    input_spec = DynamicTraitedSpec
    output_spec = DynamicTraitedSpec

    def __init__(self, function: Callable[..., Any], **inputs: Any) -> None:
        super().__init__()
        self.function = function
        hints, defaults, _ = _signature(function)
        for name, hint in hints.items():
            optional_path = hint == (Path | None)
            is_path = hint is Path or optional_path
            self.inputs.add_trait(name, File(exists=True) if is_path else traits.Any)
            if name in defaults and not optional_path:
                self.inputs.trait_setq(**{name: defaults[name]})
        self.inputs.trait_setq(**{name: str(v) if isinstance(v, Path) else v
                                  for name, v in inputs.items()})  # fmt: skip
        #: Names of the inputs that have no default.
        self.required = tuple(name for name in hints if name not in defaults)

    def _outputs(self) -> Any:
        outputs = DynamicTraitedSpec()
        for name in _signature(self.function)[2]._fields:  # type: ignore[attr-defined]
            outputs.add_trait(name, traits.Any)
        return outputs

    def _run_interface(self, runtime: Any) -> Any:
        hints, _, _ = _signature(self.function)
        arguments = {name: getattr(self.inputs, name) for name in hints}
        missing = [name for name in self.required if not isdefined(arguments[name])]
        if missing:
            raise ValueError(f'{self.function.__name__} got no value for {", ".join(missing)}')
        arguments = {
            name: Path(value)
            if Path in getattr(hints[name], '__args__', (hints[name],))
            else value
            for name, value in arguments.items()
            if isdefined(value)
        }
        result = self.function(**arguments)
        self._result = {
            name: str(value.absolute()) if isinstance(value, Path) else value
            for name, value in result._asdict().items()
        }
        return runtime

    def _list_outputs(self) -> dict[str, Any]:
        return dict(self._result)
