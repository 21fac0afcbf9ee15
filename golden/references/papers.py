"""Our own transcriptions, in f64, of methods that no package computes as published. Not an outside reference."""

import numpy as np

from specs import parse
from stream import Case, join, split


def shampoo(lr, momentum, weight_decay, eps, every):
    """Gupta, Koren, Singer 2018 (arXiv 1802.09568), algorithm 1, for matrices and vectors.

    L += g gᵀ, R += gᵀ g, both from eps I; direction = L^(-1/4) g R^(-1/4), for a vector H^(-1/2) g. The roots are
    those of updates 1, 1 + every, 1 + 2 every, ... Heavy ball: v = momentum v + direction, w -= lr v.
    """

    def step(tensor, gradient, state, update):
        gradient = gradient + weight_decay * tensor
        columns = gradient.reshape(len(gradient), -1)
        matrix = gradient.ndim == 2
        factors = [columns @ columns.T, columns.T @ columns] if matrix else [columns @ columns.T]
        statistics = state.setdefault("statistics", [eps * np.eye(len(factor)) for factor in factors])
        for sum_, factor in zip(statistics, factors):
            sum_ += factor
        if (update - 1) % every == 0:
            state["roots"] = [inverse_root(sum_, 2 * len(factors)) for sum_ in statistics]
        roots = state["roots"]
        direction = roots[0] @ gradient @ roots[1] if matrix else roots[0] @ gradient
        state["velocity"] = momentum * state.get("velocity", 0) + direction
        return tensor - lr * state["velocity"]

    return step


def inverse_root(matrix, order):
    """matrix^(-1/order) of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values ** (-1 / order)) @ vectors.T


def quickprop(lr, mu, weight_decay):
    """Fahlman 1988 (CMU-CS-88-162) as FANN 2.2 computes it, with slope = -(gradient + weight_decay w).

    After a step beyond 0.001 to one side: a parabola through the last two slopes, its step at most mu times the last
    one, plus lr slope while the slope keeps its sign. Otherwise lr slope. FANN also clamps weights to ±1500: not here.
    """
    shrink = mu / (1 + mu)

    def step(tensor, gradient, state, update):
        slope = -(gradient + weight_decay * tensor)
        last_step, last_slope = state.get("step", np.zeros_like(tensor)), state.get("slope", np.zeros_like(tensor))
        side = np.where(last_step > 0.001, 1, np.where(last_step < -0.001, -1, 0))
        linear = np.where((side == 0) | (side * slope > 0), lr * slope, 0)
        steep = side * slope > shrink * side * last_slope
        with np.errstate(divide="ignore", invalid="ignore"):
            parabola = last_step * slope / (last_slope - slope)
        state["step"] = linear + np.where(side == 0, 0, np.where(steep, mu * last_step, parabola))
        state["slope"] = slope
        assert np.abs(tensor + state["step"]).max() < 1500, "FANN would clamp here"
        return tensor + state["step"]

    return step


METHODS = {
    "shampoo": (shampoo, "arXiv 1802.09568, algorithm 1; own transcription"),
    "quickprop": (quickprop, "Fahlman 1988, CMU-CS-88-162, in FANN's form; own transcription"),
}

SPECS = {
    "shampoo-every": "shampoo:lr=0.1,momentum=0,weight_decay=0,eps=0.1,every=10",
    "shampoo-momentum": "shampoo:lr=0.03,momentum=0.9,weight_decay=0,eps=1.0,every=1",
    "shampoo-all": "shampoo:lr=0.03,momentum=0.8,weight_decay=0.01,eps=0.1,every=7",
    "quickprop": "quickprop:lr=0.01,mu=1.0,weight_decay=0",
    "quickprop-lr": "quickprop:lr=0.001,mu=0.9,weight_decay=0",
    "quickprop-decay": "quickprop:lr=0.01,mu=0.8,weight_decay=0.0001",
}


def follower(spec):
    name, options = parse(spec)

    def trace(weights, gradients, losses):
        step = METHODS[name][0](**options)
        tensors = split(weights)
        states = [{} for _ in tensors]
        for update, gradient in enumerate(gradients, start=1):
            tensors = [step(*parts, update) for parts in zip(tensors, split(gradient), states)]
            yield join(tensors), None

    return trace


def cases():
    versions = {"numpy": np.__version__}
    return {
        key: Case(spec, METHODS[parse(spec)[0]][1], follower(spec), versions, f32=False) for key, spec in SPECS.items()
    }
