"""Trains the networks of lectures 24 and 25 on MNIST in PyTorch; prints mean ± sd over seeds, by epoch.

The recipes, and the figures recorded for them, stand in lectures.toml.
"""

import argparse
import statistics
import tomllib

import torch

from common import HERE, evaluate, mlp, read_split, samples_per_update, train_epoch, versions
from references.torch_optim import optimizer

METRICS = ("train_loss", "eval_accuracy")


def train(model, recipe, epochs, seed, train_split, test_split):
    """{metric: its value after each epoch} of one seed, which fixes initial weights and orders."""
    torch.manual_seed(seed)
    net = mlp(model)
    optim = optimizer(recipe["optimizer"], net.parameters())
    images, labels = train_split
    size = samples_per_update(recipe["update"], len(images))
    history = {metric: [] for metric in METRICS}
    for _ in range(epochs):
        order = torch.randperm(len(images))
        history["train_loss"].append(train_epoch(net, optim, images, labels, order, size))
        history["eval_accuracy"].append(evaluate(net, *test_split)[1])
    return history


def spread(values):
    """`mean ± sd`; the sd of one value is unknown."""
    sd = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "?"
    return f"{statistics.mean(values):.4f} ± {sd}"


def report(recipe, epochs, runs):
    """One line per epoch and metric, with the recorded figure where there is one."""
    recorded = {
        (figure["epoch"], figure["metric"]): f"   recorded {figure['mean']} ± {figure['sd']}"
        for figure in recipe["figures"]
    }
    print(f"{recipe['name']}: {recipe['update']} {recipe['optimizer']}, {len(runs)} seeds")
    for epoch in range(1, epochs + 1):
        for metric in METRICS:
            values = [run[metric][epoch - 1] for run in runs]
            print(f"  epoch {epoch:2} {metric:13} {spread(values)}{recorded.get((epoch, metric), '')}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("mnist", help="folder with the four IDX files, raw or .gz")
    arguments.add_argument("--seeds", type=int, default=10, help="how many seeds, from 1 up")
    arguments.add_argument("--recipe", action="append", help="only this one of lectures.toml; may be repeated")
    chosen = arguments.parse_args()

    study = tomllib.loads((HERE / "lectures.toml").read_text())
    train_split, test_split = read_split(chosen.mnist, "train"), read_split(chosen.mnist, "t10k")
    print(*(f"{name} {value}" for name, value in versions().items()), sep=", ")
    for recipe in study["recipe"]:
        if chosen.recipe and recipe["name"] not in chosen.recipe:
            continue
        epochs = max(figure["epoch"] for figure in recipe["figures"])
        runs = [
            train(study["model"], recipe, epochs, seed, train_split, test_split) for seed in range(1, chosen.seeds + 1)
        ]
        report(recipe, epochs, runs)


if __name__ == "__main__":
    main()
