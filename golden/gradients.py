"""Logits, loss and every gradient of small networks, from PyTorch in f64.

Inputs and weights are f32 numbers, so that f32 code starts from the same place. Writes gradients/<case>.json.
"""

import zlib

import torch
from torch.nn import functional as F

from common import HERE, mlp, versions, write_json

# name, model, samples, factor on PyTorch's default initial weights and biases
CASES = [
    ("one-layer", "20-3", 7, 1.0),
    ("one-sample", "20-7-3", 1, 1.0),
    ("two-layers", "20-7-3", 10, 1.0),
    ("three-layers", "20-17-9-3", 23, 1.0),
    ("four-layers", "20-33-16-12-3", 5, 1.0),
    ("one-input-two-classes", "1-16-2", 4, 1.0),
    ("one-class", "5-4-1", 3, 1.0),  # softmax over one logit: no loss, no gradient
    ("many-classes", "3-15-65", 6, 1.0),
    ("logits-in-the-thousands", "20-33-3", 9, 300.0),  # exp overflows unless the largest logit is taken off
    ("all-weights-zero", "20-7-3", 8, 0.0),  # every ReLU on its edge: its derivative there is 0
]


def draw(model, samples, factor):
    """A network in f64 and a batch; all values are f32 numbers."""
    net = mlp(model)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(factor)
    widths = [int(width) for width in model.split("-")]
    inputs = torch.randint(256, (samples, widths[0])).float() / 255
    labels = torch.randint(widths[-1], (samples,))
    return net.double(), inputs.double(), labels


def named(tensors):
    """One record per tensor, its values row after row; a weight's shape is [outputs, inputs]."""
    return [{"name": name, "shape": list(t.shape), "values": t.flatten().tolist()} for name, t in tensors]


def record(name, model, samples, factor):
    """Forward and backward of one batch."""
    torch.manual_seed(zlib.crc32(name.encode()))
    net, inputs, labels = draw(model, samples, factor)
    logits = net(inputs)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    print(f"{name:25} loss {loss.item():.6g} largest logit {logits.abs().max().item():.3g}")
    write_json(
        HERE / "gradients" / f"{name}.json",
        versions()
        | {
            "model": model,
            "samples": samples,
            "inputs": inputs.flatten().tolist(),
            "labels": labels.tolist(),
            "parameters": named(net.named_parameters()),
            "logits": logits.flatten().tolist(),
            "loss": loss.item(),
            "gradients": named((name, parameter.grad) for name, parameter in net.named_parameters()),
        },
    )


if __name__ == "__main__":
    for case in CASES:
        record(*case)
