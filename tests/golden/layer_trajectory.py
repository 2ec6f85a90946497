"""Writes layer_trajectory.json: what PyTorch in float64 makes of 60 steps of SGD through other layers and losses.

    python3 layer_trajectory.py              writes layer_trajectory.json beside this file
    python3 layer_trajectory.py --what-if    prints how far each mistake moves the result; writes nothing

As `trajectory.py`, which has the samples and batches; network 20-16-5, one run for each row of RUNS. All numbers come
from its generator, drawn in the order of the parameters: weights [20][16] as v/2, bias [16] as v/8; for a
normalisation a gain of 1, a shift [16] as v/8, and for batch normalisation running means of 0 and variances of 1;
weights [16][5] as v/2, bias [5] as v/8 unless there is none; then inputs and labels.

Dropout draws as docs/numerics.md says: seed 5, the step from 0, the layer among all single layers, the sample in the
batch.

The bound is found as in `trajectory.py`: each rounded operation is put in at its largest, up or down at random, at
each step, on the way forward and on the way back.
"""

import json
import pathlib
import sys

import torch
import torch.nn.functional as F

from trajectory import BATCH, CLASSES, DISTURBED_RUNS, HIDDEN, INPUTS, SAMPLES, U, batches, furthest

STEPS = 60
SEED = 5
EPS, MOMENTUM = 1e-5, 0.1

RUNS = {
    "leaky_smoothed": dict(activation="leaky", smoothing=0.125, lr=0.1),
    "sigmoid_mse_no_bias": dict(activation="sigmoid", loss="mse", out="sigmoid", out_bias=False, lr=0.5),
    "tanh_dropout_sum": dict(activation="tanh", dropout=0.25, reduction="sum", lr=0.0125),
    "layer_norm": dict(norm="layer", activation="relu", lr=0.1),
    "batch_norm_dropout": dict(norm="batch", activation="relu", dropout=0.5, lr=0.1),
    "mse_sum_smoothed": dict(activation="tanh", loss="mse", smoothing=0.125, reduction="sum", lr=0.0125),
}

MASK64 = 2**64 - 1


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK64
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK64
    return x ^ x >> 31


def stream(key):
    """Xoshiro128++ (Blackman and Vigna), seeded by two numbers of SplitMix64."""
    words = []
    for i in range(2):
        # mix adds the increment itself.
        word = mix((key + i * 0x9E3779B97F4A7C15) & MASK64)
        words += [word & 0xFFFFFFFF, word >> 32]

    def rotate(x, k):
        return (x << k | x >> 32 - k) & 0xFFFFFFFF

    while True:
        a, b, c, d = words
        yield (rotate(a + d & 0xFFFFFFFF, 7) + a) & 0xFFFFFFFF
        t = b << 9 & 0xFFFFFFFF
        c, d = c ^ a, d ^ b
        b, a = b ^ c, a ^ d
        words = [a, b, c ^ t, rotate(d, 11)]


def mask(probability, step, layer, samples):
    rows = []
    for sample in range(samples):
        key = mix(mix(SEED) ^ 4)
        for turn in (step, layer, sample):
            key = mix(key ^ turn)
        draws = stream(key)
        rows.append([0.0 if next(draws) < probability * 2**32 else 1 / (1 - probability) for _ in range(HIDDEN)])
    return torch.tensor(rows)


def problem(run):
    state = 1

    def bits():
        nonlocal state
        state = (1664525 * state + 1013904223) % 2**32
        return state >> 8

    def values(n, scale=1.0):
        return torch.tensor([bits() / 2**23 - 1 for _ in range(n)]) * scale

    parts = [values(INPUTS * HIDDEN, 1 / 2), values(HIDDEN, 1 / 8)]
    if "norm" in run:
        parts += [torch.ones(HIDDEN), values(HIDDEN, 1 / 8)]
    if run.get("norm") == "batch":
        parts += [torch.zeros(HIDDEN), torch.ones(HIDDEN)]
    parts += [values(HIDDEN * CLASSES, 1 / 2)]
    if run.get("out_bias", True):
        parts += [values(CLASSES, 1 / 8)]
    x = values(SAMPLES * INPUTS).clamp(min=0).reshape(SAMPLES, INPUTS)
    labels = torch.tensor([bits() % CLASSES for _ in range(SAMPLES)])
    return parts, x, labels


def follow(run, disturb=None, mistake=None):
    def off(x, n):
        """x as n roundings may leave it."""
        if disturb is None:
            return x
        signs = torch.randint(0, 2, x.shape, generator=disturb) * 2 - 1
        return x + n * U * x.detach().abs() * signs

    def both_ways(x, n):
        """As `off`, for x and for the gradient that comes back to it."""
        x = off(x, n)
        if disturb is not None and x.requires_grad:
            x.register_hook(lambda gradient: off(gradient, n))
        return x

    parts, x, labels = problem(run)
    norm, smoothing = run.get("norm"), run.get("smoothing", 0.0)
    losses = []
    for step in range(STEPS):
        rows = batches(step)
        size = len(labels[rows])
        used = [off(p, INPUTS + 2).clone().requires_grad_(True) for p in parts]
        rest = list(used)
        weights, bias = rest.pop(0), rest.pop(0)
        h = F.linear(off(x[rows], size + 1), weights.reshape(INPUTS, HIDDEN).T, bias)
        place = 1
        running = []
        if norm:
            h = both_ways(h, HIDDEN + BATCH + 8)
            gain, shift = rest.pop(0), rest.pop(0)
            eps = 10 * EPS if mistake == "another epsilon" else EPS
            if norm == "layer":
                if mistake == "deviation of n - 1":
                    gain = gain * ((HIDDEN - 1) / HIDDEN) ** 0.5
                h = F.layer_norm(h, [HIDDEN], gain, shift, eps)
            else:
                rest.pop(0), rest.pop(0)
                running = [p.clone() for p in parts[4:6]]
                before = h.detach()
                if mistake == "statistics taken for constants":
                    mean, variance = before.mean(0), before.var(0, unbiased=False)
                    h = (h - mean) / (variance + EPS).sqrt() * gain + shift
                else:
                    h = F.batch_norm(h, *[p.clone() for p in running], gain, shift, True, MOMENTUM, eps)
                unbiased = mistake != "biased running variance"
                new = [before.mean(0), before.var(0, unbiased=unbiased)]
                momentum = 1 - MOMENTUM if mistake == "momentum turned round" else MOMENTUM
                running = [off(r * (1 - momentum) + n * momentum, BATCH + 6) for r, n in zip(running, new)]
            h = both_ways(h, HIDDEN + BATCH + 8)
            place += 1
        activation = {
            "leaky": lambda v: F.leaky_relu(v, 0.1 if mistake == "another slope" else 0.25),
            "sigmoid": torch.sigmoid,
            "tanh": torch.tanh,
            "relu": F.relu,
        }
        # exp, quotient and polynomial are within 3 units in the last place, 6u; so are the slopes.
        h = both_ways(activation[run["activation"]](h), 8)
        place += 1
        if "dropout" in run:
            at = step + 1 if mistake == "mask of the next step" else step
            layer = place + 1 if mistake == "mask of another layer" else place
            m = mask(run["dropout"], at, layer, size)
            if mistake == "not scaled":
                m = m * (1 - run["dropout"])
            h = both_ways(h * m, 2)
        out_weights = off(rest.pop(0), HIDDEN + 2).reshape(HIDDEN, CLASSES).T
        out = both_ways(F.linear(h, out_weights, rest.pop(0) if rest else None), 5)
        if run.get("out") == "sigmoid":
            out = both_ways(torch.sigmoid(out), 8)
        share = 1.0 if run.get("reduction") == "sum" else 1 / size
        if mistake == "mean for sum":
            share = 1 / size
        if mistake == "no smoothing":
            smoothing = 0.0
        if run.get("loss") == "mse":
            target = F.one_hot(labels[rows], CLASSES) * (1 - smoothing) + smoothing / CLASSES
            if mistake == "label gets no share":
                target = target - F.one_hot(labels[rows], CLASSES) * smoothing / CLASSES
            loss = ((out - target) ** 2).sum() * share
            if mistake == "mean over classes":
                loss = loss / CLASSES
            if mistake == "half of the square":
                loss = loss / 2
        else:
            total = F.cross_entropy(out, labels[rows], reduction="sum", label_smoothing=smoothing)
            loss = total * share
        trained = [p for i, p in enumerate(used) if not (norm == "batch" and i in (4, 5))]
        gradients = torch.autograd.grad(loss, trained)
        gradients = iter([off(g, CLASSES + BATCH + 8) for g in gradients])
        new = []
        for i, p in enumerate(parts):
            if norm == "batch" and i in (4, 5):
                new.append(running[i - 4])
            elif mistake == "gain and shift not trained" and i in (2, 3):
                next(gradients)
                new.append(p)
            else:
                new.append(off(p - run["lr"] * next(gradients), 2))
        parts = [p.detach() for p in new]
        losses.append(float(off(loss.detach(), BATCH + 6)))
    return torch.tensor(losses), torch.cat(parts)


MISTAKES = {
    "leaky_smoothed": ["another slope", "no smoothing"],
    "sigmoid_mse_no_bias": ["mean over classes", "half of the square"],
    "tanh_dropout_sum": ["mask of the next step", "mask of another layer", "not scaled", "mean for sum"],
    "layer_norm": ["deviation of n - 1", "another epsilon", "gain and shift not trained"],
    "batch_norm_dropout": [
        "statistics taken for constants",
        "biased running variance",
        "momentum turned round",
        "another epsilon",
        "gain and shift not trained",
        "mask of the next step",
    ],
    "mse_sum_smoothed": ["no smoothing", "label gets no share", "mean for sum"],
}


def main():
    runs = []
    for name, run in RUNS.items():
        losses, params = follow(run)
        disturbed = [follow(run, torch.Generator().manual_seed(seed)) for seed in range(DISTURBED_RUNS)]
        what_if = {mistake: furthest(follow(run, mistake=mistake)[1], params) for mistake in MISTAKES[name]}
        runs.append(
            {
                "name": name,
                "setting": run,
                "param_bound": max(furthest(params, other) for _, other in disturbed),
                "loss_bound": max(furthest(losses, other) for other, _ in disturbed),
                "what_if": what_if,
                "losses": losses.tolist(),
                "params": params.tolist(),
            }
        )
    if "--what-if" in sys.argv[1:]:
        for run in runs:
            print(f"{run['name']}: bound {run['param_bound']:.1e}, losses {run['losses'][0]:.3f} to {run['losses'][-1]:.3f}")
            for mistake, distance in run["what_if"].items():
                print(f"    {distance:.1e}  {distance / run['param_bound']:9.1f} bounds  {mistake}")
        return
    golden = {
        "made_by": "layer_trajectory.py, which says what this is",
        "torch": torch.__version__.split("+")[0],
        "runs": runs,
    }
    path = pathlib.Path(__file__).with_name("layer_trajectory.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
