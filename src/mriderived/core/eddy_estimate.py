"""How motion and eddy currents are found: b = 0 first, then shell after shell."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mriderived.core.eddy_contrast import remove_feigned
from mriderived.core.eddy_doubt import put_back, take_usual
from mriderived.core.eddy_head import Positions, follow_head
from mriderived.core.eddy_levels import Fitted, Level, Pose, prepare_levels
from mriderived.core.eddy_outliers import Shell, find_outliers, replace_slices
from mriderived.core.eddy_prediction import weigh_mean
from mriderived.core.eddy_rounds import (
    Rounds,
    average_rounds,
    judge_poses,
    observe_all,
    predict_rounds,
    start_rounds,
)
from mriderived.core.eddy_shells import align_shell, follow_shell
from mriderived.core.eddy_stack import predict_volume, stack_volumes
from mriderived.core.eddy_terms import EddyMotion
from mriderived.core.eddy_transfer import Transfer, prepare_transfer
from mriderived.core.filters import box_mean
from mriderived.core.gradient_table import Gradients
from mriderived.core.masks import find_bright
from mriderived.core.motion_reference import weigh_head
from mriderived.core.rigid import rigid_parameters
from mriderived.core.rigid_series import estimate_series, read_volume

Volume = NDArray[np.float32]
Matrix = NDArray[np.float64]
Read = Callable[[int], Volume]


class Estimate:
    """What is known of each volume, shell after shell."""

    def __init__(
        self,
        series: NDArray[np.float32],
        affine: Matrix,
        gradients: Gradients,
        axis: int,
        slice_axis: int,
        terms: int,
    ) -> None:
        count = len(gradients)
        self.series, self.affine, self.gradients = series, affine, gradients
        self.axis, self.slice_axis = axis, slice_axis
        self.poses = [Pose(np.eye(4), np.zeros(terms), axis) for _ in range(count)]
        self.known = np.zeros(count, bool)
        self.fit = np.full(count, np.nan)
        self.untold = np.zeros(count, bool)
        self.spreads = np.full((count, 6), np.nan)
        slices = series.shape[slice_axis]
        self.outliers = np.zeros((count, slices), bool)
        self.losses = np.full((count, slices), np.nan)
        self.repaired: dict[int, Volume] = {}

    def read(self, index: int) -> Volume:
        """Return a volume, with outlying slices replaced."""
        return self.repaired[index] if index in self.repaired else self.read_raw(index)

    def read_raw(self, index: int) -> Volume:
        """Return a volume as acquired."""
        return read_volume(self.series, index)

    def run(self, threads: int) -> EddyMotion:
        """Return what ``core.eddy_motion.estimate_eddy`` says."""
        shells = [np.flatnonzero(self.gradients.shell == s) for s in range(self._count_shells())]
        base = next(index for index, chosen in enumerate(shells) if len(chosen))
        reference = self._align_base(shells[base], threads)
        head = weigh_head(reference)
        levels = prepare_levels(reference.shape, self.affine, head)
        if base == 0:
            self._check_base(shells[0], head > 0, threads)
        lower: NDArray[np.intp] | None = None
        for index in range(max(base, 1), len(shells)):
            chosen = shells[index]
            # where the head was in the volumes before and after that are known
            self._set_poses(chosen, take_usual(self.poses, self.known, chosen, levels[0].centre))
            self._align_shell(chosen, levels, None if index == base else reference, lower, threads)
            lower = np.concatenate([shells[0], chosen])
        # lower shells once more: now the volumes before and after them are known, too
        earlier = (self.gradients.shell > 0) & (self.gradients.shell < self._count_shells() - 1)
        self._settle(np.flatnonzero(earlier), levels[0].centre)
        shift = self._follow_head(levels[0].centre)
        matrices = np.stack([pose.matrix for pose in self.poses])
        return EddyMotion(
            matrices,
            np.stack([pose.eddy for pose in self.poses]),
            np.full(len(self.poses), self.axis, np.int64),
            self.outliers,
            self.losses,
            reference,
            rigid_parameters(matrices, levels[0].centre),
            levels[0].centre,
            self.fit,
            self.untold,
            shift,
        )

    def _count_shells(self) -> int:
        return int(self.gradients.shell.max()) + 1

    def _align_base(self, chosen: NDArray[np.intp], threads: int) -> Volume:
        """Align the volumes that make the reference; without eddy currents."""
        if len(chosen) == 1:
            self.known[chosen[0]], self.fit[chosen[0]] = True, 1.0
            return self.read_raw(int(chosen[0]))
        motion = estimate_series(self.series[..., chosen], self.affine, threads=threads)
        for index, matrix, fit in zip(chosen, motion.matrices, motion.fit, strict=True):
            self.poses[index] = self.poses[index]._replace(matrix=matrix)
            self.fit[index], self.known[index] = fit, True
        return motion.reference

    def _check_base(self, chosen: NDArray[np.intp], head: NDArray[np.bool_], threads: int) -> None:
        """Look for outliers among the volumes of b = 0, where there are enough of them."""
        if len(chosen) > 2:
            fitted = [Fitted(self.poses[i], np.array([1.0, 0.0]), self.fit[i]) for i in chosen]
            self._look_for_outliers(chosen, Rounds(fitted, weigh_mean(len(chosen))), head, threads)

    def _align_shell(
        self,
        chosen: NDArray[np.intp],
        levels: list[Level],
        reference: Volume | None,
        lower: NDArray[np.intp] | None,
        threads: int,
    ) -> None:
        if len(chosen) == 1:
            mean = stack_volumes(self.read, chosen, self._poses_of(chosen), self.affine)[0]
            if reference is not None:
                self._align_together(chosen, reference, mean)
            self.known[chosen] = True
            return
        transfer = None
        if lower is not None:
            transfer = self._transfer(lower, chosen, levels[-1], threads)
        poses = self._poses_of(chosen)
        rounds = start_rounds(self.read, chosen, levels, poses, transfer, threads)
        self._keep(chosen, rounds)
        mean = self._look_for_outliers(chosen, rounds, None, threads)
        if lower is not None and reference is not None:
            self._align_together(chosen, reference, mean)
            transfer = self._transfer(lower, chosen, levels[-1], threads)
        poses = self._poses_of(chosen)
        poses = average_rounds(self.read, chosen, levels[-1], poses, transfer, threads)
        self._set_poses(chosen, poses)
        if reference is not None:
            stack = stack_volumes(self.read, chosen, poses, self.affine, threads)
            self._align_together(chosen, reference, np.asarray(stack.mean(axis=0)))
        self.known[chosen] = True
        self._settle(chosen, levels[0].centre)
        directions = self.gradients.directions[chosen]
        poses = self._poses_of(chosen)
        rounds = predict_rounds(
            self.read, chosen, levels[-1], poses, directions, transfer, threads
        )
        self._keep(chosen, rounds)

        judge = partial(judge_poses, self.read, chosen, levels[-1], directions, transfer, threads)
        rounds, self.untold[chosen] = put_back(
            rounds, self.poses, self.known, chosen, levels[0].centre, judge
        )
        self._keep(chosen, rounds)
        self._look_for_outliers(chosen, rounds, None, threads)
        if rounds.spreads is not None:
            self.spreads[chosen] = rounds.spreads

    def _settle(self, chosen: NDArray[np.intp], centre: Matrix) -> None:
        """Take away what the contrast of some volumes has feigned."""
        known = np.flatnonzero(self.known)
        table = self.gradients
        shell = np.where(np.isin(known, chosen), table.shell[known], 0)
        settled = remove_feigned(
            self._poses_of(known),
            shell,
            table.b[known],
            table.directions[known],
            self._turn(known),
            centre,
        )
        self._set_poses(known, settled)

    def _follow_head(self, centre: Matrix) -> Matrix:
        """Take away what trembles but is no motion; return shifts of eddy currents in mm."""
        everyone = np.arange(len(self.poses))
        along = self.affine[:3, self.axis] / np.linalg.norm(self.affine[:3, self.axis])
        positions = Positions(self.poses, self.spreads, ~self.untold)
        poses, shift = follow_head(positions, self.gradients, self._turn(everyone), along, centre)
        self._set_poses(everyone, poses)
        return shift

    def _set_poses(self, chosen: NDArray[np.intp], poses: list[Pose]) -> None:
        for index, pose in zip(chosen, poses, strict=True):
            self.poses[index] = pose

    def _align_together(self, chosen: NDArray[np.intp], reference: Volume, mean: Volume) -> None:
        together = align_shell(reference, mean, self.affine, self.axis)
        for index in chosen:
            self.poses[index] = follow_shell(self.poses[index], together)

    def _transfer(
        self,
        lower: NDArray[np.intp],
        chosen: NDArray[np.intp],
        level: Level,
        threads: int,
    ) -> Transfer | None:
        """Return what aligned volumes tell about others, which are nearly aligned."""
        value, slopes = observe_all(self.read, lower, level, self._poses_of(lower), threads)
        return prepare_transfer(
            value,
            slopes,
            self.gradients.b[lower],
            self._turn(lower),
            self.gradients.b[chosen],
            self._turn(chosen),
        )

    def _turn(self, chosen: NDArray[np.intp]) -> Matrix:
        """Return directions in the reference."""
        turns = np.stack([self.poses[index].matrix[:3, :3] for index in chosen])
        return np.asarray(np.einsum('ni,nij->nj', self.gradients.directions[chosen], turns))

    def _keep(self, chosen: NDArray[np.intp], rounds: Rounds) -> None:
        for index, fitted in zip(chosen, rounds.fitted, strict=True):
            self.poses[index], self.fit[index] = fitted.pose, fitted.fit

    def _poses_of(self, chosen: NDArray[np.intp]) -> list[Pose]:
        return [self.poses[index] for index in chosen]

    def _look_for_outliers(
        self,
        chosen: NDArray[np.intp],
        rounds: Rounds,
        mask: NDArray[np.bool_] | None,
        threads: int,
    ) -> Volume:
        """Find outliers, replace them, and return the mean of the volumes."""
        stack = stack_volumes(self.read, chosen, rounds.poses, self.affine, threads)
        mean = np.asarray(stack.mean(axis=0))
        inside = find_bright(box_mean(np.maximum(mean, 0), 1)) if mask is None else mask
        brightness = [each.brightness for each in rounds.fitted]
        shell = Shell(chosen, rounds.poses, brightness, stack, rounds.weights, inside)
        found = find_outliers(self.read_raw, shell, self.affine, self.slice_axis, threads)
        self.outliers[chosen], self.losses[chosen] = found
        for place, index in enumerate(chosen):
            self.repaired.pop(int(index), None)
            if found.outliers[place].any():
                self.repaired[int(index)] = replace_slices(
                    self.read_raw(index),
                    predict_volume(
                        shell.predict(place), rounds.poses[place], self.affine, brightness[place]
                    ),
                    found.outliers[place],
                    self.slice_axis,
                )
        return mean
