"""Load TorchScript networks and run them, with errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mriderived.interfaces.network_weights import SOURCE, WeightsError, weights_folder

if TYPE_CHECKING:
    import torch


#: What to do about a file of deepmriprep that does not load.
COPY = f'copy it again from {SOURCE}'


class Network:
    """A network on a device: one of deepmriprep's by its name, or any by its path."""

    def __init__(self, name: str | Path, device: torch.device, remedy: str = COPY) -> None:
        import torch

        self.path = name if isinstance(name, Path) else weights_folder() / name
        self.device = device
        if not self.path.is_file():
            raise WeightsError(f'{self.path} is missing; {remedy.replace("it again", "it")}')
        try:
            module: torch.jit.ScriptModule = torch.jit.load(  # type: ignore[no-untyped-call]
                str(self.path), map_location=device
            )
        except (RuntimeError, ValueError) as error:
            raise WeightsError(
                f'{self.path} holds no network that torch can load; {remedy}'
            ) from error
        self._module = module.eval()

    def __call__(self, volumes: torch.Tensor, *channels: int) -> tuple[torch.Tensor, ...]:
        """Run on volumes of shape (channel, x, y, z).

        Returns one tensor per number in ``channels``, with that many channels on the same grid.
        """
        import torch

        try:
            result = self._module(volumes[None].to(self.device))
        except RuntimeError as error:
            raise WeightsError(
                f'{self.path} failed on an input of shape {tuple(volumes.shape)}: {error}'
            ) from error
        outputs = result if isinstance(result, tuple | list) else (result,)
        wanted = [(1, number, *volumes.shape[1:]) for number in channels]
        found = [tuple(output.shape) for output in outputs]
        if found != wanted:
            raise WeightsError(
                f'{self.path} is another network: its output has the shape '
                f'{_say(found)}, not {_say(wanted)}'
            )
        if not all(bool(torch.isfinite(output).all()) for output in outputs):
            raise WeightsError(f'{self.path} gave values that are not finite')
        return tuple(output[0].float().cpu() for output in outputs)


def _say(shapes: list[tuple[int, ...]]) -> str:
    return ' and '.join(' × '.join(map(str, shape)) for shape in shapes)


@contextmanager
def inference(threads: int) -> Iterator[None]:
    """Run networks without gradients on a number of threads, and give back what was set."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
