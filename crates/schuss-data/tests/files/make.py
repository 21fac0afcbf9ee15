"""Files as NumPy, pandas, PyArrow, Pillow and tarfile write them, and the numbers they read back from them.

`expected.json` holds, per file, the shape of a sample, the first and last sample as f32, the sum of all in f64, and the
labels. To make them again: `python3.11 make.py`, with numpy 2.4.6, pandas, pyarrow, pillow.
"""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import zstandard
from PIL import Image

HERE = Path(__file__).parent
KINDS = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
EXPECTED = {}


def told(name, samples, labels=None):
    """Records the expected contents of a file: samples [n, ...], labels [n] or [n, width]."""
    samples = np.asarray(samples, dtype=np.float64).astype(np.float32)
    EXPECTED[name] = {
        "shape": list(samples.shape[1:]),
        "first": samples[0].ravel().astype(float).tolist(),
        "last": samples[-1].ravel().astype(float).tolist(),
        "sum": float(samples.astype(np.float64).sum()),
        "count": len(samples),
        "labels": None if labels is None else np.asarray(labels, dtype=float).ravel().tolist(),
    }


def numbers(kind, shape, rng):
    """Numbers over the whole range of a kind."""
    kind = np.dtype(kind)
    if kind.kind == "f":
        return (rng.standard_normal(shape) * 100).astype(kind)
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max, shape, dtype=kind, endpoint=True)


def npy(rng):
    for kind in KINDS:
        for order in "<>":
            for layout in "CF":
                array = numbers(kind, (3, 2, 5), rng).astype(np.dtype(kind).newbyteorder(order), order=layout)
                name = f"{'bool' if kind == '?' else kind}-{'big' if order == '>' else 'little'}-{layout}.npy"
                if np.dtype(kind).itemsize == 1 and order == ">":
                    continue
                np.save(HERE / name, array)
                told(name, array)
    for version in [(1, 0), (2, 0), (3, 0)]:
        array = numbers("f4", (4, 3), rng)
        name = f"version-{version[0]}.npy"
        with open(HERE / name, "wb") as file:
            np.lib.format.write_array(file, array, version=version)
        told(name, array)
    special = np.array([[0.0, -0.0, 6e-8, 65504.0, -2.0**-14, 1.0009765625]], dtype="f2")
    np.save(HERE / "half.npy", special)
    told("half.npy", special)


def npz(rng):
    x_train, x_test = numbers("u1", (6, 4, 3), rng), numbers("u1", (2, 4, 3), rng)
    y_train, y_test = np.array([3, 1, 7, 3, 3, 1], "u1"), np.array([7, 1], "u1")
    for name, save in [("plain.npz", np.savez), ("packed.npz", np.savez_compressed)]:
        save(HERE / name, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
        told(name, x_train, [1, 0, 2, 1, 1, 0])


def table(rng):
    words = ["rouge", "vert", "bleu"]
    return pd.DataFrame(
        {
            "small": rng.standard_normal(40),
            "large": rng.standard_normal(40) * 1e30,
            "whole": rng.integers(-(10**9), 10**9, 40),
            "colour": [words[at] for at in rng.integers(0, 3, 40)],
            "truth": rng.random(40) < 0.5,
            "price": rng.standard_normal(40).astype("f4"),
        }
    )


def tables(rng):
    frame = table(rng)
    hot = np.stack([frame.colour == word for word in sorted(set(frame.colour))], axis=1)
    samples = np.column_stack([frame.small, frame.large, frame.whole, hot])
    plain = frame.drop(columns="truth")
    for name, options in [("table.csv", {}), ("table.csv.gz", {}), ("table.csv.zst", {}), ("table.tsv", {"sep": "\t"})]:
        plain.to_csv(HERE / name, index=False, **options)
        told(name, samples, frame.price)
    samples = np.column_stack([frame.small, frame.large, frame.whole, hot, frame.truth])
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    for packing in ["none", "snappy", "gzip", "zstd", "lz4"]:
        name = f"table-{packing}.parquet"
        pa.parquet.write_table(arrow, HERE / name, compression=packing, row_group_size=16)
        told(name, samples, frame.price)
    for name, packing in [("table.arrow", "uncompressed"), ("table-zstd.feather", "zstd"), ("table-lz4.feather", "lz4")]:
        pa.feather.write_feather(arrow, HERE / name, compression=packing, chunksize=16)
        told(name, samples, frame.price)
    lists = pa.table({"x": [[1.5, 2.5], [3.5, -4.5]], "y": [0, 1]})
    pa.parquet.write_table(lists, HERE / "lists.parquet")
    told("lists.parquet", [[1.5, 2.5], [3.5, -4.5]], [0, 1])


def ordered():
    """A table whose rows come class after class, in ten groups: to measure how orders mix it."""
    rows = np.arange(2000)
    words = ["high", "low", "middle", "none"]
    columns = {f"x{at}": (rows % (at + 2)).astype("f4") for at in range(16)}
    frame = pd.DataFrame(columns | {"kind": [words[row // 500] for row in rows]})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pa.parquet.write_table(table, HERE / "ordered.parquet", compression="zstd", row_group_size=200)
    told("ordered.parquet", frame.drop(columns="kind"), rows // 500)


def encoded(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def pictures(rng):
    pixels = [rng.integers(0, 256, (5, 4, 3), dtype="u1") for _ in range(4)]
    classes = ["10", "9", "9", "10"]
    png = [encoded(picture, "png") for picture in pixels]
    with tarfile.open(HERE / "pictures.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for at, (picture, kind) in enumerate(zip(png, classes)):
            for name, data in [(f"{at:04}.png", picture), (f"{at:04}.cls", kind.encode())]:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    told("pictures.tar", np.stack(pixels).transpose(0, 3, 1, 2), [1, 0, 0, 1])
    images = pa.array([{"bytes": data, "path": None} for data in png])
    table = pa.table({"image": images, "label": pa.array([int(kind) for kind in classes])})
    pa.parquet.write_table(table, HERE / "pictures.parquet", row_group_size=2)
    told("pictures.parquet", np.stack(pixels).transpose(0, 3, 1, 2), [1, 0, 0, 1])


if __name__ == "__main__":
    rng = np.random.default_rng(1)
    npy(rng)
    npz(rng)
    tables(rng)
    pictures(rng)
    ordered()
    (HERE / "expected.json").write_text(json.dumps(EXPECTED, indent=1) + "\n")
