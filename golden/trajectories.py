"""Trains small networks in PyTorch and records where they start, end, and what they lose on the way.

Writes data/ (a small IDX data set) and trajectories/<case>/{init,final}.safetensors and case.json.
"""

import copy
import struct
import zlib

import numpy as np
import torch
from safetensors.torch import save_file

from common import HERE, evaluate, mlp, read_split, samples_per_update, train_epoch, versions, write_json
from references.torch_optim import optimizer

DATA = HERE / "data"
HEIGHT, WIDTH, CLASSES = 5, 4, 3
SAMPLES = {"train": 123, "t10k": 40}  # 123 = 12 x 10 + 3 = 2 x 50 + 23: the last update is partial

# Rounding alone may move a weight or a loss this far from the same training in f64. A case beyond it would
# test luck, not arithmetic: a ReLU on its edge flips and the trajectories part.
ROUNDING_LIMIT = 5e-6

# name, model, optimizer, epochs; the case is called <update rule>-<name>
CASES = {
    "epoch": [
        ("sgd", "20-3", "sgd:lr=0.5", 14),
        ("sgd-momentum", "20-7-3", "sgd:lr=0.2,momentum=0.9", 40),
        ("sgd-nesterov-decay", "20-17-9-3", "sgd:lr=0.1,momentum=0.9,nesterov=true,weight_decay=0.01", 30),
        ("sgd-dampening", "20-7-3", "sgd:lr=0.3,momentum=0.9,dampening=0.3", 40),
        ("adam", "20-7-3", "adam:lr=0.01", 40),
        ("adam-decay", "20-33-16-12-3", "adam:lr=0.005,weight_decay=0.01", 20),
    ],
    "batch:10": [
        ("sgd", "20-17-9-3", "sgd:lr=0.1", 10),
        ("sgd-momentum", "20-7-3", "sgd:lr=0.05,momentum=0.9", 10),
        ("sgd-dampening", "20-7-3", "sgd:lr=0.05,momentum=0.9,dampening=0.3", 10),
        ("sgd-nesterov", "20-17-9-3", "sgd:lr=0.02,momentum=0.9,nesterov=true", 10),
        ("sgd-decay", "20-7-3", "sgd:lr=0.1,weight_decay=0.01", 10),
        ("sgd-momentum-decay", "20-7-3", "sgd:lr=0.05,momentum=0.9,weight_decay=0.01", 10),
        ("sgd-nesterov-decay", "20-7-3", "sgd:lr=0.05,momentum=0.9,nesterov=true,weight_decay=0.01", 10),
        ("sgd-dampening-decay", "20-7-3", "sgd:lr=0.05,momentum=0.9,dampening=0.3,weight_decay=0.01", 10),
        ("sgd-deep", "20-33-16-12-3", "sgd:lr=0.05,momentum=0.9", 5),
        ("adam", "20-17-9-3", "adam:lr=0.003", 8),
        ("adam-betas", "20-7-3", "adam:lr=0.003,beta1=0.7,beta2=0.9", 8),
        ("adam-decay", "20-7-3", "adam:lr=0.003,weight_decay=0.01", 8),
        ("adam-eps", "20-7-3", "adam:lr=0.003,eps=0.001", 8),
    ],
    "batch:50": [
        ("sgd", "20-7-3", "sgd:lr=0.2", 20),
        ("sgd-momentum-decay", "20-17-9-3", "sgd:lr=0.05,momentum=0.9,weight_decay=0.01", 20),
        ("adam", "20-33-16-12-3", "adam:lr=0.002", 12),
        ("adam-betas-decay", "20-3", "adam:lr=0.01,beta1=0.8,beta2=0.99,weight_decay=0.001", 20),
    ],
    "sample": [
        ("sgd", "20-7-3", "sgd:lr=0.02", 10),
        ("sgd-linear", "20-3", "sgd:lr=0.05", 10),
        ("sgd-momentum", "20-7-3", "sgd:lr=0.003,momentum=0.9", 5),
        ("sgd-nesterov-decay", "20-17-9-3", "sgd:lr=0.002,momentum=0.9,nesterov=true,weight_decay=0.01", 3),
        ("sgd-dampening-decay", "20-3", "sgd:lr=0.01,momentum=0.9,dampening=0.3,weight_decay=0.01", 10),
        ("adam", "20-7-3", "adam:lr=0.001", 3),
        ("adam-decay", "20-3", "adam:lr=0.001,weight_decay=0.01", 10),
    ],
}


def draw_split(random, patterns, samples):
    """Every image is its class's pattern, dimmed, under noise; the last row of pixels stays dark."""
    labels = random.integers(CLASSES, size=samples)
    brightness = random.uniform(0.4, 1.0, size=(samples, 1, 1))
    noise = random.normal(0, 40, size=(samples, HEIGHT, WIDTH))
    images = np.clip(patterns[labels] * brightness + noise, 0, 255)
    images[:, -1] = 0
    return images.astype(np.uint8), labels.astype(np.uint8)


def write_idx(path, array):
    """IDX: two zeros, type 8 (u8), number of dimensions, each dimension as big-endian u32, the bytes."""
    path.write_bytes(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def write_data():
    """Our own data set under MNIST's names: three patterns of light, noisy but separable."""
    DATA.mkdir(exist_ok=True)
    random = np.random.Generator(np.random.PCG64(1))
    patterns = random.integers(256, size=(CLASSES, HEIGHT, WIDTH))
    for prefix, samples in SAMPLES.items():
        images, labels = draw_split(random, patterns, samples)
        write_idx(DATA / f"{prefix}-images-idx3-ubyte", images)
        write_idx(DATA / f"{prefix}-labels-idx1-ubyte", labels)


def train(net, optimizer_spec, update, epochs, dtype):
    """Trains `net` in `dtype`, in file order; one row per epoch, row 0 before any update."""
    images, labels = read_split(DATA, "train")
    test_images, test_labels = read_split(DATA, "t10k")
    images, test_images, net = images.to(dtype), test_images.to(dtype), net.to(dtype)
    optim = optimizer(optimizer_spec, net.parameters())
    order, size = torch.arange(len(images)), samples_per_update(update, len(images))
    history = []
    for epoch in range(epochs + 1):
        loss = train_epoch(net, optim, images, labels, order, size) if epoch else None
        eval_loss, eval_accuracy = evaluate(net, test_images, test_labels)
        updates = epoch * len(order.split(size))
        row = {"epoch": epoch, "updates": updates, "train_loss": loss}
        history.append(row | {"eval_loss": eval_loss, "eval_accuracy": eval_accuracy})
    return history


def largest_gap(net, history, exact_net, exact_history):
    """How far f32 strayed from f64, over the final weights and over the losses of all epochs."""
    pairs = zip(net.parameters(), exact_net.parameters())
    weights = max((weight.double() - exact).abs().max().item() for weight, exact in pairs)
    losses = max(
        abs(row[key] - exact[key])
        for row, exact in zip(history[1:], exact_history[1:])
        for key in ("train_loss", "eval_loss")
    )
    return weights, losses


def record(update, name, model, optimizer_spec, epochs):
    """Runs one case in f32, and beside it in f64 to know that it is stable."""
    name = f"{update.replace(':', '-')}-{name}"
    torch.manual_seed(zlib.crc32(name.encode()))
    net = mlp(model)
    exact_net = copy.deepcopy(net)
    folder = HERE / "trajectories" / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), folder / "init.safetensors")
    history = train(net, optimizer_spec, update, epochs, torch.float32)
    save_file(net.state_dict(), folder / "final.safetensors")

    exact_history = train(exact_net, optimizer_spec, update, epochs, torch.float64)
    weight_gap, loss_gap = largest_gap(net, history, exact_net, exact_history)
    updates = history[-1]["updates"]
    print(f"{name:30} {updates:5} updates  f32 to f64: weights {weight_gap:.1e} losses {loss_gap:.1e}")
    assert max(weight_gap, loss_gap) < ROUNDING_LIMIT, f"{name} is unstable; take a lower learning rate"
    assert all(a["eval_accuracy"] == b["eval_accuracy"] for a, b in zip(history, exact_history)), name

    write_json(
        folder / "case.json",
        versions()
        | {
            "data": "golden/data",
            "model": model,
            "update": update,
            "order": "sequential",
            "optimizer": optimizer_spec,
            "loss": "cross-entropy",
            "epochs": epochs,
            "updates": updates,
            "weight_gap_to_f64": weight_gap,
            "loss_gap_to_f64": loss_gap,
            "history": history,
        },
    )


if __name__ == "__main__":
    write_data()
    for update, cases in CASES.items():
        for case in cases:
            record(update, *case)
