"""200 updates of a small network by methods whose point is the answer of the loss to their steps.

The network `3-16-4` (ReLU, cross-entropy) learns 40 recorded samples, all of them in every update. Writes
network_steps/problem.safetensors and, as optim_steps.py does, network_steps/<case>.safetensors.
"""

from importlib.metadata import version

import pytorch_optimizer
import torch
from torch.nn import functional as F

from common import HERE, mlp, versions
from references import authors, optax_optim, torch_optim
from references.torch_optim import values
from stream import Case, join, record, save, split

FOLDER = HERE / "network_steps"
SAMPLES = 40


def draw():
    """PyTorch's initial weights [132], inputs [40, 3] and classes [40] of four overlapping clouds."""
    torch.manual_seed(17)
    weights = join([parameter.detach().numpy() for parameter in mlp("3-16-4").parameters()])
    classes = torch.arange(SAMPLES) % 4
    inputs = torch.randn(SAMPLES, 3) + 1.2 * torch.randn(4, 3)[classes]
    return weights, inputs.numpy(), classes.numpy()


class Problem:
    """Loss and gradient at any weights [132], in the dtype of the run."""

    def __init__(self, stream, dtype):
        weights, inputs, classes = stream
        self.start = weights.astype(dtype)
        self.inputs, self.classes = torch.tensor(inputs.astype(dtype)), torch.tensor(classes)

    def logits(self, tensors):
        first, first_bias, second, second_bias = tensors
        return F.linear(F.relu(F.linear(self.inputs, first, first_bias)), second, second_bias)

    def loss(self, tensors):
        return F.cross_entropy(self.logits(tensors), self.classes)

    def loss_and_gradient(self, weights):
        tensors = [torch.tensor(tensor, requires_grad=True) for tensor in split(weights)]
        loss = self.loss(tensors)
        return loss.detach().numpy(), join([part.numpy() for part in torch.autograd.grad(loss, tensors)])


class Answers:
    """Gradients and losses at the weights that a trace has reached, in place of recorded ones."""

    def __init__(self, problem, updates=200):
        self.problem, self.weights, self.left = problem, problem.start, updates

    def gradients(self):
        while self.left > 0:
            self.left -= 1
            self.loss, gradient = self.problem.loss_and_gradient(self.weights)
            yield gradient

    def losses(self):
        while True:
            yield self.loss


def answer(trace, stream, dtype):
    """Feeds a trace with what the loss says at the weights it has reached."""
    answers = Answers(Problem(stream, dtype))
    for weights, shown in trace(answers.problem.start, answers.gradients(), answers.losses()):
        answers.weights = weights
        yield weights, shown


def confront(trace, stream, dtype):
    """For methods that look at more than one gradient per update: hands them the whole problem."""
    return trace(Problem(stream, dtype))


def sam(rule, rho, adaptive):
    def trace(problem):
        parameters = torch_optim.parameters_of(problem.start)
        optim = pytorch_optimizer.SAM(
            parameters, lambda groups: torch_optim.optimizer(rule, groups), rho=rho, adaptive=adaptive, use_gc=False
        )
        for _ in range(200):
            problem.loss(parameters).backward()
            optim.first_step(zero_grad=True)
            problem.loss(parameters).backward()
            optim.second_step(zero_grad=True)
            yield values(parameters), None

    return trace


def k_fac(lr, momentum, damping, decay, every, weight_decay, fisher):
    """Martens and Grosse 2015 (arXiv 1503.05671), own transcription, without its exact rescaling of steps.

    A = mean of ā āᵀ (inputs of a layer and a 1), G = mean of δ δᵀ (per-sample gradients at its outputs), `fisher`:
    `exact`, the expectation over classes drawn from the network's own softmax, or `empirical`, the given classes.
    Both are averaged at every update k with min(1 - 1/k, decay) on the old. At updates 1, 1 + every, ... (A + π√λ I)⁻¹
    and (G + √λ/π I)⁻¹ are taken, π² = (tr A / dim A) / (tr G / dim G), λ = damping. Direction G⁻¹ [∇W ∇b] A⁻¹, from
    gradients with weight_decay w added; v = momentum v + direction, w -= lr v.
    """

    def trace(problem):
        tensors = [torch.tensor(tensor) for tensor in split(problem.start)]
        layers = [{}, {}]
        for update in range(1, 201):
            inputs, deltas, gradients = passes(problem, tensors, fisher)
            for index, layer in enumerate(layers):
                average(layer, update, decay, inputs[index], deltas[index])
                if (update - 1) % every == 0:
                    layer["inverses"] = inverses(layer["A"], layer["G"], damping)
                weight, bias = tensors[2 * index : 2 * index + 2]
                joined = torch.cat([weight, bias[:, None]], dim=1)
                inverse_a, inverse_g = layer["inverses"]
                direction = inverse_g @ (gradients[index] + weight_decay * joined) @ inverse_a
                layer["velocity"] = momentum * layer.get("velocity", 0) + direction
                joined = joined - lr * layer["velocity"]
                tensors[2 * index], tensors[2 * index + 1] = joined[:, :-1].clone(), joined[:, -1].clone()
            yield values(tensors), None

    return trace


def passes(problem, tensors, fisher):
    """Per layer: inputs with a 1 [samples, in + 1], output gradients [terms, samples, out], gradient of the mean loss.

    The exact Fisher has a term per class, its gradient weighted by the root of the class's probability.
    """
    first, first_bias, second, second_bias = tensors
    before = F.linear(problem.inputs, first, first_bias)
    hidden = F.relu(before)
    probabilities = F.softmax(F.linear(hidden, second, second_bias), dim=1)
    one = torch.ones(SAMPLES, 1, dtype=probabilities.dtype)
    inputs = [torch.cat([problem.inputs, one], dim=1), torch.cat([hidden, one], dim=1)]

    def at_outputs(classes):
        top = probabilities - F.one_hot(classes, 4)
        return [(top @ second) * (before > 0), top]

    given = at_outputs(problem.classes)
    gradients = [delta.T @ rows / SAMPLES for delta, rows in zip(given, inputs)]
    if fisher == "empirical":
        return inputs, [delta[None] for delta in given], gradients
    terms = []
    for label in range(4):
        root = probabilities[:, label : label + 1].sqrt()
        terms.append([root * delta for delta in at_outputs(torch.full((SAMPLES,), label))])
    return inputs, [torch.stack(column) for column in zip(*terms)], gradients


def average(layer, update, decay, inputs, deltas):
    """Running averages of A and G."""
    kept = min(1 - 1 / update, decay)
    new_a = inputs.T @ inputs / SAMPLES
    new_g = torch.einsum("tsi,tsj->ij", deltas, deltas) / SAMPLES
    layer["A"] = kept * layer.get("A", 0) + (1 - kept) * new_a
    layer["G"] = kept * layer.get("G", 0) + (1 - kept) * new_g


def inverses(a, g, damping):
    """Factored Tikhonov damping, section 6.3."""
    pi = ((a.trace() / len(a)) / (g.trace() / len(g))).sqrt()
    root = damping**0.5
    return damped_inverse(a, pi * root), damped_inverse(g, root / pi)


def damped_inverse(matrix, damping):
    return torch.linalg.inv(matrix + damping * torch.eye(len(matrix), dtype=matrix.dtype))


ANSWERED = {
    "sgd": "sgd:lr=0.1,momentum=0.9",
    "adamw": "adamw:lr=0.01",
    "schedule-free-sgd": "schedule-free-sgd:lr=1.0,momentum=0.9",
    "schedule-free-adamw": "schedule-free-adamw:lr=0.01,beta1=0.9,beta2=0.999,eps=1e-8",
    "prodigy": "prodigy:lr=1.0,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,d0=1e-6,d_coef=1.0",
    "d-adapt-adam": "d-adapt-adam:lr=1.0,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0,d0=1e-6",
    "dog": "dog:lr=1.0,reps_rel=1e-6,eps=1e-8,weight_decay=0",
    "momo": "momo:lr=1.0,momentum=0.9,weight_decay=0,f_star=0",
    "madgrad": "madgrad:lr=0.01,momentum=0.9,weight_decay=0,eps=1e-6",
    "dowg": "dowg:lr=0.3,eps=0.0001",
    "polyak-sgd": "polyak-sgd:max_lr=1.0,scaling=0.5,f_min=0.8,eps=0.1",
    "lion": "lion:lr=0.003,beta1=0.9,beta2=0.99,weight_decay=0",
    "adopt": "adopt:lr=0.01,beta1=0.9,beta2=0.9999,eps=1e-6,clip=true",
}
# A step of 1e-6 is lost in f32 weights, and with it the distance that lr-free methods measure; elsewhere a ReLU on its
# edge flips in f32.
F64_ONLY = {"prodigy", "d-adapt-adam", "dog", "dowg", "sam", "k-fac-empirical"}


def home_of(method):
    """The module that runs a method."""
    return next(home for home in (torch_optim, optax_optim, authors) if method in home.METHODS)


def answered_cases():
    for name, spec in ANSWERED.items():
        yield name, home_of(spec.partition(":")[0]).case(spec, f32=name not in F64_ONLY)


def confronted_cases():
    package = f"pytorch_optimizer.SAM {version('pytorch_optimizer')}"
    for name, rule, rho, adaptive in (
        ("sam", "sgd:lr=0.01,momentum=0.9", 0.05, False),
        ("sam-adaptive", "sgd:lr=0.02,momentum=0.9", 0.2, True),
        ("sam-adam", "adam:lr=0.01", 0.1, False),
    ):
        spec = f"{rule}+sam:rho={rho}" + (",adaptive=true" if adaptive else "")
        yield name, Case(spec, package, sam(rule, rho, adaptive), versions(), f32=name not in F64_ONLY)
    options = dict(lr=0.01, momentum=0.9, damping=0.01, decay=0.95, every=10, weight_decay=0.0)
    for name, changes, fisher in (
        ("k-fac", {}, "exact"),
        ("k-fac-every-update", {"every": 1, "lr": 0.1, "damping": 0.1, "momentum": 0.5}, "exact"),
        ("k-fac-decay", {"every": 5, "damping": 0.03, "decay": 0.8, "weight_decay": 0.01}, "exact"),
        ("k-fac-empirical", {"damping": 0.1}, "empirical"),
    ):
        chosen = options | changes
        spec = "k-fac:" + ",".join(f"{key}={value:g}" for key, value in chosen.items())
        reference = "arXiv 1503.05671; own transcription"
        note = f"fisher: {fisher}. " + " ".join(k_fac.__doc__.split())
        trace = k_fac(fisher=fisher, **chosen)
        yield name, Case(spec, reference, trace, versions(), note, f32=name not in F64_ONLY)


if __name__ == "__main__":
    stream = draw()
    save(FOLDER / "problem.safetensors", dict(zip(("weights", "inputs", "classes"), stream)))
    for cases, feed in ((answered_cases(), answer), (confronted_cases(), confront)):
        for name, case in cases:
            record(name, case, stream, FOLDER, feed)
