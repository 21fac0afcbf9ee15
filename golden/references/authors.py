"""The methods' authors' own packages, and pytorch_optimizer where the authors published no package."""

from contextlib import ExitStack
from importlib.metadata import version
from unittest import mock

import dadaptation
import dog
import madgrad
import momo
import prodigyopt
import pytorch_optimizer
import schedulefree
import torch

from references.torch_optim import give, parameters_of, values
from specs import gather, parse
from stream import Case

BETAS = ("betas", ("beta1", "beta2"), (0.9, 0.999))

# name -> class, package as pip knows it, options fixed beyond the spec
METHODS = {
    "schedule-free-sgd": (schedulefree.SGDScheduleFree, "schedulefree", {"foreach": False}),
    "schedule-free-adamw": (schedulefree.AdamWScheduleFree, "schedulefree", {"foreach": False}),
    "prodigy": (prodigyopt.Prodigy, "prodigyopt", {}),
    "d-adapt-adam": (dadaptation.DAdaptAdam, "dadaptation", {}),
    "dog": (dog.DoG, "dog-optimizer", {}),
    "momo": (momo.Momo, "momo-opt", {}),
    "madgrad": (madgrad.MADGRAD, "madgrad", {}),
    "ademamix": (pytorch_optimizer.AdEMAMix, "pytorch_optimizer", {"weight_decouple": True, "foreach": False}),
    "shampoo": (pytorch_optimizer.Shampoo, "pytorch_optimizer", {}),
    "soap": (pytorch_optimizer.SOAP, "pytorch_optimizer", {}),
    "adan": (pytorch_optimizer.Adan, "pytorch_optimizer", {"weight_decouple": False, "foreach": False}),
}
RENAMED = {
    "momo": {"momentum": "beta", "f_star": "lb"},
    "ademamix": {"warmup": "t_alpha_beta3"},
    "shampoo": {"every": "preconditioning_compute_steps", "eps": "matrix_eps"},
    "soap": {"every": "precondition_frequency", "max_dim": "max_precondition_dim"},
}

SPECS = {
    "schedule-free-sgd": "schedule-free-sgd:lr=0.1,momentum=0.9,weight_decay=0,warmup_steps=0,r=0,weight_lr_power=2",
    "schedule-free-sgd-warm-up": "schedule-free-sgd:lr=0.3,momentum=0.9,weight_decay=0,warmup_steps=40",
    "schedule-free-sgd-all": "schedule-free-sgd:lr=0.1,momentum=0.8,weight_decay=0.01,warmup_steps=25,r=1.5,"
    "weight_lr_power=1",
    "schedule-free-adamw": "schedule-free-adamw:lr=0.0025,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,"
    "warmup_steps=0,r=0,weight_lr_power=2",
    "schedule-free-adamw-warm-up": "schedule-free-adamw:lr=0.01,beta1=0.9,beta2=0.999,eps=1e-8,warmup_steps=40",
    "schedule-free-adamw-all": "schedule-free-adamw:lr=0.01,beta1=0.95,beta2=0.99,eps=1e-4,weight_decay=0.1,"
    "warmup_steps=25,r=1.0,weight_lr_power=1",
    "prodigy": "prodigy:lr=0.03,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,d0=1e-6,d_coef=1.0",
    "prodigy-d0": "prodigy:lr=0.05,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,d0=0.001,d_coef=1.0",
    "prodigy-d-coef": "prodigy:lr=1.0,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,d0=0.001,d_coef=0.03",
    "prodigy-all": "prodigy:lr=0.5,beta1=0.8,beta2=0.99,beta3=0.9,eps=1e-4,weight_decay=0.1,d0=0.001,d_coef=0.7",
    "d-adapt-adam": "d-adapt-adam:lr=0.1,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,d0=1e-6",
    "d-adapt-adam-d0": "d-adapt-adam:lr=0.05,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,d0=0.001",
    "d-adapt-adam-all": "d-adapt-adam:lr=0.1,beta1=0.8,beta2=0.99,eps=1e-4,weight_decay=0.001,d0=0.001",
    "dog": "dog:lr=1.0,reps_rel=1e-6,eps=1e-8,weight_decay=0",
    "dog-reps": "dog:lr=1.0,reps_rel=0.01,eps=1e-8,weight_decay=0",
    "dog-all": "dog:lr=0.5,reps_rel=0.01,eps=100.0,weight_decay=0.01",
    "momo": "momo:lr=1.0,momentum=0.9,weight_decay=0,f_star=0",
    "momo-capped": "momo:lr=0.0005,momentum=0.9,weight_decay=0,f_star=0",
    "momo-all": "momo:lr=0.01,momentum=0.7,weight_decay=0.1,f_star=0.2",
    "madgrad": "madgrad:lr=0.01,momentum=0.9,weight_decay=0,eps=1e-6",
    "madgrad-all": "madgrad:lr=0.03,momentum=0.8,weight_decay=0.01,eps=0.001",
    "madgrad-no-momentum": "madgrad:lr=0.01,momentum=0,weight_decay=0,eps=1e-6",
    "ademamix-warm-up": "ademamix:lr=0.001,beta1=0.9,beta2=0.999,beta3=0.9999,alpha=5.0,eps=1e-8,warmup=100",
    "ademamix-warm-up-all": "ademamix:lr=0.002,beta1=0.8,beta2=0.99,beta3=0.995,alpha=2.0,eps=1e-4,"
    "weight_decay=0.1,warmup=150",
    "adan": "adan:lr=0.001,beta1=0.98,beta2=0.92,beta3=0.99,eps=1e-8,weight_decay=0",
    "adan-all": "adan:lr=0.01,beta1=0.9,beta2=0.8,beta3=0.95,eps=1e-4,weight_decay=0.1",
    "shampoo": "shampoo:lr=0.1,momentum=0,weight_decay=0,eps=0.0001,every=1",
    "shampoo-eps": "shampoo:lr=0.1,momentum=0,weight_decay=0,eps=1.0,every=1",
    "shampoo-decay": "shampoo:lr=0.1,momentum=0,weight_decay=0.01,eps=0.1,every=1",
    "soap-max-dim": "soap:lr=0.003,beta1=0.95,beta2=0.95,shampoo_beta=0.95,eps=1e-8,weight_decay=0.01,every=10,"
    "max_dim=4",
    "soap-max-dim-all": "soap:lr=0.01,beta1=0.9,beta2=0.99,shampoo_beta=0.9,eps=1e-4,weight_decay=0.1,every=3,"
    "max_dim=4",
}
SQUARE_SPECS = {
    "soap": "soap:lr=0.003,beta1=0.95,beta2=0.95,shampoo_beta=0.95,eps=1e-8,weight_decay=0.01,every=10",
    "soap-every-update": "soap:lr=0.01,beta1=0.9,beta2=0.99,shampoo_beta=0.9,eps=1e-4,weight_decay=0,every=1",
    "soap-all": "soap:lr=0.01,beta1=0.8,beta2=0.9,shampoo_beta=0.99,eps=0.001,weight_decay=0.1,every=3",
    "shampoo": "shampoo:lr=0.1,momentum=0,weight_decay=0,eps=0.0001,every=1",
}
# first steps of 1e-6 and less drown in f32 weights near 1; gradients of 10 beside eps = 1e-4 in shampoo's matrices
F64_ONLY = {"prodigy", "dog", "shampoo", "shampoo-decay"}

NOTES = {
    "d-adapt-adam": "Decay is coupled (added to the gradient), as the package does by default; no bias correction.",
    "prodigy": "Decay is decoupled; no bias correction, as the package does by default.",
    "ademamix": "alpha and beta3 rise with (updates so far, this one included) / warmup; decay is decoupled.",
    "adan": "As the authors' code (sail-sg/Adan): u = g + beta2 (g - last g), decay divides by 1 + lr weight_decay. "
    "optax.adan has 1 - beta2 in place of beta2: another method.",
    "shampoo": "Exponent -1/4 for matrices, -1/2 for vectors; statistics of the raw gradient with decay added.",
    "soap": "The first update only starts the bases. Without f32 rounding in its QR. Dimensions above max_dim, and "
    "vectors, keep the identity for a basis: a whole basis of [16, 16] would have rank 4 and its null space no "
    "definite directions (square_steps/ has whole bases).",
}


def optimizer(spec, parameters):
    name, options = parse(spec)
    method, _, fixed = METHODS[name]
    options = {RENAMED.get(name, {}).get(key, key): value for key, value in options.items()} | fixed
    if name in ("schedule-free-adamw", "prodigy", "d-adapt-adam", "soap"):
        gather(options, *BETAS)
    if name in ("ademamix", "adan"):
        gather(options, "betas", ("beta1", "beta2", "beta3"), (0.9, 0.999, 0.9999))
    return method(parameters, **options)


def average(optim, parameters):
    """Schedule-free's x from y and z, as its `eval()` computes it in place."""
    group = optim.param_groups[0]
    beta = group["momentum"] if "momentum" in group else group["betas"][0]
    return [torch.lerp(y.detach(), optim.state[y]["z"], 1 - 1 / beta) for y in parameters]


def step(optim, parameters, loss):
    if isinstance(optim, momo.Momo):
        optim.step(loss=parameters[0].new_tensor(loss))
    else:
        optim.step()


def follower(spec):
    def trace(weights, gradients, losses):
        parameters = parameters_of(weights)
        optim = optimizer(spec, parameters)
        averaged = spec.startswith("schedule-free")
        if averaged:
            optim.train()
        with ExitStack() as stack:
            if spec.startswith("soap"):  # its QR decomposition rounds to f32
                stack.enter_context(mock.patch.object(torch, "float32", parameters[0].dtype))
            for gradient, loss in zip(gradients, losses):
                give(parameters, gradient)
                step(optim, parameters, loss)
                yield values(parameters), values(average(optim, parameters)) if averaged else None

    return trace


def case(spec, f32=True):
    name, _ = parse(spec)
    method, package, _ = METHODS[name]
    reference = f"{method.__module__.partition('.')[0]}.{method.__name__} {version(package)}"
    versions = {package: version(package), "torch": torch.__version__}
    return Case(spec, reference, follower(spec), versions, NOTES.get(name), f32=f32)


def cases():
    return {key: case(spec, key not in F64_ONLY) for key, spec in SPECS.items()}


def square_cases():
    """On the square stream."""
    return {key: case(spec, key not in F64_ONLY) for key, spec in SQUARE_SPECS.items()}
