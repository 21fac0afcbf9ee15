"""200 updates of 16 weights by each optimizer on one recorded stream of gradients, in f32 and in f64.

Writes optim_steps/stream.safetensors (`weights` [16], `gradients` [200, 16]) and optim_steps/<case>.json.
"""

import torch
from safetensors.torch import save_file

from common import HERE, optimizer, versions, write_json

UPDATES, EVERY = 200, 50
WEIGHTS = 16  # fill PyTorch's vector loop, so that no scalar remainder rounds differently

CASES = {
    "sgd": "sgd:lr=0.1",
    "sgd-decay": "sgd:lr=0.1,weight_decay=0.01",
    "sgd-momentum": "sgd:lr=0.01,momentum=0.9",
    "sgd-dampening": "sgd:lr=0.01,momentum=0.9,dampening=0.3",
    "sgd-nesterov": "sgd:lr=0.01,momentum=0.9,nesterov=true",
    "sgd-momentum-decay": "sgd:lr=0.01,momentum=0.9,weight_decay=0.01",
    "sgd-dampening-decay": "sgd:lr=0.01,momentum=0.9,dampening=0.3,weight_decay=0.01",
    "sgd-nesterov-decay": "sgd:lr=0.01,momentum=0.9,nesterov=true,weight_decay=0.01",
    "adam": "adam:lr=0.001",
    "adam-betas": "adam:lr=0.003,beta1=0.7,beta2=0.9",
    "adam-eps": "adam:lr=0.001,eps=0.001",
    "adam-decay": "adam:lr=0.001,weight_decay=0.01",
    "adam-decay-betas-eps": "adam:lr=0.01,beta1=0.8,beta2=0.99,eps=1e-6,weight_decay=0.1",
}


def draw_stream():
    """Gradients of very different sizes (1e-5 to 10), with drift; the hard cases are weights 12 to 15."""
    torch.manual_seed(1)
    weights = torch.randn(WEIGHTS)
    scale = torch.logspace(-5, 1, WEIGHTS)
    gradients = scale * (torch.randn(UPDATES, WEIGHTS) + 0.5)
    gradients[:, 12] = 0  # a dead input
    gradients[:120, 13] = 0  # silent, then awake
    gradients[60:, 14] = 0  # awake, then silent
    gradients[:, 15] = 0.25  # never changes
    return weights, gradients


def run(spec, weights, gradients):
    """The weights after every `EVERY` updates, [UPDATES / EVERY][WEIGHTS]."""
    parameter = torch.nn.Parameter(weights.clone())
    optim = optimizer(spec, [parameter])
    seen = []
    for update, gradient in enumerate(gradients, start=1):
        parameter.grad = gradient.clone()
        optim.step()
        if update % EVERY == 0:
            seen.append(parameter.tolist())
    return seen


def record(name, spec, weights, gradients):
    """Both precisions of one case; the f64 run starts from the same f32 numbers."""
    rounded = run(spec, weights, gradients)
    exact = run(spec, weights.double(), gradients.double())
    rows = zip(range(EVERY, UPDATES + 1, EVERY), rounded, exact)
    checkpoints = [{"update": update, "f32": f32, "f64": f64} for update, f32, f64 in rows]
    write_json(
        HERE / "optim_steps" / f"{name}.json",
        versions() | {"optimizer": spec, "checkpoints": checkpoints},
    )
    print(f"{name:22} f32 to f64 at the end: {max(abs(a - b) for a, b in zip(rounded[-1], exact[-1])):.1e}")


if __name__ == "__main__":
    weights, gradients = draw_stream()
    folder = HERE / "optim_steps"
    folder.mkdir(exist_ok=True)
    save_file({"weights": weights, "gradients": gradients}, folder / "stream.safetensors")
    for name, spec in CASES.items():
        record(name, spec, weights, gradients)
