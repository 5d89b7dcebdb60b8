"""Steps on crops of photographs, for the tasks that learn from pixels."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

import torch
from torch import Tensor

from recodec.train.data.batches import crop_batches, to_pixels
from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.recipe import require
from recodec.train.task import Batch, Setting

LARGEST_CROP = 4096


def check_crop(crop: int) -> None:
    """Raise ``ValueError`` for a side that no crop can have."""
    require(1 <= crop <= LARGEST_CROP, "crop", crop, f"in 1..{LARGEST_CROP}")


def pixel_batches(
    setting: Setting, options: CropOptions, crop: int, batch: int, seed: Sequence[int], start: int
) -> Generator[Batch]:
    """Endless (N, 3, crop, crop) pixels in [−0.5, 0.5] on the device, this process's part of each ``batch``."""
    processes = setting.processes
    batches = crop_batches(
        Crops(setting.photographs, crop, options, seed),
        batch,
        start=start,
        rank=processes.rank,
        processes=processes.count,
        workers=setting.workers,
        pin_memory=processes.device.type == "cuda",
    )
    with closing(batches):
        for found in batches:
            pixels = to_pixels(found.pixels.to(processes.device, non_blocking=True))
            yield Batch(pixels, found.skipped)


def sample_pixels(
    setting: Setting, options: CropOptions, crop: int, count: int, seed: Sequence[int]
) -> Tensor:
    """(count, 3, crop, crop) pixels in [−0.5, 0.5], for statistics."""
    crops = Crops(setting.photographs, crop, options, seed)
    return to_pixels(torch.stack([crops[index].pixels for index in range(count)]))
