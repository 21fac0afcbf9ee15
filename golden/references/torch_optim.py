"""torch.optim, one tensor at a time (`foreach=False`).

`DATABASE` has every configuration of torch.testing._internal.common_optimizers that schuss has keys for (not
maximize, capturable, differentiable, tensor learning rates), `MORE` what it leaves out.
"""

from unittest import mock

import torch

from common import versions
from specs import gather, parse
from stream import Case, join, split

METHODS = {
    "sgd": torch.optim.SGD,
    "asgd": torch.optim.ASGD,
    "rprop": torch.optim.Rprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adafactor": torch.optim.Adafactor,
    "muon": torch.optim.Muon,
}

DATABASE = {
    "sgd-default": "sgd:lr=0.001",
    "sgd-lr": "sgd:lr=0.01",
    "sgd-decay-half": "sgd:lr=0.001,weight_decay=0.5",
    "sgd-momentum-small-lr": "sgd:lr=0.001,momentum=0.9",
    "sgd-dampening-half": "sgd:lr=0.001,momentum=0.9,dampening=0.5",
    "sgd-momentum-strong-decay": "sgd:lr=0.001,momentum=0.9,weight_decay=0.1",
    "sgd-nesterov-strong-decay": "sgd:lr=0.001,momentum=0.9,nesterov=true,weight_decay=0.1",
    "asgd": "asgd:lr=0.01",
    "asgd-lambd": "asgd:lr=0.01,lambd=0.1",
    "asgd-lr": "asgd:lr=0.02",
    "asgd-t0": "asgd:lr=0.01,t0=100",
    "asgd-decay": "asgd:lr=0.01,weight_decay=0.1",
    "rprop": "rprop:lr=0.01",
    "rprop-lr": "rprop:lr=0.0002",
    "rprop-etas": "rprop:lr=0.01,etaminus=0.5,etaplus=1.5",
    "rprop-step-sizes": "rprop:lr=0.01,step_min=2e-6,step_max=100",
    "adagrad": "adagrad:lr=0.01",
    "adagrad-decay": "adagrad:lr=0.01,weight_decay=0.1",
    "adagrad-lr": "adagrad:lr=0.1",
    "adagrad-initial": "adagrad:lr=0.01,initial_accumulator_value=0.1,weight_decay=0.1",
    "adagrad-lr-decay": "adagrad:lr=0.1,lr_decay=0.5,weight_decay=0.1",
    "adadelta": "adadelta:lr=1.0",
    "adadelta-lr": "adadelta:lr=0.01",
    "adadelta-decay": "adadelta:lr=1.0,weight_decay=0.1",
    "adadelta-rho": "adadelta:lr=1.0,rho=0.95,weight_decay=0.9",
    "rmsprop": "rmsprop:lr=0.01",
    "rmsprop-lr": "rmsprop:lr=0.001",
    "rmsprop-decay": "rmsprop:lr=0.01,weight_decay=0.1",
    "rmsprop-centered": "rmsprop:lr=0.01,weight_decay=0.1,centered=true",
    "rmsprop-centered-momentum": "rmsprop:lr=0.01,weight_decay=0.1,centered=true,momentum=0.1",
    "adam": "adam:lr=0.001",
    "adam-lr": "adam:lr=0.01",
    "adam-strong-decay": "adam:lr=0.001,weight_decay=0.1",
    "adam-amsgrad-decay": "adam:lr=0.001,weight_decay=0.1,amsgrad=true",
    "adamw": "adamw:lr=0.001",
    "adamw-lr": "adamw:lr=0.01",
    "adamw-decay": "adamw:lr=0.001,weight_decay=0.1",
    "adamw-amsgrad": "adamw:lr=0.001,weight_decay=0.1,amsgrad=true",
    "adamax": "adamax:lr=0.002",
    "adamax-lr": "adamax:lr=0.1",
    "adamax-decay": "adamax:lr=0.002,weight_decay=0.1",
    "nadam": "nadam:lr=0.002",
    "nadam-lr": "nadam:lr=0.001",
    "nadam-momentum-decay": "nadam:lr=0.002,momentum_decay=0.006",
    "nadam-decay": "nadam:lr=0.002,weight_decay=0.1",
    "nadam-decay-momentum-decay": "nadam:lr=0.002,weight_decay=0.1,momentum_decay=0.006",
    "nadam-decoupled": "nadam:lr=0.002,weight_decay=0.1,momentum_decay=0.006,decoupled_weight_decay=true",
    "radam": "radam:lr=0.001",
    "radam-lr": "radam:lr=0.002",
    "radam-eps": "radam:lr=0.001,eps=1e-6",
    "radam-decay": "radam:lr=0.001,weight_decay=0.1",
    "radam-decoupled": "radam:lr=0.001,weight_decay=0.1,decoupled_weight_decay=true",
    "adafactor": "adafactor:lr=0.01",
    "adafactor-decay": "adafactor:lr=0.01,weight_decay=0.1",
    "adafactor-beta2-decay": "adafactor:lr=0.01,beta2_decay=-1.0",
    "adafactor-d": "adafactor:lr=0.01,d=1.5",
    "muon": "muon:lr=0.001",
    "muon-lr": "muon:lr=0.01",
    "muon-decay": "muon:lr=0.001,weight_decay=0.2",
    "muon-momentum": "muon:lr=0.001,momentum=0.8",
    "muon-ns-steps": "muon:lr=0.001,ns_steps=6",
    "muon-match-rms-adamw": "muon:lr=0.001,adjust=match-rms-adamw",
    "muon-spectral-unclamped": "muon:lr=0.001,adjust=spectral-unclamped",
}

MORE = {
    "sgd": "sgd:lr=0.1",
    "sgd-decay": "sgd:lr=0.1,weight_decay=0.01",
    "sgd-momentum": "sgd:lr=0.01,momentum=0.9",
    "sgd-dampening": "sgd:lr=0.01,momentum=0.9,dampening=0.3",
    "sgd-nesterov": "sgd:lr=0.01,momentum=0.9,nesterov=true",
    "sgd-momentum-decay": "sgd:lr=0.01,momentum=0.9,weight_decay=0.01",
    "sgd-dampening-decay": "sgd:lr=0.01,momentum=0.9,dampening=0.3,weight_decay=0.01",
    "sgd-nesterov-decay": "sgd:lr=0.01,momentum=0.9,nesterov=true,weight_decay=0.01",
    "asgd-alpha": "asgd:lr=0.05,lambd=0.01,alpha=0.6,t0=50,weight_decay=0.01",
    "rprop-all": "rprop:lr=0.003,etaminus=0.4,etaplus=1.3,step_min=1e-4,step_max=0.05",
    "adagrad-eps": "adagrad:lr=0.05,eps=0.001,lr_decay=0.01,initial_accumulator_value=0.5",
    "adadelta-eps": "adadelta:lr=0.5,rho=0.8,eps=1e-4,weight_decay=0.01",
    "rmsprop-momentum": "rmsprop:lr=0.001,momentum=0.9",
    "rmsprop-plain-centered": "rmsprop:lr=0.001,centered=true",
    "rmsprop-alpha-eps": "rmsprop:lr=0.002,alpha=0.9,eps=1e-4,weight_decay=0.01,momentum=0.5",
    "adam-betas": "adam:lr=0.003,beta1=0.7,beta2=0.9",
    "adam-eps": "adam:lr=0.001,eps=0.001",
    "adam-decay": "adam:lr=0.001,weight_decay=0.01",
    "adam-decay-betas-eps": "adam:lr=0.01,beta1=0.8,beta2=0.99,eps=1e-6,weight_decay=0.1",
    "adam-amsgrad": "adam:lr=0.003,beta2=0.9,amsgrad=true",
    "adamw-no-decay": "adamw:lr=0.001,weight_decay=0",
    "adamw-betas-eps": "adamw:lr=0.01,beta1=0.8,beta2=0.99,eps=1e-4,weight_decay=0.05",
    "adamax-betas-eps": "adamax:lr=0.005,beta1=0.8,beta2=0.9,eps=1e-4,weight_decay=0.01",
    "nadam-betas-eps": "nadam:lr=0.005,beta1=0.8,beta2=0.9,eps=1e-4,weight_decay=0.01,momentum_decay=0.01",
    "radam-betas-eps": "radam:lr=0.005,beta1=0.8,beta2=0.9,eps=1e-4,weight_decay=0.01",
    "radam-beta2-large": "radam:lr=0.005,beta2=0.9999",
    "adafactor-eps": "adafactor:lr=0.05,eps1=1e-4,eps2=0.1,d=2.0,weight_decay=0.01",
    "muon-plain-momentum": "muon:lr=0.01,momentum=0.9,nesterov=false,weight_decay=0",
    "muon-eps": "muon:lr=0.01,eps=0.01,ns_steps=3,adjust=match-rms-adamw",
}

BETAS = ("betas", ("beta1", "beta2"), (0.9, 0.999))
GROUPS = {
    **dict.fromkeys(("adam", "adamw", "adamax", "nadam", "radam"), BETAS),
    "rprop": ("etas", ("etaminus", "etaplus"), (0.5, 1.2)),
    # PyTorch takes eps1 from the dtype; f32's is meant in both runs
    "adafactor": ("eps", ("eps1", "eps2"), (1.1920929e-7, 1e-3)),
}


def optimizer(spec, parameters):
    """`adam:lr=0.001,beta1=0.8` -> torch.optim.Adam(lr=0.001, betas=(0.8, 0.999))."""
    name, options = parse(spec)
    if name in GROUPS:
        gather(options, *GROUPS[name])
    if name == "rprop":
        gather(options, "step_sizes", ("step_min", "step_max"), (1e-6, 50))
    if name == "muon":
        options["adjust_lr_fn"] = options.pop("adjust", "original").replace("-", "_")
        return METHODS[name]([parameter for parameter in parameters if parameter.ndim == 2], **options)
    return METHODS[name](parameters, foreach=False, **options)


def parameters_of(weights):
    return [torch.nn.Parameter(torch.tensor(tensor)) for tensor in split(weights)]


def give(parameters, gradient):
    """Hands [132] to the parameters as the gradients of one update."""
    for parameter, part in zip(parameters, split(gradient)):
        parameter.grad = torch.tensor(part)


def values(tensors):
    return join([tensor.detach().numpy() for tensor in tensors]).copy()


def follower(make, shown=None):
    """A trace of the optimizer `make(parameters)`; `shown(optimizer, parameters)` gives the tensors to evaluate at."""

    def trace(weights, gradients, losses):
        parameters = parameters_of(weights)
        torch.set_default_dtype(parameters[0].dtype)  # asgd and nadam keep scalars of their own in it
        optim = make(parameters)
        for gradient in gradients:
            give(parameters, gradient)
            optim.step()
            yield values(parameters), values(shown(optim, parameters)) if shown else None
        torch.set_default_dtype(torch.float32)

    return trace


def averages(optim, parameters):
    return [optim.state[parameter]["ax"] for parameter in parameters]


def without_bfloat16(trace):
    """Muon rounds its Newton-Schulz iteration to bf16; this runs the same code in the dtype of the weights."""

    def exact(weights, gradients, losses):
        with mock.patch.object(torch, "bfloat16", torch.tensor(weights).dtype):
            yield from trace(weights, gradients, losses)

    return exact


def case(spec, f32=True):
    name, _ = parse(spec)
    reference = f"torch.optim.{METHODS[name].__name__} {torch.__version__.partition('+')[0]}"
    trace = follower(lambda parameters: optimizer(spec, parameters), averages if name == "asgd" else None)
    if name != "muon":
        return Case(spec, reference, trace, versions(), f32=f32)
    note = "f32, f64: without PyTorch's rounding to bf16; as_shipped: with it. Biases stay: 2-D tensors only."
    return Case(spec, reference, without_bfloat16(trace), versions(), note, as_shipped=trace)


def cases():
    return {name: case(spec) for name, spec in (DATABASE | MORE).items()}
