"""Every activation of torch.nn.functional and its derivative, in f64, on a grid with extremes.

Writes activations/<case>.json.
"""

import numpy as np
import torch
from torch import nn

from common import HERE, versions, write_json

EXTREMES = [0.0, 1e-37, 1e-17, 1e-8, 1e-3, 0.7071067811865476, 19.999, 20.0, 20.001, 37.0, 100.0, 745.2, 1e4]

# spec and module; the default of each is PyTorch's
CASES = {
    "identity": ("identity", nn.Identity()),
    "relu": ("relu", nn.ReLU()),
    "leaky-relu": ("leaky-relu", nn.LeakyReLU()),
    "leaky-relu-slope": ("leaky-relu:negative_slope=0.2", nn.LeakyReLU(0.2)),
    "prelu": ("prelu", nn.PReLU()),
    "prelu-init": ("prelu:slope=-0.5", nn.PReLU(init=-0.5)),
    "elu": ("elu", nn.ELU()),
    "elu-alpha": ("elu:alpha=0.5", nn.ELU(0.5)),
    "selu": ("selu", nn.SELU()),
    "celu": ("celu", nn.CELU()),
    "celu-alpha": ("celu:alpha=2.5", nn.CELU(2.5)),
    "gelu": ("gelu", nn.GELU()),
    "gelu-tanh": ("gelu-tanh", nn.GELU(approximate="tanh")),
    "silu": ("silu", nn.SiLU()),
    "mish": ("mish", nn.Mish()),
    "softplus": ("softplus", nn.Softplus()),
    "softplus-beta": ("softplus:beta=2.0,threshold=10.0", nn.Softplus(2.0, 10.0)),
    "softsign": ("softsign", nn.Softsign()),
    "sigmoid": ("sigmoid", nn.Sigmoid()),
    "log-sigmoid": ("log-sigmoid", nn.LogSigmoid()),
    "tanh": ("tanh", nn.Tanh()),
    "tanh-shrink": ("tanh-shrink", nn.Tanhshrink()),
    "hard-tanh": ("hard-tanh", nn.Hardtanh()),
    "hard-tanh-range": ("hard-tanh:min_val=-0.5,max_val=2.0", nn.Hardtanh(-0.5, 2.0)),
    "hard-sigmoid": ("hard-sigmoid", nn.Hardsigmoid()),
    "hard-swish": ("hard-swish", nn.Hardswish()),
    "hard-shrink": ("hard-shrink", nn.Hardshrink()),
    "hard-shrink-lambd": ("hard-shrink:lambd=1.5", nn.Hardshrink(1.5)),
    "soft-shrink": ("soft-shrink", nn.Softshrink()),
    "soft-shrink-lambd": ("soft-shrink:lambd=1.5", nn.Softshrink(1.5)),
    "relu6": ("relu6", nn.ReLU6()),
}


def grid():
    """-8 to 8 by quarters, which meets every corner, and extremes of both signs; all are f32 numbers."""
    extremes = np.array(EXTREMES)
    return np.unique(np.concatenate([np.linspace(-8, 8, 65), [0.1], extremes, -extremes]).astype(np.float32)).astype(
        np.float64
    )


def record(name, spec, module):
    module = module.double()
    inputs = torch.tensor(grid(), requires_grad=True)
    outputs = module(inputs)
    outputs.sum().backward()
    gradient = inputs.grad
    assert outputs.isfinite().all() and gradient.isfinite().all(), name
    print(f"{name:20} {outputs.min().item():12.5g} to {outputs.max().item():9.5g}   {spec}")
    reference = f"torch.nn.{type(module).__name__} {torch.__version__.partition('+')[0]}"
    story = versions() | {"activation": spec, "reference": reference, "inputs": inputs.tolist()}
    numbers = {"outputs": outputs.tolist(), "gradient": gradient.tolist()}
    if name.startswith("prelu"):
        numbers["weight_gradient"] = module.weight.grad.item()  # of the sum of all outputs
    write_json(HERE / "activations" / f"{name}.json", story | numbers)


if __name__ == "__main__":
    for name, case in CASES.items():
        record(name, *case)
