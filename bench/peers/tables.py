#!/usr/bin/env python3
"""Writes the tables of the race: 569 samples to train on, a million to predict, 30 standardised features, 2 classes."""

import sys
from pathlib import Path

import numpy as np

FEATURES = 30
SHARE = 0.37  # of class 1
DISTANCE = 0.3  # of the classes' means, in standard deviations, per feature
SMALL, MANY = 569, 1_000_000


def table(rows, seed):
    """Samples as f32 [rows, 30] and their classes as i64 [rows]."""
    rng = np.random.default_rng(seed)
    classes = (rng.random(rows) < SHARE).astype(np.int64)
    features = rng.standard_normal((rows, FEATURES), np.float32) + np.float32(DISTANCE) * classes[:, None]
    features = (features - features.mean(0)) / features.std(0)
    return features.astype(np.float32), classes


def write(path, train, test):
    np.savez(path, x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    print(f"{path.name}: {len(train[1]):,} rows to train on, {len(test[1]):,} to predict")


def main():
    folder = Path(sys.argv[1])
    write(folder / "small.npz", table(SMALL, 1), table(SMALL, 2))
    write(folder / "many.npz", table(SMALL, 1), table(MANY, 3))


if __name__ == "__main__":
    main()
