"""Networks with the inputs and outputs of deepmriprep's that need no learning."""

from __future__ import annotations

from pathlib import Path

import torch

from mriderived.interfaces.network_weights import FILES, NO_GREY, PATCHES, WARP, WHOLE


class Levels(torch.nn.Module):
    """Reads the label from the scaled intensity: 1 CSF, 2 grey matter, 3 white matter."""

    def __init__(self, csf: float = 0.15, gm: float = 0.65, wm: float = 0.95) -> None:
        super().__init__()
        self.csf, self.gm, self.wm = csf, gm, wm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lower = ((x - self.csf) / (self.gm - self.csf)).clamp(0.0, 1.0)
        upper = ((x - self.gm) / (self.wm - self.gm)).clamp(0.0, 1.0)
        return 1 + lower + upper


class PatchLevels(torch.nn.Module):
    """Reads the label from the intensities of a patch and checks the guess that comes along."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = Levels()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        label = self.levels(x[:, :1])
        return torch.where((label - x[:, 1:]).abs() > 2.5, torch.zeros_like(label), label)


class NoGrey(torch.nn.Module):
    """Finds grey matter everywhere (``evidence`` below 0) or nowhere (above)."""

    def __init__(self, evidence: float = -9.0) -> None:
        super().__init__()
        self.evidence = evidence

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.zeros_like(x), torch.full_like(x, self.evidence)], dim=1)


class Shift(torch.nn.Module):
    """Moves everything by twice ``x``, in torch's units of the first axis."""

    def __init__(self, x: float = 0.0) -> None:
        super().__init__()
        self.x = x

    def forward(self, pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        velocity = torch.zeros_like(pair[:, :3])
        velocity[:, 2] = self.x
        return velocity, -velocity


class Constant(torch.nn.Module):
    """Gives a value in some shape, whatever comes in."""

    def __init__(self, value: float, channels: int, step: int = 1) -> None:
        super().__init__()
        self.value, self.channels, self.step = value, channels, step

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = x[:, :1, :: self.step]
        return torch.full_like(shape, self.value).repeat(1, self.channels, 1, 1, 1)


def save_network(path: Path, module: torch.nn.Module) -> None:
    """Write a network as deepmriprep's are stored."""
    torch.jit.script(module.eval()).save(str(path))


def write_fakes(folder: Path, shift: float = 0.0) -> Path:
    """Write a file of every name."""
    folder.mkdir(parents=True, exist_ok=True)
    save_network(folder / WHOLE, Levels())
    for name in PATCHES:
        save_network(folder / name, PatchLevels())
    save_network(folder / NO_GREY, NoGrey())
    save_network(folder / WARP, Shift(shift))
    assert {path.name for path in folder.iterdir()} == set(FILES)
    return folder
