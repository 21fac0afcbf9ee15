"""The recorded stream of gradients that every optimizer follows, and how a case on it is written down.

The stream is that of a network `3-16-4`: 200 updates of its 132 weights, flat, in PyTorch's order: `0.weight` [16, 3],
`0.bias` [16], `2.weight` [4, 16], `2.bias` [4], row after row. A second one, of a network `4-4`, is square.
"""

import json
from dataclasses import dataclass, field
from typing import Callable

import numpy as np
from safetensors.numpy import save_file

from common import HERE

FOLDER = HERE / "optim_steps"
SQUARE = HERE / "square_steps"
# by the number of weights: the shapes, in PyTorch's order, of the networks `3-16-4` and `4-4`
SHAPES = {132: [(16, 3), (16,), (4, 16), (4,)], 20: [(4, 4), (4,)]}
UPDATES, EVERY = 200, 50

# How far f32, and f64 with noise on the last bits of weights and gradients (or inputs), may be from f64, relative to
# weights larger than 1. A case beyond it tests luck.
ROUNDING_LIMIT, NUDGE_LIMIT = 2e-5, 1e-8


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
    # a second trace, in f32, where the package as shipped computes less exactly than its equations
    as_shipped: Callable | None = None


def split(flat):
    """[132] -> the four tensors; [20] -> two."""
    shapes = SHAPES[len(flat)]
    parts = np.split(flat, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


def join(tensors):
    """The tensors, one after the other."""
    return np.concatenate([np.asarray(tensor).reshape(-1) for tensor in tensors])


def draw():
    """Weights, gradients of very different sizes (1e-5 to 10) with drift and hard cases, and losses, all f32."""
    random = np.random.Generator(np.random.PCG64(1))
    weights = random.standard_normal(132)
    scale = random.permutation(np.logspace(-5, 1, 132))
    gradients = scale * (random.standard_normal((UPDATES, 132)) + 0.5)
    gradients[:, 2:48:3] = 0  # the third input is dead: column 2 of 0.weight
    gradients[:120, 48] = 0  # silent, then awake: first of 0.bias
    gradients[60:, 64] = 0  # awake, then silent: first of 2.weight
    gradients[:, 128] = 0.25  # never changes: first of 2.bias
    losses = 2.3 * np.exp(-np.arange(UPDATES) / 80 + 0.1 * random.standard_normal(UPDATES)) + 0.05
    return tuple(array.astype(np.float32) for array in (weights, gradients, losses))


def draw_square():
    """Weights [20] and gradients of full rank, so that a method that takes their eigenvectors has no choice."""
    random = np.random.Generator(np.random.PCG64(2))
    weights = random.standard_normal(20)
    gradients = np.logspace(-1, 0, 20) * (random.standard_normal((UPDATES, 20)) + 0.3)
    losses = np.ones(UPDATES)
    return tuple(array.astype(np.float32) for array in (weights, gradients, losses))


def save_stream(folder, stream):
    save(folder / "stream.safetensors", dict(zip(("weights", "gradients", "losses"), stream)))


def save(path, tensors, metadata=None):
    path.parent.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, path, metadata)


def follow(trace, stream, dtype):
    """Feeds the recorded numbers to a trace."""
    return trace(*(array.astype(dtype) for array in stream))


def checkpoints(pairs, dtype):
    """Weights after every `EVERY` updates [4, 132], and likewise what is shown, or None."""
    weights, shown = zip(*list(pairs)[EVERY - 1 :: EVERY])
    assert all(row.dtype == dtype for row in weights), f"{weights[0].dtype} instead of {np.dtype(dtype)}"
    return np.stack(weights), np.stack(shown) if shown[0] is not None else None


def record(name, case, stream, folder=FOLDER, feed=follow):
    """Runs one case in f64 and, where it can be had, in f32 from the same numbers; writes <folder>/<name>."""

    def run(trace, dtype, stream=stream):
        return checkpoints(feed(trace, stream, dtype), dtype)

    exact, shown = run(case.trace, np.float64)
    nudged, _ = run(case.trace, np.float64, (nudge(stream[0]), nudge(stream[1]), stream[2]))
    tensors = {"f64": exact} if shown is None else {"f64": exact, "shown": shown}
    if case.f32:
        tensors["f32"] = run(case.trace, np.float32)[0]
    if case.as_shipped:
        tensors["as_shipped"] = run(case.as_shipped, np.float32)[0]
    check(name, case, stream[0], tensors, nudged)
    story = {"optimizer": case.spec, "reference": case.reference} | case.versions
    story |= {"note": case.note} if case.note else {}
    save(folder / f"{name}.safetensors", tensors, {"golden": json.dumps(story, separators=(",", ":"))})


def nudge(array):
    """Noise of an f64's last bits."""
    random = np.random.Generator(np.random.PCG64(4))
    return array * (1 + 2e-16 * random.integers(-3, 4, size=array.shape))


def check(name, case, start, tensors, nudged):
    """Refuses numbers that would test nothing, or luck: no movement, no finite value, rounding blown up."""
    exact = tensors["f64"]
    moved = np.abs(exact - start).max()
    gap = relative_gap(tensors["f32"], exact) if case.f32 else 0.0
    nudge = relative_gap(nudged, exact)
    print(f"{name:32} moved {moved:9.3g}   f32 {gap:.1e}   nudged f64 {nudge:.1e}   {case.spec}", flush=True)
    assert all(np.isfinite(tensor).all() for tensor in tensors.values()), f"{name} is not finite"
    assert moved > 1e-3, f"{name} hardly moves"
    assert gap < ROUNDING_LIMIT, f"{name} is unstable in f32: {gap:.1e}"
    assert nudge < NUDGE_LIMIT, f"{name} is unstable in f64: {nudge:.1e}"


def relative_gap(weights, exact):
    return np.max(np.abs(weights - exact) / np.maximum(1, np.abs(exact)))
