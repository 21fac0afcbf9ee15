"""Values and gradients of losses, in f64, from torch.nn.functional, optax and torchvision's formula.

Writes losses/<case>.json. Means are over samples; for losses of every output, over samples x outputs.
Inputs and targets are f32 numbers, so that nobody who computes in f32 sees others.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch.nn import functional as F

from common import HERE, versions, write_json

FOLDER = HERE / "losses"
SAMPLES, OUTPUTS = 12, 5
WEIGHT = [0.5, 2.0, 1.0, 0.1, 3.0]


def narrow(numbers):
    """Rounded to f32, as f64."""
    return numbers.astype(np.float32).astype(np.float64)


def draw_logits():
    """Ordinary rows, then rows that overflow, tie, or are nearly certain; and classes for all of them."""
    random = np.random.Generator(np.random.PCG64(5))
    logits = random.standard_normal((SAMPLES, OUTPUTS)) * 2
    logits[4] = 0  # all equal
    logits[5] = 7.25  # equal and not 0
    logits[6] = [1e4, 0, 0, -1e4, 0]  # certain and right
    logits[7] = [1e4, 0, 0, -1e4, 0]  # certain and wrong
    logits[8] = [-1e4, -1e4, -1e4, -1e4, -1e4]
    logits[9] = [40, -40, 40, 0, 1e-9]
    logits[10] = [1, 1, 0, 2, 1]  # margins of exactly 1 and 0
    logits[11] = [1e-37, -1e-37, 0, -0.0, 1e-17]
    classes = np.array([0, 1, 2, 3, 4, 2, 0, 3, 1, 2, 0, 4])
    return narrow(logits), classes


def draw_rows():
    """Predictions and real targets: differences of exactly 0, 1, 0.5, large and tiny ones."""
    random = np.random.Generator(np.random.PCG64(6))
    targets = random.standard_normal((6, OUTPUTS))
    predictions = targets + random.standard_normal((6, OUTPUTS))
    predictions[3] = targets[3]
    targets[4], predictions[4] = 0, [1.0, -1.0, 0.5, -0.5, 0.0]
    predictions[5] = [1e4, -1e4, 1e-9, -1e-9, 2.0]
    return predictions, targets


def draw_probabilities():
    """Rows in [0, 1] with exact zeros and ones, as predictions and as targets."""
    random = np.random.Generator(np.random.PCG64(7))
    predictions, targets = random.uniform(size=(2, 6, OUTPUTS))
    predictions[3] = [0, 1, 0, 1, 0.5]
    targets[3] = [0, 1, 1, 0, 0.5]
    predictions[4] = [1e-12, 1 - 2**-24, 1e-37, 0.5, 0.5]
    targets[5] = [0, 1, 0, 0, 0]
    return predictions, targets


def distributions(rows):
    return rows / rows.sum(axis=1, keepdims=True)


LOGITS, CLASSES = draw_logits()
ONE_HOT = np.eye(OUTPUTS)[CLASSES]
PREDICTIONS, TARGETS = draw_rows()
PROBABILITIES, SOFT_TARGETS = draw_probabilities()


def record(name, spec, reference, loss, inputs, classes=None, targets=None, seen=None, note=None):
    """`loss(inputs, target)` and its gradient; `seen` is what the loss gets for a target if not the recorded one."""
    inputs = narrow(inputs)
    targets = None if targets is None else narrow(targets)
    tensor = torch.tensor(inputs, requires_grad=True)
    target = seen if seen is not None else (classes if targets is None else targets)
    value = loss(tensor, torch.tensor(target))
    (gradient,) = torch.autograd.grad(value, tensor)
    write(name, spec, reference, value.item(), gradient.numpy(), inputs, classes, targets, note)


def write(name, spec, reference, value, gradient, inputs, classes, targets, note):
    assert np.isfinite(value) and np.isfinite(gradient).all(), name
    print(f"{name:32} {value:14.6g}   largest gradient {np.abs(gradient).max():.3g}   {spec}")
    answer = {"classes": classes.tolist()} if targets is None else {"targets": targets.flatten().tolist()}
    story = versions() | {"loss": spec, "reference": reference} | ({"note": note} if note else {})
    shape = {"samples": len(inputs), "outputs": inputs.shape[1], "inputs": inputs.flatten().tolist()}
    numbers = {"value": value, "gradient": gradient.flatten().tolist()}
    write_json(FOLDER / f"{name}.json", story | shape | answer | numbers)


def functional(name, spec, function, *arguments, note=None, seen=None, **options):
    reference = f"torch.nn.functional.{function.__name__} {torch.__version__.partition('+')[0]}"
    options = {k: torch.tensor(v, dtype=torch.float64) if k == "weight" else v for k, v in options.items()}
    inputs, target = arguments
    kind = "classes" if target.ndim == 1 else "targets"
    record(
        name, spec, reference, lambda x, y: function(x, y, **options), inputs, **{kind: target}, seen=seen, note=note
    )


def record_classification():
    weight = ":".join(f"{w:g}" for w in WEIGHT)
    classes = (LOGITS, CLASSES)
    functional("cross-entropy", "cross-entropy", F.cross_entropy, *classes)
    functional("cross-entropy-ordinary", "cross-entropy", F.cross_entropy, LOGITS[:4], CLASSES[:4])
    functional(
        "cross-entropy-smoothing", "cross-entropy:label_smoothing=0.1", F.cross_entropy, *classes, label_smoothing=0.1
    )
    functional(
        "cross-entropy-weight",
        f"cross-entropy:class_weights={weight}",
        F.cross_entropy,
        *classes,
        weight=WEIGHT,
        note="Divided by the sum of the samples' class weights.",
    )
    functional(
        "cross-entropy-smoothing-weight",
        f"cross-entropy:label_smoothing=0.2,class_weights={weight}",
        F.cross_entropy,
        *classes,
        label_smoothing=0.2,
        weight=WEIGHT,
        note="Divided by the sum of the samples' class weights; the smoothed part weighs each class by its own.",
    )
    functional(
        "cross-entropy-rows",
        "cross-entropy",
        F.cross_entropy,
        LOGITS[:6],
        distributions(SOFT_TARGETS),
        note="Targets are probabilities.",
    )
    log_probabilities = F.log_softmax(torch.tensor(LOGITS), dim=1).numpy()
    functional("nll", "nll", F.nll_loss, log_probabilities, CLASSES)
    functional("nll-weight", f"nll:class_weights={weight}", F.nll_loss, log_probabilities, CLASSES, weight=WEIGHT)
    for p in (1, 2):
        functional(f"multi-margin-{p}", f"multi-margin:p={p}", F.multi_margin_loss, *classes, p=p)
    functional("multi-margin-margin", "multi-margin:p=1,margin=0.3", F.multi_margin_loss, *classes, p=1, margin=0.3)
    functional(
        "multi-margin-weight", f"multi-margin:class_weights={weight}", F.multi_margin_loss, *classes, weight=WEIGHT
    )


def record_every_output():
    """Losses of single outputs: on classes through one-hot rows, and on rows."""
    one_hot = "Classes become one-hot rows."
    pairs = {
        "mse": ("mse", F.mse_loss, {}),
        "l1": ("l1", F.l1_loss, {}),
        "huber": ("huber", F.huber_loss, {}),
        "huber-delta": ("huber:delta=0.5", F.huber_loss, {"delta": 0.5}),
        "smooth-l1": ("smooth-l1", F.smooth_l1_loss, {}),
        "smooth-l1-beta": ("smooth-l1:beta=0.5", F.smooth_l1_loss, {"beta": 0.5}),
    }
    for name, (spec, function, options) in pairs.items():
        functional(f"{name}-rows", spec, function, PREDICTIONS, TARGETS, **options)
        functional(f"{name}-classes", spec, function, LOGITS, CLASSES, seen=ONE_HOT, note=one_hot, **options)
    functional(
        "bce-with-logits-classes",
        "bce",
        F.binary_cross_entropy_with_logits,
        LOGITS,
        CLASSES,
        seen=ONE_HOT,
        note=one_hot,
    )
    functional("bce-with-logits-rows", "bce", F.binary_cross_entropy_with_logits, LOGITS[5:11], SOFT_TARGETS)
    functional(
        "bce-rows",
        "bce:logits=false",
        F.binary_cross_entropy,
        PROBABILITIES,
        SOFT_TARGETS,
        note="Logarithms are at least -100; the gradient divides by p (1 - p), at least 1e-12.",
    )
    functional(
        "bce-classes",
        "bce:logits=false",
        F.binary_cross_entropy,
        PROBABILITIES,
        CLASSES[:6],
        seen=ONE_HOT[:6],
        note=one_hot,
    )


def focal(alpha, gamma):
    """torchvision.ops.sigmoid_focal_loss, reduction mean (Lin et al. 2017, arXiv 1708.02002)."""

    def loss(logits, targets):
        cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        p = torch.sigmoid(logits)
        right = p * targets + (1 - p) * (1 - targets)
        found = cross_entropy * (1 - right) ** gamma
        if alpha >= 0:
            found = (alpha * targets + (1 - alpha) * (1 - targets)) * found
        return found.mean()

    return loss


def record_focal():
    reference = "torchvision.ops.sigmoid_focal_loss's formula (arXiv 1708.02002)"
    for name, alpha, gamma in (("focal", 0.25, 2), ("focal-gamma", 0.25, 1.5), ("focal-no-alpha", -1, 2)):
        spec = "focal" if name == "focal" else f"focal:alpha={alpha},gamma={gamma}"
        note = "alpha 0.25 and gamma 2 unless given; alpha below 0 for none. Classes become one-hot rows."
        record(name, spec, reference, focal(alpha, gamma), LOGITS, classes=CLASSES, seen=ONE_HOT, note=note)


def record_distributions():
    log_probabilities = F.log_softmax(torch.tensor(LOGITS[:6]), dim=1).numpy()
    targets = distributions(SOFT_TARGETS)
    functional(
        "kl",
        "kl",
        F.kl_div,
        log_probabilities,
        targets,
        reduction="batchmean",
        note="reduction=batchmean; inputs are log-probabilities, targets probabilities; 0 log 0 = 0.",
    )
    counts = np.random.Generator(np.random.PCG64(8)).poisson(2.0, size=(6, OUTPUTS)).astype(np.float64)
    rates = np.exp(PREDICTIONS.clip(-8, 8))
    rates[0, 0] = 0.0
    logs = PREDICTIONS.clip(-100, 8)
    functional("poisson", "poisson", F.poisson_nll_loss, logs, counts, note="exp(x) - t x, log_input=true")
    functional(
        "poisson-rate",
        "poisson:log_input=false",
        F.poisson_nll_loss,
        rates,
        counts,
        log_input=False,
        note="x - t log(x + eps), eps = 1e-8",
    )
    functional(
        "poisson-full",
        "poisson:full=true",
        F.poisson_nll_loss,
        logs,
        counts,
        full=True,
        note="Adds t log t - t + log(2 pi t) / 2 where t > 1.",
    )


def record_cosine():
    reference = f"torch.nn.functional.cosine_embedding_loss {torch.__version__.partition('+')[0]}"

    def cosine(inputs, targets):
        return F.cosine_embedding_loss(inputs, targets, torch.ones(len(inputs)))

    note = "1 - x·t / sqrt((x·x + 1e-12) (t·t + 1e-12)), mean over samples"
    record("cosine-rows", "cosine", reference, cosine, PREDICTIONS, targets=TARGETS + 0.1, note=note)
    ordinary = LOGITS[:4], CLASSES[:4]
    record("cosine-classes", "cosine", reference, cosine, ordinary[0], ordinary[1], seen=ONE_HOT[:4], note=note)
    record("cosine-zero-row", "cosine", reference, cosine, np.zeros((1, 3)), targets=np.ones((1, 3)), note=note)


def record_hinges():
    signs = 2 * ONE_HOT - 1
    note = "Classes become rows of +1 (the class) and -1; mean over samples x outputs."
    reference = f"optax.losses.hinge_loss {optax.__version__}"
    with jax.enable_x64(True):
        hinge = jax.value_and_grad(lambda x: jnp.mean(optax.losses.hinge_loss(x, jnp.asarray(signs))))
        value, gradient = hinge(jnp.asarray(LOGITS))
        squared = jax.value_and_grad(lambda x: jnp.mean(optax.losses.hinge_loss(x, jnp.asarray(signs)) ** 2))
        square, square_gradient = squared(jnp.asarray(LOGITS))
    gradient, square_gradient = np.asarray(gradient), np.asarray(square_gradient)
    corner = "At the corner (1 - t x = 0) JAX gives half the slope; those entries are recorded as 0."
    gradient = np.where(signs * LOGITS == 1, 0.0, gradient)
    write("hinge", "hinge", reference, float(value), gradient, LOGITS, CLASSES, None, f"{note} {corner}")
    square_name = f"{reference}, squared"
    write("squared-hinge", "squared-hinge", square_name, float(square), square_gradient, LOGITS, CLASSES, None, note)
    functional(
        "hinge-embedding",
        "hinge-embedding",
        F.hinge_embedding_loss,
        LOGITS,
        CLASSES,
        seen=signs,
        note="x where the target is 1, max(0, margin - x) where it is -1; margin 1. " + note,
    )


if __name__ == "__main__":
    record_classification()
    record_every_output()
    record_focal()
    record_distributions()
    record_cosine()
    record_hinges()
