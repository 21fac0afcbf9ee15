"""Trains small networks in PyTorch and records where they start, end, and what they lose on the way.

Writes data/ (a small IDX data set) and trajectories/<case>/{init,final}.safetensors and case.json.
"""

import copy
import struct
import zlib

import numpy as np
import torch
from safetensors.torch import save_file
from torch.optim.lr_scheduler import SequentialLR

from common import HERE, evaluate, read_split, samples_per_update, train_epoch, versions, write_json
from criteria import criterion
from networks import network
from references.torch_optim import optimizer
from schedules import options_of, scheduler
from trajectory_cases import CASES

DATA = HERE / "data"
HEIGHT, WIDTH, CLASSES = 5, 4, 3
SAMPLES = {"train": 123, "t10k": 40}  # 123 = 12 x 10 + 3 = 2 x 50 + 23: the last update is partial

# Rounding alone may move a weight or a loss this far from the same training in f64. A case beyond it would
# test luck, not arithmetic: a ReLU on its edge flips and the trajectories part.
ROUNDING_LIMIT = 5e-6


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


def schedule_of(spec, optim):
    """`linear:total_iters=10+cosine:t_max=90`: parts in turn, each as long as its `total_iters`; "" for none."""
    parts = [scheduler(part, optim) for part in spec.split("+") if part]
    lengths = [options_of(part)[1]["total_iters"] for part in spec.split("+")[:-1]]
    return SequentialLR(optim, parts, np.cumsum(lengths).tolist()) if lengths else next(iter(parts), None)


def train(net, case, dtype):
    """Trains `net` in `dtype`, in file order; one row per epoch, row 0 before any update."""
    net = net.to(dtype)
    splits = [(images.to(dtype), labels) for images, labels in (read_split(DATA, "train"), read_split(DATA, "t10k"))]
    if case.targets == "input":
        splits = [(images, images) for images, _ in splits]
    train_split, test_split = splits
    optim, loss = optimizer(case.optimizer, net.parameters()), criterion(case.loss)
    schedule = schedule_of(case.schedule, optim)
    order = torch.arange(SAMPLES["train"])
    size = samples_per_update(case.update, len(order))
    history = []
    for epoch in range(case.epochs + 1):
        train_loss = train_epoch(net, optim, *train_split, order, size, loss, schedule) if epoch else None
        eval_loss, eval_accuracy = evaluate(net, *test_split, loss)
        updates = epoch * len(order.split(size))
        row = {"epoch": epoch, "updates": updates, "train_loss": train_loss}
        history.append(row | {"eval_loss": eval_loss, "eval_accuracy": eval_accuracy})
    return history


def largest_gap(net, history, exact_net, exact_history):
    """How far f32 strayed from f64, over the final weights and over the losses of all epochs."""
    pairs = zip(net.state_dict().values(), exact_net.state_dict().values())
    weights = max((weight.double() - exact.double()).abs().max().item() for weight, exact in pairs)
    losses = max(
        abs(row[key] - exact[key])
        for row, exact in zip(history[1:], exact_history[1:])
        for key in ("train_loss", "eval_loss")
    )
    return weights, losses


def record(case):
    """Runs one case in f32, and beside it in f64 to know that it is stable."""
    name = f"{case.update.replace(':', '-')}-{case.name}"
    torch.manual_seed(zlib.crc32(name.encode()))
    net = network(case.model, HEIGHT * WIDTH)
    exact_net = copy.deepcopy(net)
    folder = HERE / "trajectories" / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), folder / "init.safetensors")
    history = train(net, case, torch.float32)
    save_file(net.state_dict(), folder / "final.safetensors")

    exact_history = train(exact_net, case, torch.float64)
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
            "model": case.model,
            "targets": case.targets,
            "update": case.update,
            "order": "sequential",
            "optimizer": case.optimizer,
            "schedule": case.schedule or "constant",
            "loss": case.loss,
            "epochs": case.epochs,
            "updates": updates,
            "weight_gap_to_f64": weight_gap,
            "loss_gap_to_f64": loss_gap,
            "history": history,
        },
    )


if __name__ == "__main__":
    write_data()
    for case in CASES:
        record(case)
