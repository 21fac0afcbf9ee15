"""The first 5,000 images of MNIST's training set, sorted by class: python3 sort.py FOLDER-OF-MNIST NEW-FOLDER"""

import gzip
import sys
from pathlib import Path

COUNT, SIZE = 5000, 28 * 28
source, target = map(Path, sys.argv[1:])


def read(name: str) -> bytes:
    plain = source / name
    return plain.read_bytes() if plain.exists() else gzip.decompress((source / f"{name}.gz").read_bytes())


images, labels = read("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte")
order = sorted(range(COUNT), key=lambda i: labels[8 + i])
count = COUNT.to_bytes(4, "big")
target.mkdir()
(target / "train-images-idx3-ubyte").write_bytes(
    images[:4] + count + images[8:16] + b"".join(images[16 + SIZE * i : 16 + SIZE * (i + 1)] for i in order)
)
(target / "train-labels-idx1-ubyte").write_bytes(labels[:4] + count + bytes(labels[8 + i] for i in order))
for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
    (target / name).write_bytes(read(name))
