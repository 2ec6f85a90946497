#!/usr/bin/env python3
"""Draws the cost curves of docs/performance.md from criterion's results.

    RUSTFLAGS="-C target-cpu=native" cargo bench -p picomlp-benches
    python3 benches/figures.py [--criterion target/criterion] [--out docs/figures]

Needs matplotlib. Figures use the median of each benchmark.
"""

import argparse
import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

WIDTHS = [16, 32, 128, 512, 1024]
BATCHES = [1, 8, 64, 256]


def medians(folder):
    """{"group/function": seconds} of all benchmarks that criterion has results of."""
    found = {}
    for path in folder.glob("**/new/estimates.json"):
        about = json.loads((path.parent / "benchmark.json").read_text())
        found[about["full_id"]] = json.loads(path.read_text())["median"]["point_estimate"] * 1e-9
    return found


def look_up(found, pattern):
    """The one benchmark whose name matches."""
    names = [name for name in found if re.fullmatch(pattern, name)]
    if len(names) != 1:
        raise SystemExit(f"{len(names)} benchmarks match {pattern!r}, expected one: run the benchmarks first")
    return found[names[0]]


def step(found, width, optimizer, batch):
    """Seconds of one training step."""
    return look_up(found, rf"step 784-{width}-10/{optimizer.lower()}, batch {batch}")


def plain_ticks(axes):
    """1, 2, 5, 10 … on a logarithmic axis, written out."""
    low, high = axes.get_ylim()
    ticks = [digit * 10.0**power for power in range(-2, 4) for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])


def finish(axes, title, x, y, path):
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(True, which="major", alpha=0.35)
    axes.legend(frameon=False)
    figure = axes.get_figure()
    figure.tight_layout()
    figure.savefig(path, dpi=130, facecolor="white")
    plt.close(figure)
    print(path)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--criterion", type=Path, default=Path("target/criterion"))
    arguments.add_argument("--out", type=Path, default=Path("docs/figures"))
    arguments = arguments.parse_args()
    found = medians(arguments.criterion)
    arguments.out.mkdir(parents=True, exist_ok=True)

    _, axes = plt.subplots(figsize=(6.4, 4))
    for optimizer, mark in (("SGD", "o-"), ("Adam", "s--")):
        times = [1e6 * step(found, width, optimizer, 64) / 64 for width in WIDTHS]
        axes.loglog(WIDTHS, times, mark, label=optimizer)
    axes.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    axes.minorticks_off()
    plain_ticks(axes)
    finish(axes, "Training 784-H-10, batch 64, one core", "hidden width H", "µs a sample",
           arguments.out / "cost-width.png")

    _, axes = plt.subplots(figsize=(6.4, 4))
    for optimizer, mark in (("SGD", "o-"), ("Adam", "s--")):
        times = [1e6 * step(found, 128, optimizer, batch) / batch for batch in BATCHES]
        axes.loglog(BATCHES, times, mark, label=optimizer)
    axes.set_xticks(BATCHES, [str(batch) for batch in BATCHES])
    axes.minorticks_off()
    plain_ticks(axes)
    finish(axes, "Training 784-128-10, one core", "batch", "µs a sample", arguments.out / "cost-batch.png")

    _, axes = plt.subplots(figsize=(6.4, 4))
    for kernel, mark in (("dense_forward", "o-"), ("dense_update", "s--")):
        points = []
        for name, seconds in found.items():
            sink = " no sink" if kernel == "dense_update" else ""
            match = re.fullmatch(rf"{kernel}/u8 64x784x128 (\d+)%{sink}/simd", name)
            if match:
                points.append((int(match[1]), 1e6 * seconds / 64))
        if not points:
            raise SystemExit(f"no benchmark of {kernel} at several densities: run the benchmarks first")
        axes.plot(*zip(*sorted(points)), mark, label=kernel)
    axes.set_ylim(bottom=0)
    finish(axes, "784×128, batch 64, pixels, one core", "nonzero inputs, %", "µs a sample",
           arguments.out / "cost-density.png")


if __name__ == "__main__":
    main()
