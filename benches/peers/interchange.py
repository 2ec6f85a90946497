"""Compares picomlp with ONNX Runtime and Keras on MNIST's test images, in both directions.

python benches/peers/interchange.py MNIST    (numpy, onnx, onnxruntime, keras, jax, jax2onnx; builds picomlp)

Out: a model that picomlp trained and exported, run by both. In: a network of another make, with a batch normalization and a scaling in
front, and one that Keras trained and exported, imported by picomlp, run by both. Every logit must lie within the bound of two
computations in 32-bit floats, and no image may change its class unless its two largest logits are closer than the bound.

int8: the quantized form of a model as QDQ, run as the graph is written and by ONNX Runtime's int8 kernels. At least 99.5 % of the images
must keep their class. An activation that lies halfway between two integers may be rounded to the other one, which moves a logit by up
to 127 steps of its sum, so the two largest logits of the other images must be closer than twice that.

The bound of a dense layer of n inputs: each value is a sum of n + 1 terms, of one rounding each in the product and in the sum, so it is
within g(n + 2) * (|W| |x| + |b|) of the exact value, g(k) = k u / (1 - k u), u = 2^-24; the errors of its inputs come through |W|. A ReLU
enlarges no error. Two computations differ by twice that.
"""

import gzip
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).parents[2]
MNIST = pathlib.Path(sys.argv[1]).resolve()
IMAGES = MNIST / "t10k-images-idx3-ubyte.gz"


def idx(path, header):
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=header)


x = idx(IMAGES, 16).reshape(-1, 784)


def cargo(*words):
    command = ["cargo", "run", "--quiet", "--release", *words]
    subprocess.run(list(map(str, command)), cwd=ROOT, check=True)


def picomlp(*words):
    cargo("-p", "picomlp-cli", "--", *words)


def logits(model, folder):
    cargo("-p", "picomlp-train", "--example", "logits", "--", model, IMAGES, folder / "logits")
    return np.fromfile(folder / "logits", "<f4").reshape(len(x), -1)


def bound(layers, scale, shift):
    """Of the difference of two computations; `layers` are weights [in][out] and biases."""
    gamma = lambda k: k * 2.0**-24 / (1 - k * 2.0**-24)
    values = x * np.float64(scale) + np.float64(shift)
    # picomlp adds what the shift contributes once, for all inputs: nothing cancels in the first layer.
    sizes = np.abs(x * np.float64(scale)) + np.abs(np.float64(shift))
    errors = gamma(2) * sizes
    for i, (weights, bias) in enumerate(layers):
        weights, bias = weights.astype(np.float64), bias.astype(np.float64)
        terms = (sizes + errors) @ np.abs(weights) + np.abs(bias)
        errors = errors @ np.abs(weights) + gamma(len(weights) + 8) * terms
        values = values @ weights + bias
        if i + 1 < len(layers):
            values = np.maximum(values, 0)
            sizes = values
    return 2 * errors


def compare(name, ours, theirs, limit):
    distance = np.abs(ours - theirs)
    changed = ours.argmax(1) != theirs.argmax(1)
    top = np.sort(theirs, 1)
    ties = top[:, -1] - top[:, -2] <= 2 * limit.max(1)
    print(
        f"{name}: {len(x)} images, largest difference of a logit {distance.max():.3g}, {(distance / limit).max():.3g} of its bound; "
        f"{changed.sum()} classes differ, {(changed & ~ties).sum()} without a tie"
    )
    assert (distance <= limit).all() and not (changed & ~ties).any()


def run(path, optimize=True):
    options = onnxruntime.SessionOptions()
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options)
    return session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0]


def outward(folder, name, *flags):
    model, exported = folder / "a.pmlp", folder / "a.onnx"
    picomlp("train", "--data", MNIST, "--epochs", "2", "--quiet", "--out", model, *flags)
    picomlp("export", model, "-o", exported)
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(exported).graph.initializer}
    scale, shift = tensors.get("scale", np.ones(1))[0], tensors.get("shift", np.zeros(1))[0]
    names = sorted((n for n in tensors if n.endswith(".weight")), key=lambda n: int(n.split(".")[0]))
    layers = [(tensors[n].T, tensors[n.replace("weight", "bias")]) for n in names]
    compare(f"picomlp to ONNX Runtime, {name}", logits(model, folder), run(exported), bound(layers, scale, shift))


def inward(folder):
    random = np.random.default_rng(1)
    uniform = lambda *shape, low=-1.0, high=1.0: random.uniform(low, high, shape).astype(np.float32)
    c = {
        "scale": np.float32(1 / 0.3081 / 255), "shift": np.float32(0.1307 / 0.3081),
        "w0": uniform(128, 784) * np.float32(0.08), "b0": uniform(128), "gamma": uniform(128), "beta": uniform(128),
        "mean": uniform(128), "variance": uniform(128, low=0.1, high=2.0), "w1": uniform(10, 128) * np.float32(0.2), "b1": uniform(10),
    }
    node = helper.make_node
    nodes = [
        node("Mul", ["x", "scale"], ["a"]), node("Sub", ["a", "shift"], ["b"]),
        node("Gemm", ["b", "w0", "b0"], ["c"], transB=1),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["d"], epsilon=1e-5),
        node("Relu", ["d"], ["e"]), node("Gemm", ["e", "w1", "b1"], ["y"], transB=1),
    ]
    tensor = lambda n, width: helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["batch", width])
    constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in c.items()]
    graph = helper.make_graph(nodes, "g", [tensor("x", 784)], [tensor("y", 10)], constants)
    path = folder / "b.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    picomlp("import", path, "-o", folder / "b.pmlp")
    factor = c["gamma"] / np.sqrt(c["variance"].astype(np.float64) + 1e-5)
    layers = [(c["w0"].T * factor, (c["b0"] - c["mean"]) * factor + c["beta"]), (c["w1"].T, c["b1"])]
    # The bound of the normalization's own steps is that of a sum whose terms do not cancel: |b0| + |mean|.
    limit = bound([(layers[0][0], np.abs(layers[0][1]) + np.abs(factor) * (np.abs(c["b0"]) + np.abs(c["mean"]))), layers[1]],
                  c["scale"], -c["shift"])
    compare("ONNX Runtime's network in picomlp", logits(folder / "b.pmlp", folder), run(path), limit)


def integers(folder, name, *flags):
    model, small, exported = folder / "c.pmlp", folder / "c.int8.pmlp", folder / "c.onnx"
    picomlp("train", "--data", MNIST, "--epochs", "2", "--quiet", "--out", model, *flags)
    picomlp("quantize", model, "--data", MNIST, "--out", small)
    picomlp("export", small, "-o", exported)
    onnx.checker.check_model(onnx.load(exported), full_check=True)
    ours = logits(small, folder)
    # All logits are multiples of one step, twice that of the coarsest of the last layer's sums.
    steps = [numpy_helper.to_array(t) for t in onnx.load(exported).graph.initializer if t.name.endswith(".bias.step")]
    step = 2 * steps[-1].max()
    top = np.sort(ours, 1)
    gaps = (top[:, -1] - top[:, -2]) / step
    for how, optimize in [("as written", False), ("int8 kernels", True)]:
        theirs = run(exported, optimize)
        changed = ours.argmax(1) != theirs.argmax(1)
        distance = np.abs(ours - theirs) / step
        print(
            f"int8 to ONNX Runtime, {name}, {how}: {len(x)} images, {changed.sum()} classes differ, their two largest logits at most "
            f"{gaps[changed].max(initial=0):.1f} steps apart; {(distance.max(1) > 0.51).sum()} images with an activation rounded to another "
            f"integer, largest difference of a logit {distance.max():.1f} steps"
        )
        assert (~changed).mean() >= 0.995 and gaps[changed].max(initial=0) <= 127


def keras_network(folder):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    images, labels = idx(MNIST / "train-images-idx3-ubyte.gz", 16), idx(MNIST / "train-labels-idx1-ubyte.gz", 8)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((784,)), layers.Rescaling(1 / 255), layers.Dense(128), layers.BatchNormalization(), layers.Activation("relu"),
        layers.Dense(10), layers.Softmax(),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images.reshape(-1, 784)[:12800].astype(np.float32), labels[:12800], batch_size=128, epochs=1, verbose=0)
    theirs = keras.Sequential(model.layers[:-1]).predict(x.astype(np.float32), batch_size=1000, verbose=0)

    (w0, b0), (gamma, beta, mean, variance), (w1, b1) = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    factor = np.abs(gamma / np.sqrt(variance.astype(np.float64) + model.layers[2].epsilon))
    limit = bound([(w0 * factor, (np.abs(b0) + np.abs(mean)) * factor + np.abs(beta)), (w1, b1)], 1 / 255, 0)

    model(x[:1].astype(np.float32)) # Keras exports what has been called
    model.export(folder / "keras.onnx", format="onnx", verbose=False)
    picomlp("import", folder / "keras.onnx", "-o", folder / "keras.pmlp")
    compare(f"Keras {keras.__version__} through ONNX", logits(folder / "keras.pmlp", folder), theirs, limit)

    weights = {f"{i}.{v.name}": np.asarray(v) for i, layer in enumerate(model.layers) for v in layer.weights}
    np.savez(folder / "keras.npz", **weights)
    picomlp("import", folder / "keras.npz", "-o", folder / "keras.pmlp", "--activation", "relu", "--inputs", "unit")
    compare(f"Keras {keras.__version__} through npz", logits(folder / "keras.pmlp", folder), theirs, limit)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    outward(folder, "784-128-10")
    outward(folder, "784-64-32-10, standardized", "--hidden", "64,32", "--inputs", "standardized")
    inward(folder)
    integers(folder, "784-128-10")
    integers(folder, "784-64-32-10, standardized", "--hidden", "64,32", "--inputs", "standardized")
    keras_network(folder)
