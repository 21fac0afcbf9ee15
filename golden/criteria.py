"""schuss's grammar of losses as functions of torch: `cross-entropy:label_smoothing=0.1`."""

import torch
from torch.nn import functional as F

from specs import parse


def hinge(outputs, targets):
    return (1 - (2 * targets - 1) * outputs).clamp(min=0).mean()


def squared_hinge(outputs, targets):
    return (1 - (2 * targets - 1) * outputs).clamp(min=0).square().mean()


def focal(logits, targets, alpha=0.25, gamma=2.0):
    """torchvision.ops.sigmoid_focal_loss(reduction="mean")."""
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p = torch.sigmoid(logits)
    right = p * targets + (1 - p) * (1 - targets)
    balance = alpha * targets + (1 - alpha) * (1 - targets)
    return (balance * (1 - right) ** gamma * entropy).mean()


def bce(outputs, targets, logits=True):
    return (F.binary_cross_entropy_with_logits if logits else F.binary_cross_entropy)(outputs, targets)


def kl(outputs, targets):
    return F.kl_div(outputs, targets, reduction="batchmean")


def cosine(outputs, targets):
    return F.cosine_embedding_loss(outputs, targets, torch.ones(len(outputs), dtype=outputs.dtype))


# of classes
CLASSES = {"cross-entropy": F.cross_entropy, "nll": F.nll_loss, "multi-margin": F.multi_margin_loss}
# of rows; classes become one-hot
ROWS = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.huber_loss,
    "smooth-l1": F.smooth_l1_loss,
    "bce": bce,
    "hinge": hinge,
    "squared-hinge": squared_hinge,
    "focal": focal,
    "kl": kl,
    "poisson": F.poisson_nll_loss,
    "cosine": cosine,
}


def criterion(spec):
    """A function of outputs and targets, which are classes or rows, that gives the mean loss."""
    name, options = parse(spec)

    def loss(outputs, targets):
        found = dict(options)
        if "class_weights" in found:
            weights = [float(weight) for weight in found.pop("class_weights").split(":")]
            found["weight"] = torch.tensor(weights, dtype=outputs.dtype)
        if name in CLASSES:
            return CLASSES[name](outputs, targets, **found)
        rows = F.one_hot(targets, outputs.shape[1]).to(outputs.dtype) if targets.ndim == 1 else targets
        return ROWS[name](outputs, rows, **found)

    return loss
