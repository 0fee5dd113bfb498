"""What a fit's steps cost, measured while it runs."""

from __future__ import annotations

import time

import torch

from fathometer.learner import Run

CLEARLY_FASTER = 0.6


class Watch:
    """How much of a run's time something takes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.processor, self.wall = time.process_time(), time.monotonic()

    def seconds(self) -> float:
        """Processor seconds since it was made."""
        return time.process_time() - self.processor

    def shares(self, times: int) -> tuple[float, float]:
        """What each of so many times took, as shares of the processor and of the wall seconds left."""
        processor = (time.process_time() - self.processor) / times
        wall = (time.monotonic() - self.wall) / times
        processor_left = self.run.seconds - self.run.used()
        wall_left = self.run.wall_seconds - (time.monotonic() - self.run.started_wall)
        return _share(processor, processor_left), _share(wall, wall_left)


def coarse_is_faster(device: str) -> bool:
    """Whether this processor multiplies bfloat16 matrices clearly faster than single precision ones."""
    if device != "cpu":
        return False
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        matrix = torch.ones(256, 256).to(kind)
        matrix @ matrix  # the first product prepares the kernel
        rounds = []
        for _ in range(5):
            started = time.perf_counter()
            for _ in range(4):
                matrix @ matrix
            rounds.append(time.perf_counter() - started)
        seconds[kind] = min(rounds)
    return seconds[torch.bfloat16] < CLEARLY_FASTER * seconds[torch.float32]


def _share(part: float, whole: float) -> float:
    """Part of a whole, not below a very small one; all of it where nothing is left."""
    return max(part / whole, 1e-9) if whole > part else 1.0
