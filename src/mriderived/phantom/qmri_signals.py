"""The images of every collection of quantitative MRI, from their forward models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mriderived.core.epg import echo_train
from mriderived.core.mp2rage_signal import Protocol, simulate
from mriderived.core.variable_flip_angle import spoiled_signal
from mriderived.phantom.qmri_tissue import Substance

Volume = NDArray[np.float32]

MESE_SPACING, MESE_ECHOES = 0.01, 32
MEGRE_TIMES = tuple(0.004 + 0.005 * echo for echo in range(8))
VFA_ANGLES, VFA_TIME = (3.0, 10.0, 20.0), 0.015
IR_TIMES, IR_PERIOD = (0.05, 0.4, 1.1, 2.5), 10.0
MP2RAGE = Protocol(5.0, (0.7, 2.5), (4.0, 5.0), 0.007, 80, 80)
#: Weighting, flip angle in degrees, repetition time in s, pulse of transfer, echoes.
#: No published protocol: signals are spoiled perfectly, and are not to be corrected.
MPM = (('PDw', 6.0, 0.027, False, 6), ('T1w', 21.0, 0.027, False, 6), ('MTw', 6.0, 0.027, True, 6))
MPM_TIMES = tuple(0.0023 * (echo + 1) for echo in range(6))
#: T2 of the water of myelin, in s.
MYELIN_T2 = 0.02
#: How the saturation of a pulse of transfer depends on the field beyond its square.
DEPENDENCE = 0.4
#: Off-resonance across the head, in Hz.
FIELD_HZ = 40.0


class Scan(NamedTuple):
    """One image: its entities, metadata, the acquisition that it is of, and its complex signal."""

    entities: Mapping[str, str]
    metadata: Mapping[str, Any]
    acquisition: int
    signal: Callable[[Substance, Volume], NDArray[Any]]


def list_scans(suffix: str, myelin: bool = False) -> list[Scan]:
    """Return the images of a collection."""
    return {
        'MESE': lambda: _spin_echoes(myelin), 'MEGRE': _gradient_echoes, 'VFA': _flip_angles,
        'IRT1': _inversions, 'MP2RAGE': _mp2rage, 'MPM': _multi_parameter, 'MTS': _saturation,
        'MTR': _ratio,
    }[suffix]()  # fmt: skip


def reference_of(suffix: str) -> int:
    """Return the acquisition in which the head lies as in the truth."""
    return len(IR_TIMES) - 1 if suffix == 'IRT1' else 0


def _spin_echoes(myelin: bool) -> list[Scan]:
    def train(substance: Substance, transmit: Volume) -> Any:
        angles = 180 * transmit
        long = echo_train(substance.t2, angles, MESE_SPACING, MESE_ECHOES)
        if not myelin:
            return substance.pd[..., None] * long
        short = echo_train(MYELIN_T2, angles, MESE_SPACING, MESE_ECHOES)
        share = substance.mwf[..., None] / 100
        return substance.pd[..., None] * (share * short + (1 - share) * long)

    #: The last head and field, and their train, so that it is computed once for all echoes.
    last: list[Any] = []

    def one_of(echo: int) -> Any:
        def signal(substance: Substance, transmit: Volume) -> Any:
            if not (last and last[0] is substance and last[1] is transmit):
                last[:] = [substance, transmit, train(substance, transmit)]
            return last[2][..., echo]

        return signal

    return [
        Scan(
            {'echo': str(echo + 1)},
            {'EchoTime': round(MESE_SPACING * (echo + 1), 6), 'FlipAngle': 90,
             'RepetitionTime': 3.0},
            0,
            one_of(echo),
        )
        for echo in range(MESE_ECHOES)
    ]  # fmt: skip


def _gradient_echoes() -> list[Scan]:
    def at(time: float) -> Any:
        def signal(substance: Substance, transmit: Volume) -> Any:
            # the field that dephases follows that of transmission, so that it is smooth
            hertz = FIELD_HZ * (transmit - 1) / 0.2
            kept = np.ones_like(hertz)
            for axis in np.flatnonzero(np.array(hertz.shape) > 1):
                kept = kept * np.sinc(np.gradient(hertz, axis=int(axis)) * time)
            decay = np.exp(-time / substance.t2star + 2j * np.pi * hertz * time)
            return substance.pd * kept * decay

        return signal

    return [
        Scan({'echo': str(n + 1)}, {'EchoTime': time, 'FlipAngle': 15,
                                    'RepetitionTimeExcitation': 0.05}, 0, at(time))
        for n, time in enumerate(MEGRE_TIMES)
    ]  # fmt: skip


def _flip_angles() -> list[Scan]:
    def at(angle: float) -> Any:
        def signal(substance: Substance, transmit: Volume) -> Any:
            return substance.pd * spoiled_signal(substance.t1, angle * transmit, VFA_TIME)

        return signal

    return [
        Scan({'flip': str(n + 1)}, {'FlipAngle': angle, 'EchoTime': 0.003,
                                    'RepetitionTimeExcitation': VFA_TIME}, n, at(angle))
        for n, angle in enumerate(VFA_ANGLES)
    ]  # fmt: skip


def _inversions() -> list[Scan]:
    def at(time: float) -> Any:
        def signal(substance: Substance, transmit: Volume) -> Any:
            return substance.pd * (
                1 - 2 * np.exp(-time / substance.t1) + np.exp(-IR_PERIOD / substance.t1)
            )

        return signal

    return [
        Scan({'inv': str(n + 1)}, {'InversionTime': time, 'RepetitionTimeExcitation': IR_PERIOD},
             n, at(time))
        for n, time in enumerate(IR_TIMES)
    ]  # fmt: skip


def _mp2rage() -> list[Scan]:
    def at(which: int) -> Any:
        def signal(substance: Substance, transmit: Volume) -> Any:
            times = np.maximum(substance.t1, 0.05)
            return substance.pd * simulate(times, MP2RAGE, transmit)[which]

        return signal

    return [
        Scan(
            {'inv': str(n + 1)},
            {
                'InversionTime': MP2RAGE.inversion_times[n],
                'FlipAngle': MP2RAGE.flip_angles[n],
                'RepetitionTimeExcitation': MP2RAGE.echo_spacing,
                'RepetitionTimePreparation': MP2RAGE.repetition_time,
                'NumberShots': [MP2RAGE.before, MP2RAGE.after],
            },
            0,
            at(n),
        )
        for n in range(2)
    ]


def weighted_signal(
    substance: Substance, transmit: Volume, angle: float, period: float, has_pulse: bool
) -> NDArray[np.float64]:
    """Return a spoiled gradient echo at no echo time, with or without pulses of transfer."""
    if not has_pulse:
        return substance.pd * spoiled_signal(substance.t1, angle * transmit, period)
    beyond = (1 - DEPENDENCE * transmit) / (1 - DEPENDENCE)
    left = 1 - substance.mtsat / 100 * transmit**2 * beyond
    turn, decay = np.radians(angle * transmit), np.exp(-period / np.maximum(substance.t1, 0.05))
    share = (1 - decay) / (1 - decay * left * np.cos(turn))
    return np.asarray(substance.pd * np.sin(turn) * left * share, np.float64)


def _multi_parameter() -> list[Scan]:
    return [
        Scan(
            {
                'acq': name, 'echo': str(echo + 1), 'flip': '2' if angle > 10 else '1',
                'mt': 'on' if pulse else 'off',
            },
            {
                'FlipAngle': angle, 'RepetitionTimeExcitation': period, 'MTState': pulse,
                'EchoTime': round(MPM_TIMES[echo], 6),
            },
            number,
            _weighted(angle, period, pulse, MPM_TIMES[echo]),
        )
        for number, (name, angle, period, pulse, echoes) in enumerate(MPM)
        for echo in range(echoes)
    ]  # fmt: skip


def _weighted(angle: float, period: float, pulse: bool, time: float) -> Any:
    def signal(substance: Substance, transmit: Volume) -> Any:
        signals = weighted_signal(substance, transmit, angle, period, pulse)
        return signals * np.exp(-time / substance.t2star)

    return signal


def _saturation() -> list[Scan]:
    return [
        Scan(
            {'flip': '2' if angle > 10 else '1', 'mt': 'on' if pulse else 'off'},
            {'FlipAngle': angle, 'RepetitionTimeExcitation': period, 'MTState': pulse},
            number,
            _weighted(angle, period, pulse, 0.0),
        )
        for number, (_, angle, period, pulse, _) in enumerate(MPM)
    ]


def _ratio() -> list[Scan]:
    return [
        Scan({'mt': 'on' if pulse else 'off'},
             {'MTState': pulse, 'FlipAngle': 6.0, 'RepetitionTimeExcitation': 0.025},
             number, _weighted(6.0, 0.025, pulse, 0.0))
        for number, pulse in enumerate((False, True))
    ]  # fmt: skip
