"""Writes trajectory.json: what PyTorch in float64 makes of 100 steps of each optimizer.

    python3 trajectory.py              writes trajectory.json beside this file
    python3 trajectory.py --what-if    prints how far each mistake moves the result; writes nothing

Needs torch. `src/pytorch.rs` makes the same inputs and initial weights and holds picomlp to the result.

Network 20-16-5 with ReLU, softmax cross-entropy, 30 samples in batches of 8, 8, 8 and 6, in order, again and
again. All numbers come from one generator, s <- 1664525 s + 1013904223 mod 2^32 with s = 1 to begin with, as
v = (s >> 8)/2^23 - 1 in [-1, 1), drawn in this order:

    weights [20][16] as v/2, bias [16] as v/8, weights [16][5] as v/2, bias [5] as v/8  (input-major, as picomlp's)
    inputs [30][20] as max(v, 0); labels [30] as (s >> 8) mod 5

so every number is exact in f32. Parameters are written in that order too.

The bound. f32 and f64 part by rounding, and training may amplify that; no bound from the theory survives 100
steps (norms of absolute values grow like 2^100), so the amplification is measured. Each rounded operation is
exact for operands that are a little off: a sum of n products for weights off by a relative gamma_n = n u,
u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). So the float64 run is
repeated 32 times with every weight, input, logit, gradient, moment and parameter pushed, at each step, up or down at
random by the whole of its bound, and the farthest that any of the 32 ends up from the undisturbed run is the bound.
Real roundings are smaller than their bounds and partly cancel, so f32 stays well within.
"""

import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

INPUTS, HIDDEN, CLASSES = 20, 16, 5
SAMPLES, BATCH, STEPS = 30, 8, 100
U = 2.0**-24
DISTURBED_RUNS = 32
SPLIT = [INPUTS * HIDDEN, HIDDEN, HIDDEN * CLASSES, CLASSES]

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def problem():
    state = 1

    def bits():
        nonlocal state
        state = (1664525 * state + 1013904223) % 2**32
        return state >> 8

    def values(n):
        return torch.tensor([bits() / 2**23 - 1 for _ in range(n)])

    scales = [1 / 2, 1 / 8, 1 / 2, 1 / 8]
    params = torch.cat([values(n) * scale for n, scale in zip(SPLIT, scales)])
    x = values(SAMPLES * INPUTS).clamp(min=0).reshape(SAMPLES, INPUTS)
    labels = torch.tensor([bits() % CLASSES for _ in range(SAMPLES)])
    return params, x, labels


def forward(params, x):
    w1, b1, w2, b2 = params.split(SPLIT)
    hidden = F.relu(F.linear(x, w1.reshape(INPUTS, HIDDEN).T, b1))
    return F.linear(hidden, w2.reshape(HIDDEN, CLASSES).T, b2)


RUNS = {
    "sgd": dict(lr=0.1),
    "adam": dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8),
    # With the default eps, its place would hardly show.
    "adam_large_eps": dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-2),
    "momentum": dict(lr=0.025, momentum=0.9),
    "nesterov": dict(lr=0.02, momentum=0.9, nesterov=True),
    "rms_prop": dict(lr=1e-3, alpha=0.99, eps=1e-2),
    "adam_w": dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1),
    "sgd_l2": dict(lr=0.1, weight_decay=1e-2),
    "adam_l2": dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-2, weight_decay=1e-2),
    "sgd_clipped": dict(lr=0.1, weight_decay=1e-2),
}
KINDS = {
    "adam": torch.optim.Adam,
    "adam_large_eps": torch.optim.Adam,
    "adam_l2": torch.optim.Adam,
    "adam_w": torch.optim.AdamW,
    "rms_prop": torch.optim.RMSprop,
}  # the others: SGD
CLIPPED = {"sgd_clipped": 0.25}
MOMENTS = ("exp_avg", "exp_avg_sq", "momentum_buffer", "square_avg")


def batches(step):
    """Samples of a step: the fourth batch of each pass has 6."""
    start = step * BATCH % (math.ceil(SAMPLES / BATCH) * BATCH)
    return slice(start, min(start + BATCH, SAMPLES))


def torch_run(name, disturb=None):
    """The run by torch.optim; with a generator `disturb`, with f32's roundings at their largest."""

    def push(x, most):
        """x, each number pushed up or down by `most`."""
        if disturb is None:
            return x
        return x + most * (torch.randint(0, 2, x.shape, generator=disturb) * 2 - 1)

    def off(x, n):
        """x as n roundings may leave it."""
        return push(x, n * U * x.detach().abs())

    params, x, labels = problem()
    params.requires_grad_(True)
    optimizer = KINDS.get(name, torch.optim.SGD)([params], **RUNS[name])
    losses = []
    for step in range(STEPS):
        rows = batches(step)
        used = off(params.detach(), INPUTS + 2).requires_grad_(True)
        # The shift by the largest logit rounds once; exp, within 4u, is off like one whose argument is by 4u.
        logits = push(off(forward(used, off(x[rows], BATCH + 1)), 1), 4 * U)
        loss = F.cross_entropy(logits, labels[rows])
        (gradient,) = torch.autograd.grad(loss, used)
        # The sum of the probabilities, its inverse, products with it and with 1/batch, the sum over the batch.
        params.grad = off(gradient, CLASSES + BATCH + 5)
        if name in CLIPPED:
            torch.nn.utils.clip_grad_norm_([params], CLIPPED[name])
            # One factor for all: the squares' product and 27 + 16 + 1 additions, halved by the root, then sum, quotient
            # and product.
            params.grad *= off(torch.ones(1), 45 / 2 + 4)
        decays = "weight_decay" in RUNS[name]
        if decays and name != "adam_w":
            # The product with the decay, the decay itself, the sum.
            params.grad = off(params.grad, 1)
            decay = RUNS[name]["weight_decay"] * params.detach()
            params.grad += off(decay, 3) - decay
        optimizer.step()
        with torch.no_grad():
            # The rate, the product and the difference; Adam: root, quotient and coefficients besides; AdamW: what stays.
            params.copy_(off(params, 4 if name == "adam_w" else 2))
            for moment in MOMENTS:
                if optimizer.state[params].get(moment) is not None:
                    optimizer.state[params][moment].copy_(off(optimizer.state[params][moment], 4))
        losses.append(float(off(loss.detach(), BATCH + 4)))
    return torch.tensor(losses), params.detach()


def own_run(name, mistake=None):
    """The run in plain steps, with room for a mistake."""
    params, x, labels = problem()
    setting = RUNS[name]
    m, v = torch.zeros_like(params), torch.zeros_like(params)
    beta1, beta2 = setting.get("betas", (0, 0))
    lr, eps = setting["lr"], setting.get("eps")
    if mistake == "betas swapped":
        beta1, beta2 = beta2, beta1
    if mistake == "learning rate 0.1 % too large":
        lr *= 1.001
    for step in range(STEPS):
        rows = batches(step)
        params.requires_grad_(True)
        loss = F.cross_entropy(forward(params, x[rows]), labels[rows])
        (g,) = torch.autograd.grad(loss, params)
        params = params.detach()
        size = len(labels[rows])
        if mistake == "sum over the batch, not the mean":
            g = g * size
        if mistake == "last batch divided by 8, not by its 6":
            g = g * (size / BATCH)
        if mistake == "last batch left out" and size < BATCH:
            continue
        if mistake == "output bias not trained":
            g[-CLASSES:] = 0
        decay = setting.get("weight_decay", 0)
        decoupled = name == "adam_w"
        if name in CLIPPED and mistake != "not clipped":
            most = CLIPPED[name]
            if mistake == "decay clipped with the gradient":
                g, decay = g + decay * params, 0
            if mistake == "each element clipped":
                g = g.clamp(-most, most)
            else:
                g = g * min(1, most / (float(g.norm()) + 1e-6))
        if mistake == "no decay":
            decay = 0
        decay = torch.full_like(params, decay)
        if mistake == "biases do not decay":
            decay[SPLIT[0] : SPLIT[0] + SPLIT[1]] = 0
            decay[-CLASSES:] = 0
        if mistake == "decay halved":
            decay /= 2
        if decoupled == (mistake == "decay coupled and decoupled swapped"):
            g = g + decay * params
        else:
            params = params * (1 - (1 if mistake == "decay without the rate" else lr) * decay)
        if "momentum" in setting:
            mu = setting["momentum"]
            m = mu * m + (1 - mu if mistake == "gradient damped" else 1) * g
            nesterov = setting.get("nesterov", False) != (mistake == "nesterov or not swapped")
            ahead = mu * m
            if mistake == "one step ahead too far":
                ahead = mu * mu * m
            params = params - lr * (g + ahead if nesterov else m)
            continue
        if name == "rms_prop":
            alpha = setting["alpha"]
            if mistake == "alpha and its rest swapped":
                alpha = 1 - alpha
            v = alpha * v + (1 - alpha) * g * g
            root = (v + eps).sqrt() if mistake == "eps inside the root" else v.sqrt() + eps
            if mistake == "mean square of before":
                root = ((v - (1 - alpha) * g * g) / alpha).clamp(min=0).sqrt() + eps
            params = params - lr * g / root
            continue
        if KINDS.get(name) is None:
            params = params - lr * g
            continue
        t = step + 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        c1, c2 = 1 - beta1**t, 1 - beta2**t
        if mistake == "first moment not corrected":
            c1 = 1
        if mistake == "second moment not corrected":
            c2 = 1
        if mistake == "corrections one step late":
            c1, c2 = 1 - beta1 ** (t + 1), 1 - beta2 ** (t + 1)
        root = (v / c2).sqrt() + eps
        if mistake == "eps inside the root":
            root = (v / c2 + eps).sqrt()
        if mistake == "eps added before the correction":
            root = (v.sqrt() + eps) / math.sqrt(c2)
        params = params - lr * (m / c1) / root
    return params


MISTAKES = [
    "sum over the batch, not the mean",
    "last batch divided by 8, not by its 6",
    "last batch left out",
    "output bias not trained",
    "learning rate 0.1 % too large",
]
ADAM_MISTAKES = [
    "betas swapped",
    "first moment not corrected",
    "second moment not corrected",
    "corrections one step late",
    "eps inside the root",
    "eps added before the correction",
]


MOMENTUM_MISTAKES = ["gradient damped", "nesterov or not swapped"]
RMS_PROP_MISTAKES = ["alpha and its rest swapped", "eps inside the root", "mean square of before"]
DECAY_MISTAKES = ["no decay", "biases do not decay", "decay halved"]


def mistakes_of(name):
    of_its_own = {
        "sgd": [],
        "momentum": MOMENTUM_MISTAKES,
        "nesterov": [*MOMENTUM_MISTAKES, "one step ahead too far"],
        "rms_prop": RMS_PROP_MISTAKES,
        "adam_w": [
            *DECAY_MISTAKES,
            "decay coupled and decoupled swapped",
            "decay without the rate",
        ],
        "sgd_l2": DECAY_MISTAKES,
        "adam_l2": [*DECAY_MISTAKES, "decay coupled and decoupled swapped"],
        "sgd_clipped": [
            "not clipped",
            "each element clipped",
            "decay clipped with the gradient",
        ],
    }
    return MISTAKES + of_its_own.get(name, ADAM_MISTAKES)


def furthest(a, b):
    return float((a - b).abs().max())


def main():
    runs = []
    for name in RUNS:
        losses, params = torch_run(name)
        assert furthest(own_run(name), params) < 1e-12, "the plain steps are not torch's"
        what_if = {
            mistake: furthest(own_run(name, mistake), params) for mistake in mistakes_of(name)
        }
        disturbed = [
            torch_run(name, torch.Generator().manual_seed(seed)) for seed in range(DISTURBED_RUNS)
        ]
        runs.append(
            {
                "name": name,
                "setting": RUNS[name],
                "param_bound": max(furthest(params, other) for _, other in disturbed),
                "loss_bound": max(furthest(losses, other) for other, _ in disturbed),
                "what_if": what_if,
                "losses": losses.tolist(),
                "params": params.tolist(),
            }
        )
    if "--what-if" in sys.argv[1:]:
        for run in runs:
            print(f"{run['name']}: bound {run['param_bound']:.1e}, last loss {run['losses'][-1]:.3f}")
            for mistake, distance in run["what_if"].items():
                print(f"    {distance:.1e}  {distance / run['param_bound']:9.1f} bounds  {mistake}")
        return
    golden = {
        "made_by": "trajectory.py, which says what this is",
        "torch": torch.__version__.split("+")[0],
        "runs": runs,
    }
    path = pathlib.Path(__file__).with_name("trajectory.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
