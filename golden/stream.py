"""The recorded stream of gradients that every optimizer follows, and how a case on it is written down.

The stream is that of a network `3-16-4`: 200 updates of its 132 weights, flat, in the order of `SHAPES`.
"""

import json
from dataclasses import dataclass, field
from typing import Callable

import numpy as np
from safetensors.numpy import save_file

from common import HERE

FOLDER = HERE / "optim_steps"
SHAPES = {"0.weight": (16, 3), "0.bias": (16,), "2.weight": (4, 16), "2.bias": (4,)}
SIZES = [int(np.prod(shape)) for shape in SHAPES.values()]
WEIGHTS = sum(SIZES)
UPDATES, EVERY = 200, 50

# How far f32 may end from f64, relative to the weight where that is larger than 1. A case beyond it tests luck.
ROUNDING_LIMIT = 2e-5


@dataclass
class Case:
    """One optimizer with one set of options, and the code that follows it."""

    spec: str
    reference: str
    # (weights [132], gradients [200, 132], losses [200]) -> after each update (weights [132], shown [132] or None),
    # all in the dtype of the weights
    trace: Callable
    versions: dict = field(default_factory=dict)
    note: str | None = None
    f32: bool = True
    rounding_limit: float = ROUNDING_LIMIT
    # a second trace, in f32, where the package as shipped computes less exactly than its equations
    as_shipped: Callable | None = None


def split(flat):
    """[132] -> the four tensors."""
    parts = np.split(flat, np.cumsum(SIZES)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, SHAPES.values())]


def join(tensors):
    """The four tensors -> [132]."""
    return np.concatenate([np.asarray(tensor).reshape(-1) for tensor in tensors])


def draw():
    """Weights, gradients of very different sizes (1e-5 to 10) with drift and hard cases, and losses, all f32."""
    random = np.random.Generator(np.random.PCG64(1))
    weights = random.standard_normal(WEIGHTS)
    scale = random.permutation(np.logspace(-5, 1, WEIGHTS))
    gradients = scale * (random.standard_normal((UPDATES, WEIGHTS)) + 0.5)
    gradients[:, 2:48:3] = 0  # the third input is dead: column 2 of 0.weight
    gradients[:120, 48] = 0  # silent, then awake: first of 0.bias
    gradients[60:, 64] = 0  # awake, then silent: first of 2.weight
    gradients[:, 128] = 0.25  # never changes: first of 2.bias
    losses = 2.3 * np.exp(-np.arange(UPDATES) / 80 + 0.1 * random.standard_normal(UPDATES)) + 0.05
    return tuple(array.astype(np.float32) for array in (weights, gradients, losses))


def save_stream(stream):
    FOLDER.mkdir(exist_ok=True)
    names = ("weights", "gradients", "losses")
    save_file({name: np.ascontiguousarray(array) for name, array in zip(names, stream)}, FOLDER / "stream.safetensors")


def checkpoints(trace, stream, dtype):
    """Weights after every `EVERY` updates [4, 132], and likewise what is shown, or None."""
    seen = list(trace(*(array.astype(dtype) for array in stream)))[EVERY - 1 :: EVERY]
    weights, shown = zip(*seen)
    assert all(row.dtype == dtype for row in weights), f"{weights[0].dtype} instead of {np.dtype(dtype)}"
    return np.stack(weights), np.stack(shown) if shown[0] is not None else None


def record(name, case, stream):
    """Runs one case in f64 and, where it can be had, in f32 from the same numbers; writes optim_steps/<name>."""
    exact, shown = checkpoints(case.trace, stream, np.float64)
    tensors = {"f64": exact} if shown is None else {"f64": exact, "shown": shown}
    if case.f32:
        tensors["f32"] = checkpoints(case.trace, stream, np.float32)[0]
    if case.as_shipped:
        tensors["as_shipped"] = checkpoints(case.as_shipped, stream, np.float32)[0]
    check(name, case, stream[0], tensors)
    story = {"optimizer": case.spec, "reference": case.reference} | case.versions
    story |= {"note": case.note} if case.note else {}
    metadata = {"golden": json.dumps(story, separators=(",", ":"))}
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, FOLDER / f"{name}.safetensors", metadata)


def check(name, case, start, tensors):
    """Refuses numbers that would test nothing, or luck: no movement, no finite value, rounding blown up."""
    exact = tensors["f64"]
    moved = np.abs(exact - start)
    assert all(np.isfinite(tensor).all() for tensor in tensors.values()), f"{name} is not finite"
    assert moved.max() > 1e-3, f"{name} hardly moves"
    gap = np.max(np.abs(tensors["f32"] - exact) / np.maximum(1, np.abs(exact))) if case.f32 else 0.0
    print(f"{name:32} moved {moved.max():9.3g}   f32 to f64 {gap:.1e}   {case.spec}", flush=True)
    assert gap < case.rounding_limit, f"{name} is unstable: {gap:.1e}"
