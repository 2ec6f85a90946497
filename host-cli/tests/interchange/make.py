"""Writes the files of this folder: small networks by other tools, and what those tools compute with them.

pip install numpy onnx onnxruntime safetensors scikit-learn skl2onnx
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import skl2onnx
from onnx import helper, numpy_helper
from safetensors.numpy import save_file
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).parent
INPUTS, HIDDEN, OUTPUTS = 6, 5, 3
random = np.random.default_rng(1)
x = np.array([[(97 * row + 41 * column) % 256 for column in range(INPUTS)] for row in range(8)], np.float32)
expected = {}


def uniform(*shape, low=-1.0, high=1.0):
    return random.uniform(low, high, shape).astype(np.float32)


def onnx_model(name, nodes, constants, output, input_shape=(INPUTS,), **attributes):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", *input_shape])],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["batch", OUTPUTS])],
        [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **attributes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, HERE / f"{name}.onnx")
    return model


def run(model, output=None):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    shape = [dim if isinstance(dim, int) else len(x) for dim in session.get_inputs()[0].shape]
    return session.run([output] if output else None, {session.get_inputs()[0].name: x.reshape(shape)})[0]


node = helper.make_node

# As PyTorch's exporter writes nn.Sequential(Flatten, Linear, BatchNorm1d, LeakyReLU, Dropout, Linear, LayerNorm, Tanh, Linear), behind
# (x / 255 - mean) / deviation.
constants = {
    "c255": np.float32(255), "mean": uniform(INPUTS), "deviation": uniform(INPUTS, low=0.5, high=2.0),
    "1.weight": uniform(HIDDEN, INPUTS), "1.bias": uniform(HIDDEN),
    "2.weight": uniform(HIDDEN), "2.bias": uniform(HIDDEN),
    "2.running_mean": uniform(HIDDEN), "2.running_var": uniform(HIDDEN, low=0.1, high=2.0),
    "5.weight": uniform(HIDDEN, HIDDEN), "5.bias": uniform(HIDDEN),
    "6.weight": uniform(HIDDEN), "6.bias": uniform(HIDDEN),
    "8.weight": uniform(OUTPUTS, HIDDEN), "8.bias": uniform(OUTPUTS),
}
nodes = [
    node("Div", ["x", "c255"], ["a"]), node("Sub", ["a", "mean"], ["b"]), node("Div", ["b", "deviation"], ["c"]),
    node("Flatten", ["c"], ["d"], axis=1),
    node("Gemm", ["d", "1.weight", "1.bias"], ["e"], transB=1),
    node("BatchNormalization", ["e", "2.weight", "2.bias", "2.running_mean", "2.running_var"], ["f"], epsilon=1e-5),
    node("LeakyRelu", ["f"], ["g"], alpha=0.1), node("Dropout", ["g"], ["h"]),
    node("Gemm", ["h", "5.weight", "5.bias"], ["i"], transB=1, alpha=0.5, beta=2.0),
    node("LayerNormalization", ["i", "6.weight", "6.bias"], ["j"], axis=-1, epsilon=1e-5),
    node("Tanh", ["j"], ["k"]),
    node("Gemm", ["k", "8.weight", "8.bias"], ["logits"], transB=1),
]
expected["torch.onnx"] = run(onnx_model("torch", nodes, constants, "logits"))

# As Keras's exporters write Rescaling, Reshape, Dense(relu), BatchNormalization, Dense(softmax): the shape is computed, the normalization
# stands behind the activation, a weight is transposed in the graph.
constants = {
    "scale": np.float32(1 / 255), "w0": uniform(HIDDEN, INPUTS), "b0": uniform(HIDDEN),
    "gamma": uniform(HIDDEN), "beta": uniform(HIDDEN), "mean": uniform(HIDDEN), "variance": uniform(HIDDEN, low=0.1),
    "w1": uniform(HIDDEN, OUTPUTS), "b1": uniform(OUTPUTS),
}
constants["variance"] = np.abs(constants["variance"])
nodes = [
    node("Cast", ["x"], ["a"], to=onnx.TensorProto.FLOAT), node("Mul", ["a", "scale"], ["b"]),
    node("Shape", ["b"], ["s"], start=0, end=1),
    node("Constant", [], ["m"], value=numpy_helper.from_array(np.array([-1], np.int64))),
    node("Concat", ["s", "m"], ["shape"], axis=0), node("Reshape", ["b", "shape"], ["c"]),
    node("Transpose", ["w0"], ["w0t"], perm=[1, 0]),
    node("MatMul", ["c", "w0t"], ["d"]), node("Add", ["d", "b0"], ["e"]), node("Relu", ["e"], ["f"]),
    node("BatchNormalization", ["f", "gamma", "beta", "mean", "variance"], ["g"], epsilon=1e-3),
    node("MatMul", ["g", "w1"], ["h"]), node("Add", ["b1", "h"], ["logits"]), node("Softmax", ["logits"], ["p"], axis=-1),
]
model = onnx_model("keras", nodes, constants, "p", input_shape=(1, 2, 3))
model.graph.output.append(helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", OUTPUTS]))
expected["keras.onnx"] = run(model, "logits")

# scikit-learn, as ONNX and as arrays.
labels = (x.sum(1) % 3).astype(int)
labels[:3] = [0, 1, 2]
scikit = make_pipeline(StandardScaler(), MLPClassifier((HIDDEN,), activation="tanh", max_iter=50, random_state=1)).fit(x, labels)
model = skl2onnx.to_onnx(scikit, x[:1], options={"zipmap": False}, target_opset=17)
onnx.save(model, HERE / "sklearn.onnx")
probabilities = scikit.predict_proba(x)
expected["sklearn.onnx"] = np.log(probabilities)
mlp = scikit[-1]
arrays = {f"coefs_{i}": a for i, a in enumerate(mlp.coefs_)} | {f"intercepts_{i}": a for i, a in enumerate(mlp.intercepts_)}
np.savez_compressed(HERE / "sklearn.npz", **arrays)
expected["sklearn.npz"] = np.log(mlp.predict_proba(x / np.float32(255)))

# Arrays as in many a script, saved in Fortran's order.
w1, b1, w2, b2 = uniform(INPUTS, HIDDEN), uniform(HIDDEN), uniform(HIDDEN, OUTPUTS), uniform(OUTPUTS)
np.savez(HERE / "script.npz", W1=np.asfortranarray(w1), b1=b1, W2=w2, b2=b2)
expected["script.npz"] = np.maximum(x / 255 @ w1 + b1, 0) @ w2 + b2

# A state_dict of nn.Sequential(Linear, BatchNorm1d, ReLU, Linear), in float16 and float64 too.
state = {
    "0.weight": uniform(HIDDEN, INPUTS).astype(np.float16), "0.bias": uniform(HIDDEN).astype(np.float64),
    "1.weight": uniform(HIDDEN), "1.bias": uniform(HIDDEN), "1.running_mean": uniform(HIDDEN),
    "1.running_var": uniform(HIDDEN, low=0.1, high=2.0), "1.num_batches_tracked": np.array(7),
    "3.weight": uniform(OUTPUTS, HIDDEN), "3.bias": uniform(OUTPUTS),
}
save_file(state, HERE / "torch.safetensors")
h = x / 255 @ state["0.weight"].T.astype(np.float64) + state["0.bias"]
h = (h - state["1.running_mean"]) / np.sqrt(state["1.running_var"] + 1e-5) * state["1.weight"] + state["1.bias"]
expected["torch.safetensors"] = np.maximum(h, 0) @ state["3.weight"].T + state["3.bias"]

rows = {name: [[float(f"{value:.9g}") for value in row] for row in values] for name, values in expected.items()}
(HERE / "expected.json").write_text(json.dumps({"x": x.astype(int).tolist(), **rows}) + "\n")
