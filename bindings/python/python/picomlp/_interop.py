"""Networks of other libraries as NumPy archives with the layers' kinds, which the native half reads."""

import io
import json
import tempfile
from pathlib import Path

import numpy as np


def packed(layers):
    """An archive of layers, each a kind, its settings, and its weight and bias if it has them."""
    arrays, kinds = {}, []
    for i, (kind, settings, *params) in enumerate(layers):
        kinds.append({"kind": kind, **settings})
        for name, values in zip(("weight", "bias", "running_mean", "running_var"), params):
            if values is not None:
                arrays[f"{i}.{name}"] = np.asarray(values, dtype=np.float64)
    metadata = json.dumps({"picomlp.layers": json.dumps(kinds)}).encode()
    file = io.BytesIO()
    np.savez(file, picomlp=np.array(metadata), **arrays)
    return file.getvalue()


def unpacked(archive):
    """The parameters and the metadata of an archive."""
    with np.load(io.BytesIO(archive)) as arrays:
        params = {name: arrays[name] for name in arrays.files}
    return params, json.loads(params.pop("picomlp").item())


def of_torch(module):
    """The file, its format and the number of inputs of a module."""
    import torch
    from torch import nn

    from ._torch import layers

    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise ValueError("expected a module with linear layers, got none")
    inputs = linear[0].in_features
    if isinstance(module, nn.Sequential):
        return packed(layers(module)), "npz", inputs
    # What forward() does is known to the exporter alone.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "module.onnx")
        example = torch.zeros(2, inputs, device=linear[0].weight.device, dtype=linear[0].weight.dtype)
        torch.onnx.export(module.eval(), (example,), str(path), external_data=False)
        return path.read_bytes(), "onnx", inputs


ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": "none"}


def of_sklearn(estimator):
    """The archive, the number of inputs and the classes of an estimator."""
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    *scalers, network = steps
    layers = []
    for scaler in scalers:
        if hasattr(scaler, "data_min_"):  # MinMaxScaler
            layers.append(("rescale", {}, scaler.scale_, scaler.min_))
        elif hasattr(scaler, "var_"):  # StandardScaler
            width = scaler.n_features_in_
            scale = np.ones(width) if scaler.scale_ is None else scaler.scale_
            mean = np.zeros(width) if scaler.mean_ is None else scaler.mean_
            layers.append(("rescale", {}, 1 / scale, -mean / scale))
        else:
            name = type(scaler).__name__
            raise ValueError(f"{name} has no form here: expected StandardScaler or MinMaxScaler in front of the network")
    if not hasattr(network, "coefs_"):
        raise ValueError(f"expected a fitted MLPClassifier or MLPRegressor, got {type(network).__name__}")
    classes = getattr(network, "classes_", None)
    if network.out_activation_ == "logistic" and network.n_outputs_ > 1:
        raise ValueError("the network has several labels a sample, which a classifier here has not")
    weights, biases = list(network.coefs_), list(network.intercepts_)
    if classes is not None and network.out_activation_ == "logistic":
        # One output tells two classes apart: the softmax of (0, z) is the logistic function of z.
        weights[-1] = np.hstack([np.zeros_like(weights[-1]), weights[-1]])
        biases[-1] = np.append(0, biases[-1])
    for i, (weight, bias) in enumerate(zip(weights, biases)):
        if i > 0:
            layers.append((ACTIVATIONS[network.activation], {}))
        layers.append(("dense", {}, weight.T, bias))
    return packed(layers), network.n_features_in_, classes
