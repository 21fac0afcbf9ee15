"""Layers forward and backward, in f64, from torch.nn. Writes layers/<case>.json."""

import copy
import zlib

import torch
from torch import nn

from common import HERE, versions, write_json

SAMPLES, WIDTH = 7, 5

CASES = {
    "batch-norm": ("batch-norm", nn.BatchNorm1d(WIDTH)),
    "batch-norm-options": ("batch-norm:eps=0.01,momentum=0.3", nn.BatchNorm1d(WIDTH, eps=0.01, momentum=0.3)),
    "batch-norm-plain": ("batch-norm", nn.BatchNorm1d(WIDTH, affine=False)),
    "batch-norm-eval": ("batch-norm", nn.BatchNorm1d(WIDTH).eval()),
    "layer-norm": ("layer-norm", nn.LayerNorm(WIDTH)),
    "layer-norm-eps": ("layer-norm:eps=0.01", nn.LayerNorm(WIDTH, eps=0.01)),
    "layer-norm-plain": ("layer-norm", nn.LayerNorm(WIDTH, elementwise_affine=False)),
    "log-softmax": ("log-softmax", nn.LogSoftmax(dim=1)),
}

# Layers of images, [channels, height, width].
IMAGES = {
    "flatten": ("flatten", nn.Flatten(), (2, 3, 4)),
    "avg-pool": ("avg-pool:2", nn.AvgPool2d(2), (2, 4, 6)),
    "avg-pool-remainder": ("avg-pool:3", nn.AvgPool2d(3), (3, 7, 5)),
    "avg-pool-whole": ("avg-pool:4", nn.AvgPool2d(4), (1, 4, 4)),
}


def draw(name):
    """Rows of ordinary size and what is hard: an equal row, ±1e4 for softmax, an equal column for batch-norm.

    All are f32 numbers.
    """
    torch.manual_seed(zlib.crc32(name.encode()))
    inputs = (torch.randn(SAMPLES, WIDTH) * 3 + 1).double()
    inputs[2] = 0.75
    if "softmax" in name:
        inputs[3] = torch.tensor([1e4, -1e4, 0, 1e4, 1.0])
    if "batch-norm" in name:
        inputs[:, 4] = 2.5
    return inputs.requires_grad_(), torch.randn(SAMPLES, WIDTH).double()


def randomise(module):
    """Parameters and running statistics away from 0 and 1."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_().add_(0.5)
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)


def floats(state):
    return {name: tensor.tolist() for name, tensor in state.items() if tensor.is_floating_point()}


def record(name, spec, module):
    inputs, upstream = draw(name)
    randomise(module)
    module = module.double()
    before = copy.deepcopy(module.state_dict())
    outputs = module(inputs)
    outputs.backward(upstream)
    gradients = {f"{key}_gradient": parameter.grad.tolist() for key, parameter in module.named_parameters()}
    print(f"{name:20} largest output {outputs.abs().max().item():.4g}, gradient {inputs.grad.abs().max().item():.4g}")
    reference = f"torch.nn.{type(module).__name__} {torch.__version__.partition('+')[0]}"
    story = versions() | {"layer": spec, "reference": reference, "training": module.training}
    shape = {"samples": SAMPLES, "outputs_per_sample": WIDTH}
    flat = {
        "inputs": inputs.flatten().tolist(),
        "outputs": outputs.flatten().tolist(),
        "output_gradient": upstream.flatten().tolist(),
        "input_gradient": inputs.grad.flatten().tolist(),
    }
    running = {f"{k}_after": v for k, v in floats(module.state_dict()).items() if k.startswith("running")}
    write_json(HERE / "layers" / f"{name}.json", story | shape | floats(before) | flat | gradients | running)


def record_images(name, spec, module, image):
    torch.manual_seed(zlib.crc32(name.encode()))
    inputs = torch.randn(SAMPLES, *image).double().requires_grad_()
    outputs = module(inputs).flatten(1)
    upstream = torch.randn(outputs.shape).double()
    outputs.backward(upstream)
    print(f"{name:20} largest output {outputs.abs().max().item():.4g}, gradient {inputs.grad.abs().max().item():.4g}")
    reference = f"torch.nn.{type(module).__name__} {torch.__version__.partition('+')[0]}"
    story = versions() | {"layer": spec, "reference": reference, "training": True}
    shape = {"samples": SAMPLES, "image": image, "outputs_per_sample": outputs.shape[1]}
    flat = {
        "inputs": inputs.flatten().tolist(),
        "outputs": outputs.flatten().tolist(),
        "output_gradient": upstream.flatten().tolist(),
        "input_gradient": inputs.grad.flatten().tolist(),
    }
    write_json(HERE / "layers" / f"{name}.json", story | shape | flat)


if __name__ == "__main__":
    for name, case in CASES.items():
        record(name, *case)
    for name, case in IMAGES.items():
        record_images(name, *case)
