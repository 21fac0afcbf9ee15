"""Keras on JAX, with every option spelled out; floatx is the dtype of the run."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

from specs import parse
from stream import Case, join, split

VERSIONS = {"keras": keras.__version__, "jax": jax.__version__}

METHODS = {"ftrl": keras.optimizers.Ftrl, "adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
KEYS = {
    "lr": "learning_rate",
    "eps": "epsilon",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "alpha": "rho",
    "l1": "l1_regularization_strength",
    "l2": "l2_regularization_strength",
    "l2_shrinkage": "l2_shrinkage_regularization_strength",
}
OURS = ("eps_hat", "eps_inside")  # flags that say "as Keras does it"

SPECS = {
    "ftrl": "ftrl:lr=0.001,initial_accumulator_value=0.1,l1=0,l2=0,l2_shrinkage=0,beta=0",
    "ftrl-lr": "ftrl:lr=0.1,initial_accumulator_value=0.1,l1=0,l2=0,l2_shrinkage=0,beta=0",
    "ftrl-l1": "ftrl:lr=0.1,initial_accumulator_value=0.1,l1=1.0,l2=0,l2_shrinkage=0,beta=0",
    "ftrl-l2": "ftrl:lr=0.1,initial_accumulator_value=0.2,l1=0,l2=0.5,l2_shrinkage=0,beta=0",
    "ftrl-all": "ftrl:lr=0.2,initial_accumulator_value=0.5,l1=0.3,l2=0.1,l2_shrinkage=0.01,beta=0.5",
    "adam-eps-hat": "adam:lr=0.001,beta1=0.9,beta2=0.999,eps=1e-7,eps_hat=true",
    "adam-eps-hat-large": "adam:lr=0.01,beta1=0.8,beta2=0.99,eps=0.01,eps_hat=true",
    "adam-eps-hat-amsgrad": "adam:lr=0.01,beta1=0.9,beta2=0.9,eps=0.001,amsgrad=true,eps_hat=true",
    "rmsprop-keras": "rmsprop:lr=0.001,alpha=0.9,eps=1e-7,eps_inside=true",
    "rmsprop-keras-all": "rmsprop:lr=0.002,alpha=0.95,eps=0.001,centered=true,momentum=0.5,eps_inside=true",
}

NOTES = {"ftrl": "The linear term starts at 0, so that a weight without any gradient is 0 after the first update."}


def optimizer(spec):
    name, options = parse(spec)
    options = {KEYS.get(key, key): value for key, value in options.items() if key not in OURS}
    return METHODS[name](**options)


def follower(spec):
    def trace(weights, gradients, losses):
        with jax.enable_x64(bool(weights.dtype == np.float64)):
            keras.config.set_floatx(str(weights.dtype))
            optim = optimizer(spec)
            variables = [keras.Variable(tensor, dtype=str(weights.dtype)) for tensor in split(weights)]
            optim.build(variables)
            for gradient in gradients:
                optim.apply([jax.numpy.asarray(part) for part in split(gradient)])
                yield join([variable.numpy() for variable in variables]), None

    return trace


def case(spec):
    name, _ = parse(spec)
    reference = f"keras.optimizers.{METHODS[name].__name__} {keras.__version__}"
    return Case(spec, reference, follower(spec), VERSIONS, NOTES.get(name))


def cases():
    return {name: case(spec) for name, spec in SPECS.items()}
