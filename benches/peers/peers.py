"""Runs one peer on the work that picomlp's `peer_row` does: trains 784-H-10 on MNIST, or runs 784-128-10.

    python3 peers.py PEER --data DIR [--cpu N]

PEER is torch, torch-compile, jax, numpy (train and infer), or onnxruntime, torchscript (infer). Jobs are JSON objects on
stdin, one a line; each is answered by one on stdout:

    {"job": "train", "hidden": 128, "optimizer": "sgd", "epochs": 3, "no_zeros": false}
    {"job": "infer", "weights": "FILE", "calls": 20000, "rounds": 10}
    {"job": "versions"}

All peers do the same: batches of 64 and a last one of 32, a new random order each epoch, softmax cross-entropy, gradient
descent at 0.1 or Adam at 0.001, weights uniform in +-sqrt(6/IN) to begin with, biases 0. The data lies in memory as f32 in
[0, 1]. What is compiled is compiled before the first epoch. One thread; with --cpu, the whole process stays on that core.
FILE holds f32 little-endian: weights [IN][OUT], bias [OUT], layer by layer, as `peer_row train --save` writes them.
"""

import argparse
import gzip
import importlib.metadata
import json
import math
import os
import pathlib
import sys
import time

CLASSES = 10
WIDTH = 784
BATCH = 64
INFER_BATCH = 256
RATES = {"sgd": 0.1, "adam": 1e-3}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def main():
    args = arguments()
    if args.cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {args.cpu})
    # Read when the libraries are imported, so they stand before that.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    data = Mnist(args.data)
    peer = PEERS[args.peer]()
    for line in sys.stdin:
        if not line.strip():
            continue
        job = json.loads(line)
        try:
            answer = run(peer, job, data)
        except Exception as error:  # whatever a peer raises is a result: "does not work: ..."
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps({"who": args.peer, **answer}), flush=True)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with MNIST's files")
    parser.add_argument("--cpu", type=int, help="stay on this core")
    return parser.parse_args()


def run(peer, job, data):
    if job["job"] == "versions":
        return {"what": "versions", "packages": {p: importlib.metadata.version(p) for p in peer.PACKAGES}}
    if job["job"] == "train":
        return train(peer, job, data)
    return infer(peer, job, data)


class Mnist:
    """The four files, as f32 in [0, 1] and integer labels."""

    def __init__(self, folder):
        self.folder = folder
        self.kept = {}

    def set(self, name, no_zeros):
        import numpy as np

        key = (name, no_zeros)
        if key not in self.kept:
            pixels = self.read(f"{name}-images-idx3-ubyte", 16).reshape(-1, WIDTH)
            if no_zeros:
                pixels = np.maximum(pixels, 1)
            labels = self.read(f"{name}-labels-idx1-ubyte", 8).astype(np.int32)
            x = pixels.astype(np.float32)
            x *= np.float32(1 / 255)
            # Only the set in use: f32 training data takes 188 MB.
            self.kept = {k: v for k, v in self.kept.items() if k[0] != name}
            self.kept[key] = (x, labels)
        return self.kept[key]

    def read(self, name, header):
        import numpy as np

        for name in (name, name.replace("-idx", ".idx")):
            for opener, path in ((open, self.folder / name), (gzip.open, self.folder / f"{name}.gz")):
                if path.is_file():
                    with opener(path, "rb") as file:
                        return np.frombuffer(file.read(), np.uint8, offset=header)
        raise FileNotFoundError(f"{self.folder} lacks {name}")


def initial(hidden):
    """W1, b1, W2, b2, input-major."""
    import numpy as np

    rng = np.random.default_rng(1)
    params = []
    for inputs, outputs in ((WIDTH, hidden), (hidden, CLASSES)):
        limit = math.sqrt(6 / inputs)
        params.append(rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32))
        params.append(np.zeros(outputs, np.float32))
    return params


def train(peer, job, data):
    import numpy as np

    x, labels = data.set("train", job["no_zeros"])
    rng = np.random.default_rng(2)
    peer.prepare(x, labels, job["hidden"], job["optimizer"])
    seconds, loss = [], math.nan
    for _ in range(job["epochs"]):
        began = time.perf_counter()
        loss = peer.epoch(rng.permutation(len(x)))
        seconds.append(time.perf_counter() - began)
    test_x, test_labels = data.set("t10k", job["no_zeros"])
    return {
        "what": "train",
        "hidden": job["hidden"],
        "optimizer": job["optimizer"],
        "no_zeros": job["no_zeros"],
        "batch": BATCH,
        "seconds": min(seconds),
        "epoch_seconds": seconds,
        "train_loss": float(loss),
        "test_accuracy": accuracy(peer.params(), test_x, test_labels),
    }


def accuracy(params, x, labels):
    w1, b1, w2, b2 = params
    logits = (x @ w1 + b1).clip(0) @ w2 + b2
    return float((logits.argmax(1) == labels).mean())


def infer(peer, job, data):
    import numpy as np

    x, labels = data.set("t10k", False)
    values = np.fromfile(job["weights"], "<f4")
    hidden = 128
    cuts = np.cumsum([WIDTH * hidden, hidden, hidden * CLASSES])
    w1, b1, w2, b2 = np.split(values, cuts)
    classify = peer.classifier([w1.reshape(WIDTH, hidden), b1, w2.reshape(hidden, CLASSES), b2])
    images = peer.inputs([x[i : i + 1] for i in range(len(x))])
    batches = peer.inputs([x[i : i + INFER_BATCH] for i in range(0, len(x), INFER_BATCH)])
    found = np.concatenate([np.asarray(classify(batch)) for batch in batches]).argmax(1)
    for image in images[:1000]:
        classify(image)
    micros = []
    for call in range(job["calls"]):
        image = images[call % len(images)]
        began = time.perf_counter_ns()
        classify(image)
        micros.append((time.perf_counter_ns() - began) / 1000)
    micros.sort()
    best = math.inf
    for _ in range(job["rounds"]):
        began = time.perf_counter()
        for batch in batches:
            classify(batch)
        best = min(best, time.perf_counter() - began)
    return {
        "what": "infer",
        "p50_us": micros[math.ceil(0.5 * len(micros)) - 1],
        "p99_us": micros[math.ceil(0.99 * len(micros)) - 1],
        "call_us": call_overhead(peer),
        "calls": job["calls"],
        "batch": INFER_BATCH,
        "samples": len(x),
        "seconds": best,
        "test_accuracy": float((found == labels).mean()),
    }


def call_overhead(peer):
    """Median of a call that computes next to nothing, 1-1-1: what calling from Python takes."""
    import numpy as np

    one = [np.ones((1, 1), np.float32), np.zeros(1, np.float32)]
    classify = peer.classifier(one + one)
    (x,) = peer.inputs([np.ones((1, 1), np.float32)])
    micros = []
    for _ in range(3000):
        began = time.perf_counter_ns()
        classify(x)
        micros.append((time.perf_counter_ns() - began) / 1000)
    return sorted(micros)[len(micros) // 2]


class Torch:
    """PyTorch, eager, fused optimizers."""

    PACKAGES = ["torch", "numpy"]

    def __init__(self):
        import torch

        self.torch = torch
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)

    def network(self, params):
        torch = self.torch
        w1, b1, w2, b2 = params
        net = torch.nn.Sequential(
            torch.nn.Linear(*w1.shape), torch.nn.ReLU(), torch.nn.Linear(*w2.shape)
        )
        with torch.no_grad():
            for to, value in zip(net.parameters(), (w1.T, b1, w2.T, b2)):
                to.copy_(torch.tensor(value.copy()))
        return net

    def prepare(self, x, labels, hidden, optimizer):
        torch = self.torch
        self.x, self.labels = torch.from_numpy(x), torch.from_numpy(labels).long()
        self.net = self.network(initial(hidden))
        make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
        self.optimizer = make(self.net.parameters(), lr=RATES[optimizer], fused=True)
        self.loss = self.compiled(
            lambda x, labels: torch.nn.functional.cross_entropy(self.net(x), labels)
        )

    def compiled(self, loss):
        return loss

    def epoch(self, order):
        order = self.torch.from_numpy(order)
        for batch in order.split(BATCH):
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.x[batch], self.labels[batch])
            loss.backward()
            self.optimizer.step()
        return loss.item()

    def params(self):
        w1, b1, w2, b2 = (p.detach().numpy() for p in self.net.parameters())
        return w1.T, b1, w2.T, b2

    def inputs(self, arrays):
        return [self.torch.from_numpy(x) for x in arrays]

    def classifier(self, params):
        net = self.network(params).eval()
        mode = self.torch.inference_mode

        def classify(x):
            with mode():
                return net(x)

        return classify


class TorchCompile(Torch):
    """PyTorch, forward and backward through torch.compile."""

    def compiled(self, loss):
        self.torch._dynamo.reset()
        loss = self.torch.compile(loss, dynamic=False)
        for size in {BATCH, len(self.x) % BATCH or BATCH}:
            loss(self.x[:size], self.labels[:size]).backward()
        return loss

    def classifier(self, params):
        self.torch._dynamo.reset()
        net = self.torch.compile(self.network(params).eval(), dynamic=False)
        mode = self.torch.inference_mode

        def classify(x):
            with mode():
                return net(x)

        return classify


class TorchScript(Torch):
    """PyTorch, traced and frozen; inference alone."""

    def classifier(self, params):
        torch = self.torch
        net = self.network(params).eval()
        traced = torch.jit.freeze(torch.jit.trace(net, torch.zeros(1, params[0].shape[0])))
        traced = torch.jit.optimize_for_inference(traced)
        mode = torch.inference_mode

        def classify(x):
            with mode():
                return traced(x)

        return classify


class Numpy:
    """NumPy and its OpenBLAS, by hand: buffers are reused, gradients written out."""

    PACKAGES = ["numpy"]

    def prepare(self, x, labels, hidden, optimizer):
        import numpy as np

        self.np, self.x, self.labels = np, x, labels
        self.p = initial(hidden)
        self.gradients = [np.empty_like(p) for p in self.p]
        self.x_batch = np.empty((BATCH, WIDTH), np.float32)
        self.update = {"sgd": self.sgd, "adam": self.adam}[optimizer]
        self.m = [np.zeros_like(p) for p in self.p]
        self.v = [np.zeros_like(p) for p in self.p]
        self.work = [np.empty_like(p) for p in self.p]
        self.steps = 0

    def epoch(self, order):
        loss = 0.0
        for start in range(0, len(order), BATCH):
            loss += self.step(order[start : start + BATCH])
        return loss / len(order)

    def step(self, batch):
        np = self.np
        w1, b1, w2, b2 = self.p
        d_w1, d_b1, d_w2, d_b2 = self.gradients
        size = len(batch)
        x = self.x.take(batch, axis=0, out=self.x_batch[:size])
        labels, rows = self.labels[batch], np.arange(size)
        h = x @ w1
        h += b1
        np.maximum(h, 0, out=h)
        z = h @ w2
        z += b2
        z -= z.max(1, keepdims=True)
        chosen = z[rows, labels].sum()
        np.exp(z, out=z)
        total = z.sum(1, keepdims=True)
        loss = float(np.log(total).sum() - chosen)
        z /= total
        z[rows, labels] -= 1
        z *= np.float32(1 / size)
        np.matmul(h.T, z, out=d_w2)
        z.sum(0, out=d_b2)
        d_h = z @ w2.T
        d_h *= h > 0
        np.matmul(x.T, d_h, out=d_w1)
        d_h.sum(0, out=d_b1)
        self.update()
        return loss

    def sgd(self):
        np = self.np
        for p, g in zip(self.p, self.gradients):
            g *= np.float32(RATES["sgd"])
            p -= g

    def adam(self):
        np = self.np
        self.steps += 1
        rate = np.float32(RATES["adam"] / (1 - BETA1**self.steps))
        correction = np.float32(1 / math.sqrt(1 - BETA2**self.steps))
        for p, g, m, v, work in zip(self.p, self.gradients, self.m, self.v, self.work):
            m *= np.float32(BETA1)
            np.multiply(g, np.float32(1 - BETA1), out=work)
            m += work
            v *= np.float32(BETA2)
            g *= g
            g *= np.float32(1 - BETA2)
            v += g
            np.sqrt(v, out=work)
            work *= correction
            work += np.float32(EPSILON)
            np.divide(m, work, out=work)
            work *= rate
            p -= work

    def params(self):
        return self.p

    def inputs(self, arrays):
        return arrays

    def classifier(self, params):
        import numpy as np

        w1, b1, w2, b2 = params

        def classify(x):
            h = x @ w1
            h += b1
            np.maximum(h, 0, out=h)
            z = h @ w2
            z += b2
            return z

        return classify


class Jax:
    """JAX: the whole epoch is one jitted scan, compiled ahead of time."""

    PACKAGES = ["jax", "jaxlib", "numpy"]

    def __init__(self):
        import jax

        self.jax = jax
        self.compiled_epochs = {}
        self.on_device = (None, None)

    def prepare(self, x, labels, hidden, optimizer):
        jax = self.jax
        jnp = jax.numpy
        if self.on_device[0] is not x:
            self.on_device = (x, (jnp.asarray(x), jnp.asarray(labels)))
        self.data = self.on_device[1]
        params = [jnp.asarray(p) for p in initial(hidden)]
        moments = [jnp.zeros_like(p) for p in params]
        state = (params, moments, [jnp.zeros_like(p) for p in params], jnp.float32(0))
        if optimizer == "sgd":
            state = (params,)
        order = jnp.zeros(len(x), jnp.int32)
        key = (hidden, optimizer)
        if key not in self.compiled_epochs:
            epoch = jax.jit(self.epoch_function(optimizer), donate_argnums=0)
            self.compiled_epochs[key] = epoch.lower(state, order, *self.data).compile()
        self.run, self.state = self.compiled_epochs[key], state

    def epoch_function(self, optimizer):
        jax = self.jax
        jnp = jax.numpy

        def loss_of(params, x, labels):
            w1, b1, w2, b2 = params
            z = jax.nn.relu(x @ w1 + b1) @ w2 + b2
            chosen = jnp.take_along_axis(z, labels[:, None], 1)[:, 0]
            return (jax.nn.logsumexp(z, axis=1) - chosen).mean()

        def sgd(state, gradients):
            (params,) = state
            return ([p - RATES["sgd"] * g for p, g in zip(params, gradients)],)

        def adam(state, gradients):
            params, ms, vs, steps = state
            steps = steps + 1
            rate = RATES["adam"] / (1 - BETA1**steps)
            correction = 1 / jnp.sqrt(1 - BETA2**steps)
            ms = [BETA1 * m + (1 - BETA1) * g for m, g in zip(ms, gradients)]
            vs = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(vs, gradients)]
            params = [
                p - rate * m / (jnp.sqrt(v) * correction + EPSILON)
                for p, m, v in zip(params, ms, vs)
            ]
            return params, ms, vs, steps

        update = {"sgd": sgd, "adam": adam}[optimizer]

        def epoch(state, order, x, labels):
            def step(state, batch):
                loss, gradients = jax.value_and_grad(loss_of)(state[0], x[batch], labels[batch])
                return update(state, gradients), loss

            whole = len(order) // BATCH * BATCH
            state, losses = jax.lax.scan(step, state, order[:whole].reshape(-1, BATCH))
            if whole < len(order):
                state, _ = step(state, order[whole:])
            return state, losses.mean()

        return epoch

    def epoch(self, order):
        order = self.jax.numpy.asarray(order.astype("int32"))
        self.state, loss = self.run(self.state, order, *self.data)
        self.jax.block_until_ready(self.state)
        return loss

    def params(self):
        import numpy as np

        return [np.asarray(p) for p in self.state[0]]

    def inputs(self, arrays):
        return [self.jax.numpy.asarray(x) for x in arrays]

    def classifier(self, params):
        jax = self.jax
        w1, b1, w2, b2 = params
        jitted = jax.jit(lambda x: jax.nn.relu(x @ w1 + b1) @ w2 + b2)
        return lambda x: jitted(x).block_until_ready()


class OnnxRuntime:
    """ONNX Runtime on one thread; inference alone."""

    PACKAGES = ["onnxruntime", "onnx", "numpy"]

    def inputs(self, arrays):
        return [{"x": x} for x in arrays]

    def classifier(self, params):
        import onnxruntime
        from onnx import TensorProto, checker, helper, numpy_helper

        inputs, outputs = params[0].shape[0], params[2].shape[1]
        graph = helper.make_graph(
            [
                helper.make_node("Gemm", ["x", "w1", "b1"], ["a"]),
                helper.make_node("Relu", ["a"], ["h"]),
                helper.make_node("Gemm", ["h", "w2", "b2"], ["y"]),
            ],
            "mlp",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", inputs])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", outputs])],
            [
                numpy_helper.from_array(value.copy(), name)
                for value, name in zip(params, ("w1", "b1", "w2", "b2"))
            ],
        )
        # Versions that any runtime of the last years reads.
        model = helper.make_model(
            graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
        )
        checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        wanted = ["y"]
        return lambda feed: session.run(wanted, feed)[0]


PEERS = {
    "jax": Jax,
    "torch": Torch,
    "torch-compile": TorchCompile,
    "torchscript": TorchScript,
    "numpy": Numpy,
    "onnxruntime": OnnxRuntime,
}

if __name__ == "__main__":
    main()
