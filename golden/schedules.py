"""Learning rates and momenta per update, from torch.optim.lr_scheduler, Keras, optax, and the papers' formulas.

Writes schedules/<case>.json. Entry u of `lr` is the rate of update u + 1; of a plateau, the rate after u losses.
"""

import os
import warnings
from importlib.metadata import version

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import optax
import pytorch_optimizer
import torch
from torch.optim import lr_scheduler

from common import HERE, write_json
from specs import parse

FOLDER = HERE / "schedules"
UPDATES = 120

CLASSES = {
    "constant": lr_scheduler.ConstantLR,
    "step": lr_scheduler.StepLR,
    "multistep": lr_scheduler.MultiStepLR,
    "exponential": lr_scheduler.ExponentialLR,
    "linear": lr_scheduler.LinearLR,
    "polynomial": lr_scheduler.PolynomialLR,
    "cosine": lr_scheduler.CosineAnnealingLR,
    "cosine-restarts": lr_scheduler.CosineAnnealingWarmRestarts,
    "one-cycle": lr_scheduler.OneCycleLR,
    "cyclic": lr_scheduler.CyclicLR,
    "plateau": lr_scheduler.ReduceLROnPlateau,
}
CAPITALS = {"t_max": "T_max", "t_0": "T_0", "t_mult": "T_mult"}

# schedule, base learning rate, last update
TORCH = {
    "constant-factor": ("constant:factor=0.25,total_iters=30", 0.1, UPDATES),
    "step": ("step:step_size=30", 0.1, UPDATES),
    "step-gamma": ("step:step_size=7,gamma=0.8", 0.3, UPDATES),
    "multistep": ("multistep:milestones=30:60:90", 0.1, UPDATES),
    "multistep-gamma": ("multistep:milestones=1:2:50,gamma=0.5", 0.1, UPDATES),
    "exponential": ("exponential:gamma=0.95", 0.1, UPDATES),
    "linear": ("linear", 0.1, UPDATES),
    "linear-down": ("linear:start_factor=1.0,end_factor=0.01,total_iters=100", 0.1, UPDATES),
    "linear-warm-up": ("linear:start_factor=0.001,total_iters=40", 4.0, UPDATES),
    "polynomial": ("polynomial", 0.1, UPDATES),
    "polynomial-square": ("polynomial:total_iters=80,power=2.0", 0.1, UPDATES),
    "polynomial-root": ("polynomial:total_iters=50,power=0.5", 0.1, UPDATES),
    "cosine": ("cosine:t_max=100", 0.1, UPDATES),
    "cosine-eta-min": ("cosine:t_max=100,eta_min=0.001", 0.1, UPDATES),
    "cosine-back-up": ("cosine:t_max=25,eta_min=0.01", 0.1, UPDATES),
    "cosine-restarts": ("cosine-restarts:t_0=30", 0.1, UPDATES),
    "cosine-restarts-longer": ("cosine-restarts:t_0=10,t_mult=2,eta_min=0.001", 0.1, 200),
    "cosine-restarts-triple": ("cosine-restarts:t_0=3,t_mult=3", 0.1, 200),
    "one-cycle": ("one-cycle:max_lr=0.1,total_steps=100", 0.1, 99),
    "one-cycle-linear": ("one-cycle:max_lr=0.1,total_steps=100,anneal_strategy=linear", 0.1, 99),
    "one-cycle-three-phase": ("one-cycle:max_lr=0.1,total_steps=100,three_phase=true", 0.1, 99),
    "one-cycle-three-phase-linear": (
        "one-cycle:max_lr=4.0,total_steps=77,three_phase=true,anneal_strategy=linear,pct_start=0.4",
        0.1,
        76,
    ),
    "one-cycle-all": (
        "one-cycle:max_lr=0.5,total_steps=83,pct_start=0.25,div_factor=10,final_div_factor=100,"
        "base_momentum=0.7,max_momentum=0.99",
        0.1,
        82,
    ),
    "one-cycle-fixed-momentum": ("one-cycle:max_lr=0.1,total_steps=50,cycle_momentum=false", 0.1, 49),
    "one-cycle-adam": ("one-cycle:max_lr=0.01,total_steps=100", 0.001, 99),
    "one-cycle-adam-three-phase": ("one-cycle:max_lr=0.01,total_steps=60,three_phase=true", 0.001, 59),
    "cyclic": ("cyclic:base_lr=0.001,max_lr=0.1,step_size_up=20", 0.001, UPDATES),
    "cyclic-triangular2": ("cyclic:base_lr=0.001,max_lr=0.1,step_size_up=10,mode=triangular2", 0.001, UPDATES),
    "cyclic-exp-range": ("cyclic:base_lr=0.001,max_lr=0.1,step_size_up=15,mode=exp-range,gamma=0.98", 0.001, UPDATES),
    "cyclic-uneven": (
        "cyclic:base_lr=0.01,max_lr=0.1,step_size_up=7,step_size_down=16,base_momentum=0.7,max_momentum=0.95",
        0.01,
        UPDATES,
    ),
    "cyclic-fixed-momentum": ("cyclic:base_lr=0.01,max_lr=0.1,step_size_up=9,cycle_momentum=false", 0.01, UPDATES),
    "cyclic-adam": ("cyclic:base_lr=0.0001,max_lr=0.01,step_size_up=20", 0.0001, UPDATES),
}

# parts joined by "+" and the updates at which one hands over to the next (SequentialLR's milestones)
SEQUENCES = {
    "warm-up-cosine": ("linear:start_factor=0.1,total_iters=20+cosine:t_max=80", 0.1, [20], 100),
    "warm-up-step": ("linear:start_factor=0.01,total_iters=10+step:step_size=25,gamma=0.5", 0.3, [10], UPDATES),
    "warm-up-exponential": ("constant:factor=0.1,total_iters=15+exponential:gamma=0.9", 0.1, [15], 60),
    "warm-up-hold-down": (
        "linear:start_factor=0.05,total_iters=10+constant:factor=1.0,total_iters=50"
        "+linear:start_factor=1.0,end_factor=0.0,total_iters=40",
        0.2,
        [10, 60],
        UPDATES,
    ),
    "warm-up-restarts": ("linear:start_factor=0.1,total_iters=5+cosine-restarts:t_0=20,t_mult=2", 0.1, [5], UPDATES),
}

PLATEAUS = {
    "plateau": "plateau",
    "plateau-patience": "plateau:patience=3",
    "plateau-patience-zero": "plateau:factor=0.5,patience=0",
    "plateau-absolute": "plateau:factor=0.5,patience=2,threshold=0.01,threshold_mode=abs",
    "plateau-relative": "plateau:factor=0.5,patience=2,threshold=0.05,threshold_mode=rel",
    "plateau-cooldown": "plateau:factor=0.3,patience=2,cooldown=5",
    "plateau-min-lr": "plateau:factor=0.2,patience=1,min_lr=0.003",
    "plateau-eps": "plateau:factor=0.5,patience=1,eps=0.01",
    "plateau-max": "plateau:mode=max,factor=0.5,patience=3",
    "plateau-max-absolute": "plateau:mode=max,factor=0.5,patience=2,threshold=0.01,threshold_mode=abs,cooldown=2",
}


def number_or_list(value):
    """`30:60:90` -> [30, 60, 90]."""
    if isinstance(value, str) and ":" in value:
        return [float(part) if "." in part else int(part) for part in value.split(":")]
    return value.replace("-", "_") if isinstance(value, str) else value


def options_of(spec):
    name, options = parse(spec)
    return name, {CAPITALS.get(key, key): number_or_list(value) for key, value in options.items()}


def optimizer(lr, adam=False):
    parameter = [torch.nn.Parameter(torch.zeros(1))]
    return torch.optim.Adam(parameter, lr=lr) if adam else torch.optim.SGD(parameter, lr=lr, momentum=0.9)


def scheduler(spec, optim):
    name, options = options_of(spec)
    return CLASSES[name](optim, **options)


def momentum(optim):
    group = optim.param_groups[0]
    return group["betas"][0] if "betas" in group else group["momentum"]


def follow(schedule, optim, updates):
    """Learning rate and momentum of updates 1 to `updates` + 1."""
    seen = [(optim.param_groups[0]["lr"], momentum(optim))]
    for _ in range(updates):
        optim.step()
        schedule.step()
        seen.append((optim.param_groups[0]["lr"], momentum(optim)))
    return [list(column) for column in zip(*seen)]


def write(name, spec, base_lr, lr, reference, **more):
    assert np.isfinite(lr).all() and min(lr) >= 0, name
    print(f"{name:30} {len(lr)} rates, {min(lr):.3g} to {max(lr):.3g}   {spec}")
    record = {"schedule": spec, "base_lr": base_lr, "reference": reference} | more | {"lr": list(map(float, lr))}
    write_json(FOLDER / f"{name}.json", record)


def torch_reference(schedule):
    return f"torch.optim.lr_scheduler.{type(schedule).__name__} {torch.__version__.partition('+')[0]}"


def record_torch():
    for name, (spec, base_lr, updates) in TORCH.items():
        optim = optimizer(base_lr, adam="adam" in name)
        schedule = scheduler(spec, optim)
        rates, momenta = follow(schedule, optim, updates)
        more = {"optimizer": "adam" if "adam" in name else "sgd"}
        more |= {"momentum": momenta} if len(set(momenta)) > 1 else {}
        write(name, spec, base_lr, rates, torch_reference(schedule), **more)


def record_sequences():
    for name, (spec, base_lr, milestones, updates) in SEQUENCES.items():
        optim = optimizer(base_lr)
        parts = [scheduler(part, optim) for part in spec.split("+")]
        schedule = lr_scheduler.SequentialLR(optim, parts, milestones)
        rates, _ = follow(schedule, optim, updates)
        write(name, spec, base_lr, rates, torch_reference(schedule), milestones=milestones)


def draw_losses(evaluations=80):
    """Falls, stalls, falls again, jumps, stalls for long; two equal losses in a row."""
    random = np.random.Generator(np.random.PCG64(3))
    falls = 0.4 + 2 * np.exp(-np.arange(evaluations) / 6)
    falls[30:] -= 0.2 * (1 - np.exp(-np.arange(evaluations - 30) / 3))
    losses = falls + 0.02 * random.standard_normal(evaluations)
    losses[20], losses[55] = losses[19], 1.5
    return losses.tolist()


def record_plateaus():
    for name, spec in PLATEAUS.items():
        observed = draw_losses()
        if "mode=max" in spec:
            observed = [1 - loss / 3 for loss in observed]  # an accuracy
        optim = optimizer(0.1)
        schedule = scheduler(spec, optim)
        rates = [0.1]
        for value in observed:
            schedule.step(value)
            rates.append(optim.param_groups[0]["lr"])
        write(name, spec, 0.1, rates, torch_reference(schedule), losses=observed)


def record_keras():
    cases = {
        "inverse-time": ("inverse-time:decay_steps=1,decay_rate=0.1", dict(decay_steps=1, decay_rate=0.1)),
        "inverse-time-slow": ("inverse-time:decay_steps=20,decay_rate=0.5", dict(decay_steps=20, decay_rate=0.5)),
        "inverse-time-staircase": (
            "inverse-time:decay_steps=20,decay_rate=0.5,staircase=true",
            dict(decay_steps=20, decay_rate=0.5, staircase=True),
        ),
    }
    keras.backend.set_floatx("float64")
    for name, (spec, options) in cases.items():
        schedule = keras.optimizers.schedules.InverseTimeDecay(0.1, **options)
        rates = [float(schedule(update)) for update in range(UPDATES + 1)]
        exact = [0.1 / (1 + options["decay_rate"] * passed(update, options)) for update in range(UPDATES + 1)]
        assert np.allclose(rates, exact, rtol=1e-6), "Keras computes in f32 here; the formula is recorded"
        write(name, spec, 0.1, exact, f"keras.optimizers.schedules.InverseTimeDecay {keras.__version__}")


def passed(update, options):
    """Updates in units of `decay_steps`."""
    steps = update / options["decay_steps"]
    return np.floor(steps) if options.get("staircase") else steps


def record_optax():
    cases = {
        "piecewise": ("piecewise:boundaries=30:60:90,scales=0.5:0.1:2.0", {30: 0.5, 60: 0.1, 90: 2.0}),
        "piecewise-early": ("piecewise:boundaries=1:2,scales=0.3:0.3", {1: 0.3, 2: 0.3}),
    }
    for name, (spec, scales) in cases.items():
        schedule = optax.piecewise_constant_schedule(0.1, scales)
        rates = [float(schedule(update)) for update in range(UPDATES + 1)]
        exact = [0.1 * np.prod([s for at, s in scales.items() if update >= at]) for update in range(UPDATES + 1)]
        assert np.allclose(rates, exact, rtol=1e-6), "optax computes in f32 here; the formula is recorded"
        write(name, spec, 0.1, exact, f"optax.piecewise_constant_schedule {optax.__version__}")


def record_pytorch_optimizer():
    package = f"pytorch_optimizer.{{}} {version('pytorch_optimizer')}"
    # the package forgets min_lr_ratio while it decays by "linear" and "1-sqrt", and then jumps up to it
    for decay, least in (("linear", 0.0), ("cosine", 0.05), ("1-sqrt", 0.0)):
        word = {"1-sqrt": "one-minus-sqrt"}.get(decay, decay)
        spec = f"wsd:warmup_steps=10,stable_steps=60,decay_steps=30,decay={word},min_lr_ratio={least}"
        optim = optimizer(0.2)
        schedule = pytorch_optimizer.get_wsd_schedule(optim, 10, 60, 30, least, cooldown_type=decay)
        rates, _ = follow(schedule, optim, UPDATES)
        write(f"wsd-{word}", spec, 0.2, rates, package.format("get_wsd_schedule"))
    for name, spec, total in (("rex", "rex:total_steps=100", 100), ("rex-short", "rex:total_steps=37", 37)):
        schedule = pytorch_optimizer.REXScheduler(optimizer(0.1), total, max_lr=0.1)
        rates = [0.1] + [schedule.step() for _ in range(UPDATES)]  # the constructor took the value at 0
        assert rates[0] == 0.1 and rates[total] == 0
        write(name, spec, 0.1, rates, package.format("REXScheduler"))


def record_noam():
    """Vaswani et al. 2017 (arXiv 1706.03762), equation 3, counting updates from 1, times the base rate."""
    cases = {
        "noam": ("noam:warmup_steps=40,model_size=512", 40, 512, 1.0),
        "noam-base": ("noam:warmup_steps=10,model_size=64", 10, 64, 0.5),
    }
    for name, (spec, warmup, size, base) in cases.items():
        step = np.arange(1, UPDATES + 2, dtype=np.float64)
        rates = base * size**-0.5 * np.minimum(step**-0.5, step * warmup**-1.5)
        write(name, spec, base, rates, "arXiv 1706.03762, equation 3; own transcription")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for record in (record_torch, record_sequences, record_plateaus, record_keras, record_optax):
        record()
    record_pytorch_optimizer()
    record_noam()
