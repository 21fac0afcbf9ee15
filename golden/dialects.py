"""Optimizers as each system has them, with nothing given but what it gives no default for.

Follows stream.py's gradients with a learning rate that halves after 100 updates: there the forms of momentum part. Writes
dialects/<dialect>-<case>.safetensors. Burn's optimizers run in `burn/`, a Rust program that cargo builds. Arguments pick dialects.
"""

import os
import subprocess
import sys

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import sklearn
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from common import HERE
from stream import Case, draw, join, record, split

FOLDER = HERE / "dialects"
HALVED_AFTER = 100
BURN = "0.22.1"

NESTEROV = dict(momentum=0.9, nesterov=True)
KERAS = {
    "sgd": keras.optimizers.SGD,
    "sgd:momentum=0.9": lambda: keras.optimizers.SGD(momentum=0.9),
    "sgd:momentum=0.9,nesterov=true": lambda: keras.optimizers.SGD(**NESTEROV),
    "adam": keras.optimizers.Adam,
    "adam:amsgrad=true": lambda: keras.optimizers.Adam(amsgrad=True),
    "adamw": keras.optimizers.AdamW,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta:lr=1.0": lambda: keras.optimizers.Adadelta(1.0),
    "rmsprop": keras.optimizers.RMSprop,
    "rmsprop:momentum=0.9": lambda: keras.optimizers.RMSprop(momentum=0.9),
    "adamax": keras.optimizers.Adamax,
    "nadam": keras.optimizers.Nadam,
    "lion": keras.optimizers.Lion,
    "lamb": keras.optimizers.Lamb,
    "ftrl": keras.optimizers.Ftrl,
}
OPTAX = {
    "sgd:lr=0.01": optax.sgd,
    "sgd:lr=0.01,momentum=0.9": lambda lr: optax.sgd(lr, momentum=0.9),
    "sgd:lr=0.01,momentum=0.9,nesterov=true": lambda lr: optax.sgd(lr, **NESTEROV),
    "adam:lr=0.001": optax.adam,
    "adamw:lr=0.001": optax.adamw,
    "adagrad:lr=0.01": optax.adagrad,
    "adadelta:lr=1.0": optax.adadelta,
    "rmsprop:lr=0.001": optax.rmsprop,
    "rmsprop:lr=0.001,momentum=0.9": lambda lr: optax.rmsprop(lr, momentum=0.9),
    "adamax:lr=0.002": optax.adamax,
    "nadam:lr=0.002": optax.nadam,
    "nadamw:lr=0.002": optax.nadamw,
    "radam:lr=0.001": optax.radam,
    "lion:lr=0.001": optax.lion,
    "lamb:lr=0.001": optax.lamb,
    "lars:lr=0.1": optax.lars,
}
BURN_SPECS = {
    "sgd:lr=0.01": "sgd",
    "sgd:lr=0.01,momentum=0.9": "sgd-momentum",
    "sgd:lr=0.01,momentum=0.9,nesterov=true": "sgd-nesterov",
    "adam:lr=0.001": "adam",
    "adamw:lr=0.001": "adamw",
    "adagrad:lr=0.01": "adagrad",
    "rmsprop:lr=0.001": "rmsprop",
    "adan:lr=0.001": "adan",
    "lion:lr=0.001": "lion",
}
SKLEARN = {"sgd": SGDOptimizer, "adam": AdamOptimizer}


def by_keras(make):
    def trace(weights, gradients, losses):
        with jax.enable_x64(bool(weights.dtype == np.float64)):
            keras.config.set_floatx(str(weights.dtype))
            optim = make()
            variables = [keras.Variable(tensor, dtype=str(weights.dtype)) for tensor in split(weights)]
            optim.build(variables)
            rate = float(optim.learning_rate)
            for update, gradient in enumerate(gradients):
                optim.learning_rate = rate * factor(update)
                optim.apply([jnp.asarray(part) for part in split(gradient)])
                yield join([variable.numpy() for variable in variables]), None

    return trace


def by_optax(make, lr):
    def trace(weights, gradients, losses):
        with jax.enable_x64(bool(weights.dtype == np.float64)):
            rule = make(optax.piecewise_constant_schedule(lr, {HALVED_AFTER: 0.5}))
            parameters = [jnp.asarray(tensor) for tensor in split(weights)]
            state = rule.init(parameters)

            @jax.jit
            def update(parameters, state, gradient):
                steps, state = rule.update(gradient, state, parameters)
                return optax.apply_updates(parameters, steps), state

            for gradient in gradients:
                parameters, state = update(parameters, state, split(gradient))
                yield join(parameters), None

    return trace


def by_sklearn(make):
    """What MLPClassifier gives its solver by default; SGD's own rate would be 0.1."""

    def trace(weights, gradients, losses):
        tensors = [tensor.copy() for tensor in split(weights)]
        rate = MLPClassifier().learning_rate_init
        optim = make(tensors, rate)
        for update, gradient in enumerate(gradients):
            optim.learning_rate = optim.learning_rate_init = rate * factor(update)
            optim.update_params(tensors, split(gradient))
            yield join(tensors), None

    return trace


def by_burn(name, lr):
    """The weights after each update, always f32."""

    def trace(weights, gradients, losses):
        command = ["cargo", "run", "--quiet", "--manifest-path", HERE / "burn/Cargo.toml", "--", name, str(lr)]
        lines = (" ".join(map(repr, map(float, row))) for row in [weights, *gradients])
        answer = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
        for line in answer.stdout.splitlines():
            yield np.array(line.split(), dtype=weights.dtype), None

    return trace


def factor(update):
    """Of the learning rate, at the update after so many."""
    return 1.0 if update < HALVED_AFTER else 0.5


def rate(spec):
    return float(spec.split("lr=")[1].split(",")[0])


def cases():
    """(dialect, case)"""
    jax_version = {"jax": jax.__version__}
    for spec, make in KERAS.items():
        yield "keras", Case(spec, f"keras.optimizers {keras.__version__}", by_keras(make), jax_version)
    for spec, make in OPTAX.items():
        yield "optax", Case(spec, f"optax {optax.__version__}", by_optax(make, rate(spec)), jax_version)
    for spec, make in SKLEARN.items():
        yield "sklearn", Case(spec, f"scikit-learn {sklearn.__version__}, {make.__name__}", by_sklearn(make))
    for spec, name in BURN_SPECS.items():
        note = "Computed in f32 only, at one learning rate."
        yield "burn", Case(spec, f"burn {BURN}", by_burn(name, rate(spec)), note=note, f32=False)


if __name__ == "__main__":
    stream = draw()
    wanted = sys.argv[1:] or ["keras", "optax", "sklearn", "burn"]
    for dialect, case in (pair for pair in cases() if pair[0] in wanted):
        flags = [word for word in ("momentum", "nesterov", "amsgrad") if word in case.spec]
        schedule = "constant" if dialect == "burn" else f"step:step_size={HALVED_AFTER},gamma=0.5"
        case.versions = case.versions | {"dialect": dialect, "schedule": schedule}
        record("-".join([dialect, case.spec.split(":")[0], *flags]), case, stream, FOLDER)
