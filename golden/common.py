"""What the scripts share: networks, IDX files, one epoch of training, versions, JSON."""

import gzip
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent

torch.set_num_threads(1)


def versions():
    """What a recorded number depends on besides the script."""
    return {"torch": torch.__version__, "cpu_capability": torch.backends.cpu.get_cpu_capability()}


def mlp(model):
    """`20-7-3` -> Linear, ReLU, Linear with PyTorch's default initial weights."""
    widths = [int(width) for width in model.split("-")]
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def samples_per_update(update, samples):
    """`epoch` -> all, `batch:10` -> 10, `sample` -> 1."""
    return {"epoch": samples, "sample": 1}.get(update) or int(update.removeprefix("batch:"))


def read_idx(path):
    """The u8 array of an IDX file, raw or `.gz`."""
    data = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
    dimensions = data[3]
    shape = np.frombuffer(data, ">u4", dimensions, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_split(folder, prefix):
    """Images as f32 [samples, pixels] in 0..1 and labels as i64 [samples]; `prefix` is `train` or `t10k`."""
    images = read_idx(Path(folder) / f"{prefix}-images-idx3-ubyte")
    labels = read_idx(Path(folder) / f"{prefix}-labels-idx1-ubyte")
    fractions = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return torch.from_numpy(fractions), torch.from_numpy(labels.astype(np.int64))


def train_epoch(net, optim, images, targets, order, size, loss=F.cross_entropy, schedule=None):
    """One pass, `size` samples per update; the last update may have fewer.

    Returns the sample-weighted mean of each update's loss at the weights before it, penalties of layers left out.
    """
    net.train()
    total = 0.0
    for batch in order.split(size):
        value = loss(net(images[batch]), targets[batch])
        optim.zero_grad()
        (value + penalties(net)).backward()
        optim.step()
        if schedule is not None:
            schedule.step()
        total += value.item() * len(batch)
    return total / len(order)


def penalties(net):
    """What layers of `net` added to the objective in the last forward pass."""
    return sum(module.penalty for module in net if hasattr(module, "penalty"))


@torch.no_grad()
def evaluate(net, images, targets, loss=F.cross_entropy):
    """Mean loss, and the fraction classified correctly where targets are classes."""
    net.eval()
    outputs = net(images)
    if targets.ndim > 1:
        return loss(outputs, targets).item(), None
    correct = (outputs.argmax(dim=1) == targets).sum().item()
    return loss(outputs, targets).item(), correct / len(targets)


def write_json(path, record):
    """Two levels of indentation at most: long arrays stay on one line. Floats are shortest round-trip f64."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"  {json.dumps(key)}: {json_value(value)}" for key, value in record.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def json_value(value):
    """One line, except for a list of records: one line each."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"    {json.dumps(row, allow_nan=False)}" for row in value) + "\n  ]"
    return json.dumps(value, allow_nan=False)
