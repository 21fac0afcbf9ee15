"""What the Python peers share: the work asked for, the data, the clock and the line of JSON."""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np

PIXELS = 784
TRAINING_SET = 60_000
WARM_UP_UPDATES = 100


@dataclasses.dataclass(frozen=True)
class Work:
    """One workload; `update` and `optimizer` are written as schuss writes them."""

    update: str
    optimizer: str
    model: str  # widths, 784-400-256-10; what takes pixels gets MNIST, everything else the table
    samples: int  # of the shuffled training set, per epoch
    epochs: int
    microbatch: int  # samples per forward pass, where the peer accumulates gradients
    seed: int
    threads: int
    passes: int  # over the samples to predict; 0 where it is trained
    block: int  # rows per forward pass of a prediction

    @property
    def widths(self):
        return [int(width) for width in self.model.split("-")]

    @property
    def training_set(self):
        """Samples of a whole epoch."""
        return TRAINING_SET if self.widths[0] == PIXELS else self.samples

    @property
    def samples_per_update(self):
        return {"epoch": self.samples, "sample": 1}.get(self.update) or int(self.update.removeprefix("batch:"))

    @property
    def samples_per_pass(self):
        return min(self.samples_per_update, self.microbatch)

    def optimizer_options(self):
        """`sgd:lr=0.1,momentum=0.9` -> ("sgd", {"lr": 0.1, "momentum": 0.9})."""
        name, _, options = self.optimizer.partition(":")
        return name, {key: float(value) for key, value in (pair.split("=") for pair in options.split(","))}


def parser(description):
    """The arguments every peer takes."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("data", type=Path, help="folder with MNIST's IDX files, not compressed, and what tables.py writes")
    arguments.add_argument("--update", default="batch:100", help="epoch | batch:N | sample")
    arguments.add_argument("--optimizer", default="sgd:lr=0.1", help="sgd:lr=0.1,momentum=0.9 | adam:lr=0.001")
    arguments.add_argument("--model", default="784-400-256-10", help="its widths")
    arguments.add_argument("--samples", type=int, default=TRAINING_SET, help="samples per epoch")
    arguments.add_argument("--epochs", type=int, default=1)
    arguments.add_argument("--microbatch", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--device", default="cpu", help="cpu, or a graphics card as the peer calls it: cuda")
    arguments.add_argument("--passes", type=int, default=0, help="predict the test samples as often, with WEIGHTS")
    arguments.add_argument("--block", type=int, default=1000, help="rows per forward pass of a prediction")
    arguments.add_argument("--weights", type=Path, help="model.safetensors to predict with")
    return arguments


def work_of(chosen):
    """The workload among the parsed arguments, whose updates must cut into equal passes."""
    work = Work(**{field.name: getattr(chosen, field.name) for field in dataclasses.fields(Work)})
    if work.samples_per_update % work.samples_per_pass:
        raise SystemExit("error: samples per update and microbatch must divide without rest")
    return work


def read(folder, work, split):
    """`train` or `test` of the work's data: samples as f32 [n, inputs], pixels in 0..1; their classes as i64 [n]."""
    if work.widths[0] != PIXELS:
        table = np.load(folder / ("many.npz" if work.passes else "small.npz"))
        return table[f"x_{split}"], table[f"y_{split}"]
    prefix = {"train": "train", "test": "t10k"}[split]
    images = np.fromfile(folder / f"{prefix}-images-idx3-ubyte", np.uint8)[16:].reshape(-1, PIXELS)
    labels = np.fromfile(folder / f"{prefix}-labels-idx1-ubyte", np.uint8)[8:]
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)


def initial_layers(rng, widths):
    """PyTorch's default start: a weight [inputs, outputs] and a bias per layer, uniform in ±1/sqrt(inputs)."""
    for inputs, outputs in zip(widths, widths[1:]):
        bound = inputs**-0.5
        yield (
            rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32),
            rng.uniform(-bound, bound, outputs).astype(np.float32),
        )


def saved_layers(path):
    """A weight [inputs, outputs] and a bias per layer, of a safetensors file that holds weights [outputs, inputs]."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])

    def tensor(name):
        (first, last), shape = header[name]["data_offsets"], header[name]["shape"]
        return np.frombuffer(data[begin + first : begin + last], np.float32).reshape(shape)

    layers = sorted((int(name.partition(".")[0]) for name in header if name.endswith(".weight")))
    return [(np.ascontiguousarray(tensor(f"{n}.weight").T), tensor(f"{n}.bias")) for n in layers]


def race_predictions(peer, version, work, predict, labels):
    """Times `predict()` -> classes of all test samples, `work.passes` times after a first one, and prints the record."""
    started = time.perf_counter()
    predict()
    begun = time.perf_counter()
    for _ in range(work.passes):
        classes = predict()
    seconds = time.perf_counter() - begun
    record = {
        "peer": peer,
        "version": version,
        "workload": f"predict {work.model}",
        "threads": work.threads,
        "samples": len(labels) * work.passes,
        "seconds": seconds,
        "epoch_seconds": seconds / work.passes,
        "accuracy": float((np.asarray(classes) == labels).mean()),
        "warmup_seconds": begun - started,
    }
    print(json.dumps(record))


def race(peer, version, work, new_training, warm_up=None):
    """Times `work` on a fresh network, after a warm-up on another, and prints the record.

    `new_training()` -> a function that trains so many more epochs on their first N shuffled samples and returns the
    mean of the last epoch's losses, each at the weights before its update. `warm_up`: (samples, epochs).
    """
    started = time.perf_counter()
    new_training()(*(warm_up or (min(work.samples, WARM_UP_UPDATES * work.samples_per_update), 1)))
    warmed_up = time.perf_counter()
    train = new_training()
    begun = time.perf_counter()
    train_loss = float(train(work.samples, work.epochs))
    seconds = time.perf_counter() - begun
    record = {
        "peer": peer,
        "version": version,
        "workload": f"{work.update} {work.optimizer}",
        "threads": work.threads,
        "samples": work.samples * work.epochs,
        "seconds": seconds,
        "epoch_seconds": seconds / (work.samples * work.epochs) * work.training_set,
        "train_loss": train_loss,
        "warmup_seconds": warmed_up - started,
    }
    print(json.dumps(record))
