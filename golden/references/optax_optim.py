"""optax and optax.contrib, with every option spelled out; f32 runs have JAX's x64 mode off, f64 runs on."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax import contrib

from specs import parse
from stream import Case, join, split

VERSIONS = {"optax": optax.__version__, "jax": jax.__version__}
KEYS = {"lr": "learning_rate", "beta1": "b1", "beta2": "b2", "beta3": "b3", "max_lr": "max_learning_rate"}


def yogi(learning_rate, **options):
    """optax.yogi, whose alias hides `initial_accumulator_value`."""
    return optax.chain(optax.scale_by_yogi(**options), optax.scale_by_learning_rate(learning_rate))


def signsgd(learning_rate, weight_decay=0.0):
    return decayed(optax.scale_by_sign(), learning_rate, weight_decay)


def signum(learning_rate, momentum, weight_decay=0.0):
    sign_of_average = optax.chain(optax.ema(momentum, debias=False), optax.scale_by_sign())
    return decayed(sign_of_average, learning_rate, weight_decay)


def decayed(direction, learning_rate, weight_decay):
    """Decoupled decay, as in optax.lion."""
    decay = optax.add_decayed_weights(weight_decay)
    return optax.chain(direction, decay, optax.scale_by_learning_rate(learning_rate))


def polyak_sgd(scaling=1.0, **options):
    """The documented order. optax.polyak_sgd scales first, so that its `scaling` divides the step instead."""
    return optax.chain(optax.scale_by_polyak(**options), optax.sgd(scaling))


def rmsprop(learning_rate, alpha, eps, **options):
    assert options.pop("eps_inside")
    return optax.rmsprop(learning_rate, decay=alpha, eps=eps, **options)


def adopt(clip, **options):
    return contrib.adopt(use_clipping=clip, **options)


def dog(reps_rel, **options):
    return contrib.dog(init_step=("heuristic", reps_rel), **options)


METHODS = {
    "nadamw": (optax.nadamw, "optax.nadamw"),
    "lion": (optax.lion, "optax.lion"),
    "lamb": (optax.lamb, "optax.lamb"),
    "lars": (optax.lars, "optax.lars"),
    "adabelief": (optax.adabelief, "optax.adabelief"),
    "yogi": (yogi, "optax.scale_by_yogi"),
    "novograd": (optax.novograd, "optax.novograd"),
    "sm3": (optax.sm3, "optax.sm3"),
    "signsgd": (signsgd, "optax.scale_by_sign + add_decayed_weights"),
    "signum": (signum, "optax.ema + scale_by_sign + add_decayed_weights"),
    "polyak-sgd": (polyak_sgd, "optax.scale_by_polyak + sgd"),
    "rmsprop": (rmsprop, "optax.rmsprop"),
    "adopt": (adopt, "optax.contrib.adopt"),
    "ademamix": (contrib.ademamix, "optax.contrib.ademamix"),
    "dog": (dog, "optax.contrib.dog"),
    "dowg": (contrib.dowg, "optax.contrib.dowg"),
}
SPECS = {
    "nadamw": "nadamw:lr=0.001,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0.0001",
    "nadamw-all": "nadamw:lr=0.005,beta1=0.8,beta2=0.99,eps=1e-4,weight_decay=0.1",
    "lion": "lion:lr=0.0001,beta1=0.9,beta2=0.99,weight_decay=0",
    "lion-lr": "lion:lr=0.01,beta1=0.9,beta2=0.99,weight_decay=0",
    "lion-all": "lion:lr=0.003,beta1=0.8,beta2=0.95,weight_decay=0.1",
    "lamb": "lamb:lr=0.001,beta1=0.9,beta2=0.999,eps=1e-6,weight_decay=0",
    "lamb-all": "lamb:lr=0.01,beta1=0.8,beta2=0.99,eps=1e-4,weight_decay=0.1",
    "lars": "lars:lr=0.1,momentum=0.9,nesterov=false,weight_decay=0,trust_coefficient=0.001,eps=0",
    "lars-nesterov": "lars:lr=1.0,momentum=0.9,nesterov=true,weight_decay=0,trust_coefficient=0.001,eps=0",
    "lars-decay": "lars:lr=1.0,momentum=0.8,nesterov=false,weight_decay=0.1,trust_coefficient=0.01,eps=0.001",
    "adabelief": "adabelief:lr=0.001,beta1=0.9,beta2=0.999,eps=1e-16,eps_root=1e-16",
    "adabelief-all": "adabelief:lr=0.01,beta1=0.8,beta2=0.99,eps=1e-4,eps_root=1e-6",
    "yogi": "yogi:lr=0.01,beta1=0.9,beta2=0.999,eps=0.001,initial_accumulator_value=1e-6",
    "yogi-all": "yogi:lr=0.03,beta1=0.8,beta2=0.99,eps=1e-5,initial_accumulator_value=0.0123",
    "novograd": "novograd:lr=0.01,beta1=0.9,beta2=0.25,eps=1e-6,weight_decay=0",
    "novograd-all": "novograd:lr=0.03,beta1=0.8,beta2=0.9,eps=1e-4,weight_decay=0.01",
    "sm3": "sm3:lr=0.1,momentum=0.9",
    "sm3-no-momentum": "sm3:lr=0.03,momentum=0",
    "signsgd": "signsgd:lr=0.001,weight_decay=0",
    "signsgd-decay": "signsgd:lr=0.01,weight_decay=0.1",
    "signum": "signum:lr=0.001,momentum=0.9,weight_decay=0",
    "signum-decay": "signum:lr=0.01,momentum=0.8,weight_decay=0.1",
    "polyak-sgd": "polyak-sgd:max_lr=1.0,scaling=1.0,f_min=0,eps=0",
    "polyak-sgd-capped": "polyak-sgd:max_lr=0.0002,scaling=1.0,f_min=0,eps=0",
    "polyak-sgd-all": "polyak-sgd:max_lr=0.001,scaling=0.5,f_min=0.1,eps=100.0",
    "rmsprop-eps-inside": "rmsprop:lr=0.01,alpha=0.9,eps=1e-8,eps_inside=true",
    "rmsprop-eps-inside-centered": "rmsprop:lr=0.01,alpha=0.95,eps=1e-4,centered=true,eps_inside=true",
    "rmsprop-eps-inside-momentum": "rmsprop:lr=0.001,alpha=0.9,eps=1e-4,momentum=0.9,eps_inside=true",
    "adopt": "adopt:lr=0.001,beta1=0.9,beta2=0.9999,eps=1e-6,clip=true",
    "adopt-all": "adopt:lr=0.003,beta1=0.8,beta2=0.99,eps=0.001,clip=true",
    "adopt-no-clip": "adopt:lr=0.003,beta1=0.9,beta2=0.99,eps=0.001,clip=false",
    "ademamix": "ademamix:lr=0.001,beta1=0.9,beta2=0.999,beta3=0.9999,alpha=5.0,eps=1e-8,weight_decay=0,warmup=0",
    "ademamix-all": "ademamix:lr=0.002,beta1=0.8,beta2=0.99,beta3=0.99,alpha=2.0,eps=1e-4,weight_decay=0.1,warmup=0",
    "dog-optax": "dog:lr=1.0,reps_rel=0.01,eps=1e-8,weight_decay=0",
    "dowg": "dowg:lr=0.3,eps=0.0001",
    "dowg-all": "dowg:lr=0.7,init_estim_sq_dist=0.01,eps=0.001,weight_decay=0.01",
}

NOTES = {
    "yogi": "initial_accumulator_value starts the first moment as well as the second.",
    "sm3": "SM3-II: row and column maxima of g² + min(row, column); vectors are Adagrad; m = momentum m + (1 - "
    "momentum) g / sqrt(accumulator + 1e-8).",
    "signsgd": "Decoupled decay: w -= lr (sign + weight_decay w).",
    "signum": "Decoupled decay: w -= lr (sign + weight_decay w).",
    "polyak-sgd": "step = scaling min((loss - f_min) / (|g|² + eps), max_lr), as documented.",
    "lars": "The learning rate stands inside the momentum; every tensor has its trust ratio.",
}


def transformation(spec):
    name, options = parse(spec)
    if name == "ademamix":
        assert options.pop("warmup") == 0
    options = {KEYS.get(key, key): value for key, value in options.items()}
    return METHODS[name][0](**options)


def follower(make):
    """A trace of the gradient transformation `make()`, each update compiled by XLA."""

    def trace(weights, gradients, losses):
        with jax.enable_x64(bool(weights.dtype == np.float64)):
            rule = optax.with_extra_args_support(make())
            parameters = [jnp.asarray(tensor) for tensor in split(weights)]
            state = rule.init(parameters)

            @jax.jit
            def update(parameters, state, gradient, loss):
                steps, state = rule.update(gradient, state, parameters, value=loss)
                return optax.apply_updates(parameters, steps), state

            for gradient, loss in zip(gradients, losses):
                parameters, state = update(parameters, state, split(gradient), loss)
                yield join(parameters), None

    return trace


def case(spec, f32=True):
    name, _ = parse(spec)
    reference = f"{METHODS[name][1]} {optax.__version__}"
    return Case(spec, reference, follower(lambda: transformation(spec)), VERSIONS, NOTES.get(name), f32=f32)


def cases():
    return {name: case(spec) for name, spec in SPECS.items()}
