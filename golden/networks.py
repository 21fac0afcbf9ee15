"""schuss's grammar of models as torch.nn.Sequential: `linear:7,elu:alpha=0.5,linear:3`."""

import torch
from torch import nn

from common import mlp
from specs import value


class ActivityL1(nn.Module):
    """Passes its input on and keeps weight Σ |x|, mean over samples, as its penalty."""

    def __init__(self, weight=1e-4):
        super().__init__()
        self.weight = weight

    def forward(self, x):
        self.penalty = self.weight * x.abs().sum(dim=1).mean()
        return x


class ActivityKl(nn.Module):
    """Passes its input on and keeps weight Σ KL(rho ‖ mean x), the mean over samples, as its penalty."""

    def __init__(self, rho=0.05, weight=1.0):
        super().__init__()
        self.rho, self.weight = rho, weight

    def forward(self, x):
        rho, mean = self.rho, x.mean(dim=0).clamp(1e-6, 1 - 1e-6)
        divergence = rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))
        self.penalty = self.weight * divergence.sum()
        return x


LAYERS = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "sigmoid": nn.Sigmoid,
    "log-sigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "activity-l1": ActivityL1,
    "activity-kl": ActivityKl,
}
# modules that are told the width of their input
WIDE = {
    "prelu": lambda width: nn.PReLU(num_parameters=width),
    "batch-norm": nn.BatchNorm1d,
    "layer-norm": nn.LayerNorm,
    "log-softmax": lambda width: nn.LogSoftmax(dim=1),
}


def layers(model):
    """`linear:7,elu:alpha=0.5` -> ("linear", ["7"]), ("elu", ["alpha=0.5"]); an item with `=` is a key of the last."""
    found = []
    for item in model.split(","):
        name, colon, argument = item.partition(":")
        if "=" in name:
            found[-1][1].append(item)
        else:
            found.append((name, [argument] if colon else []))
    return found


def network(model, inputs):
    """The network on samples of `inputs` numbers, with PyTorch's default initial weights."""
    if model[0].isdigit():
        return mlp(model)
    modules, width = [], inputs
    for name, arguments in layers(model):
        if name == "linear":
            modules.append(nn.Linear(width, int(arguments[0])))
            width = int(arguments[0])
        elif name in WIDE:
            modules.append(WIDE[name](width, *arguments))
        else:
            pairs = (argument.split("=") for argument in arguments)
            modules.append(LAYERS[name](**{key: value(text) for key, text in pairs}))
    return nn.Sequential(*modules)
