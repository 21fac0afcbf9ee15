"""What the Python peers share: the work asked for, the data, the clock and the line of JSON."""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np

WIDTHS = (784, 400, 256, 10)
TRAINING_SET = 60_000
WARM_UP_UPDATES = 100


@dataclasses.dataclass(frozen=True)
class Work:
    """One workload; `update` and `optimizer` are written as schuss writes them."""

    update: str
    optimizer: str
    samples: int  # of the shuffled training set, per epoch
    epochs: int
    microbatch: int  # samples per forward pass, where the peer accumulates gradients
    seed: int
    threads: int

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
    arguments.add_argument("mnist", type=Path, help="folder with MNIST's IDX files, not compressed")
    arguments.add_argument("--update", default="batch:100", help="epoch | batch:N | sample")
    arguments.add_argument("--optimizer", default="sgd:lr=0.1", help="sgd:lr=0.1,momentum=0.9 | adam:lr=0.001")
    arguments.add_argument("--samples", type=int, default=TRAINING_SET, help="samples per epoch")
    arguments.add_argument("--epochs", type=int, default=1)
    arguments.add_argument("--microbatch", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    return arguments


def work_of(chosen):
    """The workload among the parsed arguments, which must cut into equal updates and passes."""
    work = Work(**{field.name: getattr(chosen, field.name) for field in dataclasses.fields(Work)})
    if work.samples % work.samples_per_update or work.samples_per_update % work.samples_per_pass:
        raise SystemExit("error: samples per epoch, update and microbatch must divide without rest")
    return work


def read_training_set(folder):
    """Images as f32 [60000, 784] in 0..1, and their labels as i64."""
    images = np.fromfile(folder / "train-images-idx3-ubyte", np.uint8)[16:].reshape(-1, WIDTHS[0])
    labels = np.fromfile(folder / "train-labels-idx1-ubyte", np.uint8)[8:]
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)


def initial_layers(rng):
    """PyTorch's default start: a weight [inputs, outputs] and a bias per layer, uniform in ±1/sqrt(inputs)."""
    for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
        bound = inputs**-0.5
        yield (
            rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32),
            rng.uniform(-bound, bound, outputs).astype(np.float32),
        )


def race(peer, version, work, new_training, warm_up_samples=None):
    """Times `work` on a fresh network, after a warm-up on another, and prints the record.

    `new_training()` -> a function that trains one more epoch on its first N shuffled samples and returns the mean
    of the updates' losses, each at the weights before the update.
    """
    started = time.perf_counter()
    new_training()(warm_up_samples or min(work.samples, WARM_UP_UPDATES * work.samples_per_update))
    warmed_up = time.perf_counter()
    train_epoch = new_training()
    begun = time.perf_counter()
    for _ in range(work.epochs):
        train_loss = float(train_epoch(work.samples))
    seconds = time.perf_counter() - begun
    record = {
        "peer": peer,
        "version": version,
        "workload": f"{work.update} {work.optimizer}",
        "threads": work.threads,
        "samples": work.samples * work.epochs,
        "seconds": seconds,
        "epoch_seconds": seconds / (work.samples * work.epochs) * TRAINING_SET,
        "train_loss": train_loss,
        "warmup_seconds": warmed_up - started,
    }
    print(json.dumps(record))
