"""NODDI: voxels per second and the error under noise, with and without the last steps.

    python benchmarks/noddi.py [--voxels 20000] [--snr 30] [--threads 2]

Signals of random tissue along random axes, with Rician noise: 9 volumes at b = 0, 24 at 700 and 48
at 2000 s/mm2.
"""

from __future__ import annotations

import argparse
import time

import numpy as np


def spread(count: int) -> np.ndarray:
    """Return directions that are spread over half the sphere."""
    z = (np.arange(count) + 0.5) / count
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--voxels', type=int, default=20000)
    parser.add_argument('--snr', type=float, default=30.0)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()

    from mriderived.core.gradient_table import make_gradients
    from mriderived.core.noddi import fit_noddi
    from mriderived.core.noddi_model import make_protocol, simulate

    rng = np.random.default_rng(0)
    count = options.voxels
    b = np.repeat([0.0, 700.0, 2000.0], [9, 24, 48])
    gradients = make_gradients(b, np.vstack([np.zeros((9, 3)), spread(24), spread(48)]))
    truth = {
        'icvf': rng.uniform(0.2, 0.9, count),
        'od': rng.uniform(0.05, 0.8, count),
        'isovf': rng.uniform(0, 0.5, count),
    }
    axes = rng.normal(size=(count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    protocol = make_protocol(gradients.b, gradients.directions)
    clean = simulate(protocol, *truth.values(), axes)
    clean[:, gradients.shell == 0] = 1
    noise = rng.normal(size=(2, *clean.shape)) / options.snr
    signals = np.hypot(clean + noise[0], noise[1]).astype(np.float32)
    leaning = axes + 0.1 * rng.normal(size=axes.shape)
    fit_noddi(signals[:4], gradients, leaning[:4])  # compile first

    print(f'{count} voxels, SNR {options.snr:g}, {options.threads} threads')
    for title, refined in (('convex problem', False), ('and refined', True)):
        start = time.perf_counter()
        found = fit_noddi(signals, gradients, leaning, refined=refined, threads=options.threads)
        seconds = time.perf_counter() - start
        known = np.isfinite(found.icvf)
        errors = ', '.join(
            f'{name} {np.sqrt(np.mean((getattr(found, name) - value)[known] ** 2)):.3f}'
            for name, value in truth.items()
        )
        print(f'{title:15} {count / seconds:8.0f} voxels/s   RMS error {errors}')


if __name__ == '__main__':
    main()
