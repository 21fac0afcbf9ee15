"""Six generated tables of known structure. Every draw has its own seed, so splits are independent samples."""

import csv

import numpy as np

TRAIN, TEST = 1_500, 2_000


def linear(rng, rows):
    """Two classes, whose log odds are a linear function of ten features."""
    x = rng.normal(size=(rows, 10))
    odds = x @ np.array([2, -1.5, 1, -1, 0.5, 0.5, 0, 0, 0, 0])
    return x, words(rng.random(rows) < 1 / (1 + np.exp(-odds)), "no", "yes")


def xor(rng, rows):
    """Two classes: the sign of a product of two of six features."""
    x = rng.uniform(-1, 1, size=(rows, 6))
    return x, words(x[:, 0] * x[:, 1] > 0, "no", "yes")


def noisy(rng, rows):
    """Two classes inside and outside a curve in two of eight features, with a fifth of the labels flipped."""
    x = rng.uniform(-2, 2, size=(rows, 8))
    inside = x[:, 0] ** 2 + np.sin(2 * x[:, 1]) > 1
    return x, words(inside ^ (rng.random(rows) < 0.2), "out", "in")


def unbalanced(rng, rows):
    """Two classes, of which the rare one, about 5 %, is a ball around a corner."""
    x = rng.normal(size=(rows, 5))
    return x, words(np.sum((x[:, :3] - 1) ** 2, axis=1) < 0.9, "common", "rare")


def many(rng, rows):
    """26 classes: overlapping normal clouds in eight dimensions."""
    centres = np.random.default_rng(0).normal(scale=1.6, size=(26, 8))
    label = rng.integers(26, size=rows)
    return centres[label] + rng.normal(size=(rows, 8)), np.array([chr(ord("a") + int(k)) for k in label])


def regression(rng, rows):
    """Friedman's first function of ten features, five of which matter, with noise of standard deviation 1."""
    x = rng.uniform(size=(rows, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, y + rng.normal(size=rows)


TABLES = [linear, xor, noisy, unbalanced, many, regression]


def words(mask, no, yes):
    return np.where(mask, yes, no)


def split(table, number):
    """Training and test samples of a split, from its number."""
    rng = np.random.default_rng([TABLES.index(table), number])
    return table(rng, TRAIN), table(rng, TEST)


def write(folder, train, test):
    """Writes a split as a folder of tables."""
    folder.mkdir(parents=True)
    for name, (x, y) in [("train.csv", train), ("test.csv", test)]:
        with open(folder / name, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([f"x{column}" for column in range(x.shape[1])] + ["y"])
            rows.writerows([*map(repr, map(float, row)), label] for row, label in zip(x, y.tolist()))
