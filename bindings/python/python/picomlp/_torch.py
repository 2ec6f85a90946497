"""PyTorch's modules and the layers that they are."""

import torch
from torch import nn


class Rescale(nn.Module):
    """Reads values as ``x * weight + bias``, each by itself."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)

    def forward(self, x):
        return x * self.weight + self.bias


class InputMap(nn.Module):
    """Reads raw values, such as pixels, as ``x * scale + shift``."""

    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x):
        return x * self.scale + self.shift


ACTIVATIONS = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
PASSED_OVER = (nn.Identity, nn.Dropout, nn.Flatten)


def layers(sequential):
    """Yields the layers of an ``nn.Sequential``: kind, settings, parameters."""
    modules = [m for m in sequential.modules() if not isinstance(m, (nn.Sequential, *PASSED_OVER))]
    for i, module in enumerate(modules):
        def numpy(name):
            values = getattr(module, name)
            return None if values is None else values.detach().cpu().double().numpy()

        if isinstance(module, nn.Linear):
            yield "dense", {}, numpy("weight"), numpy("bias")
        elif type(module) in ACTIVATIONS:
            yield ACTIVATIONS[type(module)], {}
        elif isinstance(module, nn.LeakyReLU):
            yield "leaky-relu", {"slope": module.negative_slope}
        elif isinstance(module, nn.BatchNorm1d) and module.affine and module.track_running_stats:
            yield "batch-norm", {"epsilon": module.eps}, *map(numpy, ("weight", "bias", "running_mean", "running_var"))
        elif isinstance(module, nn.LayerNorm) and module.bias is not None:
            yield "layer-norm", {"epsilon": module.eps}, numpy("weight"), numpy("bias")
        elif isinstance(module, Rescale):
            yield "rescale", {}, numpy("weight"), numpy("bias")
        elif isinstance(module, InputMap):
            width = next(m.in_features for m in modules if isinstance(m, nn.Linear))
            yield "rescale", {}, [module.scale] * width, [module.shift] * width
        elif isinstance(module, (nn.Softmax, nn.LogSoftmax)) and i == len(modules) - 1:
            return
        else:
            raise ValueError(f"layer {i} of the module, {module}, has no form here")


def module(state, kinds, input_map):
    """The module of a network's parameters and layers."""
    made = nn.Sequential()
    if tuple(input_map) != (1.0, 0.0):
        made.add_module("input", InputMap(*input_map))
    for i, kind in enumerate(kinds):
        weight, bias = (torch.from_numpy(state[key]) if key in state else None for key in (f"{i}.weight", f"{i}.bias"))
        match kind["kind"]:
            case "dense":
                layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
            case "rescale":
                layer = Rescale(weight, bias)
            case "layer-norm":
                layer = nn.LayerNorm(len(weight), eps=kind["epsilon"])
            case "leaky-relu":
                layer = nn.LeakyReLU(kind["slope"])
            case name:
                layer = next(cls for cls, known in ACTIVATIONS.items() if known == name)()
        if weight is not None:
            layer.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
        made.add_module(str(i), layer)
    return made.eval()
