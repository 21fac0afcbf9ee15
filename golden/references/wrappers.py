"""Transforms of the gradient before a rule and wrappers after it: PyTorch, optax, pytorch_optimizer."""

from importlib.metadata import version

import jax.numpy as jnp
import optax
import pytorch_optimizer
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import swa_utils

from common import versions
from references import optax_optim
from references.torch_optim import give, optimizer, parameters_of, values
from specs import parse
from stream import Case

TORCH = f"{torch.__version__.partition('+')[0]}"


def clipped(clip, rule):
    """`clip(parameters)` before every step."""

    def trace(weights, gradients, losses):
        parameters = parameters_of(weights)
        optim = optimizer(rule, parameters)
        for gradient in gradients:
            give(parameters, gradient)
            clip(parameters)
            optim.step()
            yield values(parameters), None

    return trace


def averaged(rule, average, due=lambda update: True):
    """torch.optim.swa_utils.AveragedModel, told of the weights after every update that is `due`."""

    def trace(weights, gradients, losses):
        model = torch.nn.ParameterList(parameters_of(weights))
        optim = optimizer(rule, list(model))
        shadow = swa_utils.AveragedModel(model, **average)
        for update, gradient in enumerate(gradients, start=1):
            give(model, gradient)
            optim.step()
            if due(update):
                shadow.update_parameters(model)
            shown = shadow.module if shadow.n_averaged > 0 else model
            yield values(model), values(shown)

    return trace


def lookahead(rule, k, alpha):
    def trace(weights, gradients, losses):
        parameters = parameters_of(weights)
        optim = pytorch_optimizer.Lookahead(optimizer(rule, parameters), k=k, alpha=alpha)
        for gradient in gradients:
            give(parameters, gradient)
            optim.step()
            yield values(parameters), values([optim.state[parameter]["slow_params"] for parameter in parameters])

    return trace


def cautious_adamw(rule):
    """Liang et al. 2024 (arXiv 2411.16085): coordinates of the update whose sign the gradient shares, rescaled.

    The mask is that of the authors' C-AdamW: u g > 0, divided by its mean over the tensor, at least 0.001. Decay is
    not masked and comes first, as in torch.optim.AdamW, whose own steps these are.
    """
    _, options = parse(rule)
    decay = options.get("weight_decay", 0.01) * options["lr"]
    without_decay = rule.partition(",weight_decay")[0] + ",weight_decay=0"

    def trace(weights, gradients, losses):
        parameters = parameters_of(weights)
        optim = optimizer(without_decay, parameters)
        for gradient in gradients:
            give(parameters, gradient)
            before = [parameter.detach().clone() for parameter in parameters]
            optim.step()
            with torch.no_grad():
                for old, parameter in zip(before, parameters):
                    # AdamW's step depends on the gradients alone, so it may be taken from the undecayed weights
                    parameter.copy_(old * (1 - decay) - masked(old - parameter, parameter.grad))
            yield values(parameters), None

    return trace


def masked(update, gradient):
    mask = (update * gradient > 0).to(update.dtype)
    return update * mask / mask.mean().clamp(min=1e-3)


def transposed(transform):
    """For optax's convention [inputs, outputs]; ours is PyTorch's [outputs, inputs]."""

    def turn(tree):
        return [jnp.transpose(tensor) for tensor in tree]

    def update(updates, state, parameters):
        updates, state = transform.update(turn(updates), state, turn(parameters))
        return turn(updates), state

    return optax.GradientTransformation(transform.init, update)


def adaptive_clip(limit, lr, eps=1e-3):
    return optax.chain(transposed(optax.adaptive_grad_clip(limit, eps=eps)), optax.sgd(lr))


def of_torch(spec, what, trace, note=None):
    return Case(spec, f"{what} {TORCH}", trace, versions(), note)


def of_optax(spec, what, make, note=None):
    return Case(spec, f"{what} {optax.__version__}", optax_optim.follower(make), optax_optim.VERSIONS, note)


def clip_cases():
    sgd, adamw = "sgd:lr=0.1", "adamw:lr=0.001"
    value, norm = "torch.nn.utils.clip_grad_value_", "torch.nn.utils.clip_grad_norm_"
    norm_note = "Factor min(1, limit / (norm + 1e-6)), one norm over all tensors."
    unit_note = "Units: rows of a matrix (the weights into one output), whole bias vectors; norms of weights are at "
    unit_note += "least 0.001."
    return {
        "clip-value": of_torch(f"clip-value:0.5+{sgd}", value, clipped(lambda p: clip_grad_value_(p, 0.5), sgd)),
        "clip-value-adam": of_torch(
            "clip-value:0.01+adam:lr=0.001", value, clipped(lambda p: clip_grad_value_(p, 0.01), "adam:lr=0.001")
        ),
        "clip-global-norm": of_torch(
            f"clip-global-norm:1+{adamw}", norm, clipped(lambda p: clip_grad_norm_(p, 1.0), adamw), norm_note
        ),
        "clip-global-norm-sgd": of_torch(
            f"clip-global-norm:30+{sgd}", norm, clipped(lambda p: clip_grad_norm_(p, 30.0), sgd), norm_note
        ),
        "clip-adaptive": of_optax(
            f"clip-adaptive:0.01+{sgd}", "optax.adaptive_grad_clip", lambda: adaptive_clip(0.01, 0.1), unit_note
        ),
        "clip-adaptive-wide": of_optax(
            "clip-adaptive:0.5+sgd:lr=0.01", "optax.adaptive_grad_clip", lambda: adaptive_clip(0.5, 0.01), unit_note
        ),
        "centralize": of_optax(
            f"centralize+{sgd}",
            "optax.centralize",
            lambda: optax.chain(optax.centralize(), optax.sgd(0.1)),
            "The mean of each matrix row (the weights into one output) is taken off; biases stay.",
        ),
    }


def average_cases():
    ema, swa = "torch.optim.swa_utils.get_ema_multi_avg_fn", "torch.optim.swa_utils.AveragedModel"
    ema_note = "Updated after every update; the first copies the weights after update 1."
    swa_note = "Before update `start` the weights themselves are shown."

    def ema_of(rule, decay):
        return averaged(rule, {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(decay)})

    def swa_of(rule, start, every):
        return averaged(rule, {}, lambda update: update >= start and (update - start) % every == 0)

    return {
        "ema": of_torch("adamw:lr=0.001+ema:0.99", ema, ema_of("adamw:lr=0.001", 0.99), ema_note),
        "ema-sgd": of_torch("sgd:lr=0.01,momentum=0.9+ema:0.9", ema, ema_of("sgd:lr=0.01,momentum=0.9", 0.9), ema_note),
        "swa": of_torch("sgd:lr=0.01+swa:start=100,every=10", swa, swa_of("sgd:lr=0.01", 100, 10), swa_note),
        "swa-adam": of_torch("adam:lr=0.01+swa:start=60,every=7", swa, swa_of("adam:lr=0.01", 60, 7), swa_note),
    }


def step_cases():
    package = f"pytorch_optimizer.Lookahead {version('pytorch_optimizer')}"
    known = {"pytorch_optimizer": version("pytorch_optimizer")} | versions()
    authors = "arXiv 2411.16085, the authors' C-AdamW on torch.optim.AdamW's step; own transcription"
    found = {}
    for name, rule, k, alpha in (
        ("lookahead", "sgd:lr=0.1", 5, 0.5),
        ("lookahead-seven", "sgd:lr=0.1", 7, 0.8),
        ("lookahead-adamw", "adamw:lr=0.001", 6, 0.5),
    ):
        spec = f"{rule}+lookahead:k={k},alpha={alpha}"
        found[name] = Case(spec, package, lookahead(rule, k, alpha), known, "shown: the slow weights")
    for name, rule in (
        ("cautious", "adamw:lr=0.001"),
        ("cautious-decay", "adamw:lr=0.01,beta1=0.8,beta2=0.99,weight_decay=0.1"),
    ):
        found[name] = Case(f"{rule}+cautious", authors, cautious_adamw(rule), versions())
    return found


def cases():
    return clip_cases() | average_cases() | step_cases()
