"""Draw the figures of a measure as SVG files for the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from nipype.interfaces.base import (
    BaseInterface,
    DynamicTraitedSpec,
    File,
    TraitedSpec,
    isdefined,
    traits,
)

from mriderived.figures.style import save_svg


class _Drawn(TraitedSpec):  # type: ignore[misc]
    out_files = traits.List(traits.Str)


class Draw(BaseInterface):  # type: ignore[misc]
    """Call ``draw`` with its needs as paths and save each figure it returns.

    Pictures of an earlier run do not stay: neither beside an error, nor where ``draw`` now
    returns fewer figures.
    """

    input_spec = DynamicTraitedSpec
    output_spec = _Drawn

    def __init__(
        self,
        draw: Callable[..., list[Any]],
        needs: Sequence[str],
        out_files: Sequence[str],
        optional: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.draw = draw
        self.required = tuple(needs)
        self.needs = (*needs, *optional)
        self.out_files = tuple(out_files)
        for name in self.needs:
            self.inputs.add_trait(name, File(exists=True))

    def _run_interface(self, runtime: Any) -> Any:
        values = {name: getattr(self.inputs, name) for name in self.needs}
        _remove(self.out_files)
        try:
            figures = self.draw(
                **{name: Path(value) for name, value in values.items() if isdefined(value)}
            )
            # Fewer are fine, as not every figure has a reference picture; more have no name.
            names = self.out_files[: len(figures)]
            for figure, out_file in zip(figures, names, strict=True):
                path = Path(out_file)
                path.parent.mkdir(parents=True, exist_ok=True)
                save_svg(figure, path)
        except Exception:
            _remove(self.out_files)  # half of a pair would be taken for the whole figure
            raise
        return runtime

    def _list_outputs(self) -> dict[str, Any]:
        return {'out_files': [name for name in self.out_files if Path(name).exists()]}


def _remove(files: Iterable[str]) -> None:
    for name in files:
        Path(name).unlink(missing_ok=True)
