#!/usr/bin/env python3
"""PyTorch's side of the race: eager with torch.optim, or the whole training step through torch.compile."""

import functools

import common
import torch
from torch import nn
from torch.nn import functional as F


def new_network(widths):
    """Linear layers and ReLU with PyTorch's default initial weights."""
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def eager_update(work, implementation):
    """(images, labels, batch) -> losses of one update, one per pass; their gradients are accumulated."""
    network = new_network(work.widths)
    name, options = work.optimizer_options()
    method = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name]
    choice = {"fused": {"fused": True}, "foreach": {"foreach": True}, "single": {"foreach": False}}[implementation]
    optimizer = method(network.parameters(), **options, **choice)
    share_of = functools.cache(torch.tensor)

    def update(images, labels, batch):
        losses = []
        for part in batch.split(work.samples_per_pass):
            loss = F.cross_entropy(network(images[part]), labels[part])
            loss.backward(share_of(len(part) / len(batch)))
            losses.append(loss.detach())
        optimizer.step()
        optimizer.zero_grad()
        return losses

    return update


def new_slots(name, weights):
    """What an optimizer keeps: a velocity per weight tensor, or m and v and the powers of Adam's betas."""
    zeros = [{key: torch.zeros_like(weight) for key, weight in weights.items()} for _ in range(2)]
    return zeros[:1] if name == "sgd" else [*zeros, torch.ones(2)]


def descend(name, options, weights, slots, gradients):
    """One step of sgd or adam, in place."""
    if name == "adam":
        m, v, powers = slots
        powers.mul_(torch.tensor([0.9, 0.999]))
        step, correction = options["lr"] / (1 - powers[0]), 1 - powers[1]
    for key, weight in weights.items():
        gradient = gradients[key]
        if name == "adam":
            m[key].lerp_(gradient, 1 - 0.9)
            v[key].mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
            weight.sub_(step * m[key] / ((v[key] / correction).sqrt() + 1e-8))
        else:
            if momentum := options.get("momentum"):
                gradient = slots[0][key].mul_(momentum).add_(gradient)
            weight.sub_(gradient, alpha=options["lr"])


def compiled_update(work, mode):
    """The same in one compiled graph: forward, backward and step. One pass per update."""
    network = new_network(work.widths)
    name, options = work.optimizer_options()
    weights = {key: weight.detach() for key, weight in network.named_parameters()}
    slots = new_slots(name, weights)

    def loss_at(weights, images, labels):
        return F.cross_entropy(torch.func.functional_call(network, weights, (images,)), labels)

    @functools.partial(torch.compile, dynamic=False, mode=mode)  # a graph of its own for the last, partial update
    def step(images, labels):
        gradients, loss = torch.func.grad_and_value(loss_at)(weights, images, labels)
        descend(name, options, weights, slots, gradients)
        return loss

    # a graph of a card reuses the memory of its results
    return lambda images, labels, batch: [step(images[batch], labels[batch]).clone()]


def predictor(work, weights, images, compiled):
    """-> classes of all images."""
    network = new_network(work.widths)
    with torch.no_grad():
        for layer, (weight, bias) in zip(network[::2], common.saved_layers(weights)):
            layer.weight.copy_(torch.from_numpy(weight.T))
            layer.bias.copy_(torch.from_numpy(bias.copy()))

    def classes_of(part):
        return network(part).argmax(1)

    if compiled:
        classes_of = torch.compile(classes_of, dynamic=False)

    @torch.inference_mode()
    def predict():
        return torch.cat([classes_of(part) for part in images.split(work.block)])

    return predict


def main():
    arguments = common.parser(__doc__)
    arguments.add_argument("--compile", action="store_true", help="torch.compile of the training step")
    arguments.add_argument("--mode", default="default", help="of torch.compile: reduce-overhead records graphs of a card")
    arguments.add_argument("--implementation", choices=["fused", "foreach", "single"], default="fused")
    arguments.add_argument("--precision", choices=["highest", "high", "medium"], default="highest")
    chosen = arguments.parse_args()
    work = common.work_of(chosen)
    torch.manual_seed(work.seed)
    torch.set_flush_denormal(True)  # velocities that die away would slow it down
    torch.set_num_threads(work.threads)
    torch.set_float32_matmul_precision(chosen.precision)
    torch.set_default_device(chosen.device)
    split = "test" if work.passes else "train"
    images, labels = (torch.from_numpy(part).to(chosen.device) for part in common.read(chosen.data, work, split))
    if work.passes:
        predict = predictor(work, chosen.weights, images, chosen.compile)
        return common.race_predictions("pytorch", torch.__version__, work, predict, labels.cpu().numpy())

    def new_training():
        update = compiled_update(work, chosen.mode) if chosen.compile else eager_update(work, chosen.implementation)

        def train(samples, epochs):
            for _ in range(epochs):
                losses = []
                for batch in torch.randperm(len(images))[:samples].split(work.samples_per_update):
                    losses += update(images, labels, batch)
            return torch.stack(losses).mean()

        return train

    common.race("pytorch", torch.__version__, work, new_training)


if __name__ == "__main__":
    main()
