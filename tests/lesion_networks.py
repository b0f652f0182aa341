"""Networks for hyperintensities that need no learning: what is bright is a lesion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

#: Halfway from white matter to the lesions of ``flair_phantom`` (contrast 0.6), in standard
#: deviations of its brain.
LEVEL = 1.49


class Bright(torch.nn.Module):
    """Evidence, or its probability, by how far intensity lies above a level."""

    def __init__(self, level: float = LEVEL, is_sure: bool = True) -> None:
        super().__init__()
        self.level, self.is_sure = level, is_sure

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        evidence = 8.0 * (x[:, :1] - self.level)
        return torch.sigmoid(evidence) if self.is_sure else evidence


class TwoClasses(torch.nn.Module):
    """The same as evidence of two classes, healthy and lesion."""

    def __init__(self, level: float = LEVEL) -> None:
        super().__init__()
        self.level = level

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        evidence = 8.0 * (x[:, :1] - self.level)
        return torch.cat([torch.zeros_like(evidence), evidence], dim=1)


class Product(torch.nn.Module):
    """Bright in the first channel and not dark in the second."""

    def __init__(self, level: float = LEVEL) -> None:
        super().__init__()
        self.level = level

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(8.0 * (x[:, :1] - self.level)) * torch.sigmoid(8.0 * x[:, 1:])


def write_lesion_network(path: Path, module: torch.nn.Module, **said: Any) -> Path:
    """Store a network, and what is said of it beside it."""
    torch.jit.script(module.eval()).save(str(path))
    if said:
        path.with_suffix('.json').write_text(json.dumps(said))
    return path
