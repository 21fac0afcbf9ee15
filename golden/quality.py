"""Mean squared error, PSNR and SSIM of reconstructed images, from scikit-image. Writes quality/<case>.json."""

import zlib

import numpy as np
import skimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from common import HERE, write_json

CASES = {
    "digit-size": {"shape": (1, 28, 28), "images": 1, "noise": 0.1},
    "not-square": {"shape": (1, 9, 13), "images": 1, "noise": 0.3},
    "one-window": {"shape": (1, 7, 7), "images": 1, "noise": 0.2},
    "three-channels": {"shape": (3, 16, 11), "images": 1, "noise": 0.2},
    "several-images": {"shape": (1, 12, 10), "images": 5, "noise": 0.2},
    "several-in-colour": {"shape": (3, 8, 9), "images": 4, "noise": 0.5},
    "beyond-0-and-1": {"shape": (1, 14, 14), "images": 2, "noise": 1.5},
    "flat": {"shape": (1, 10, 10), "images": 1, "noise": 0.0},
    "too-small": {"shape": (1, 6, 20), "images": 2, "noise": 0.2},
}


def draw(name, shape, images, noise):
    """u8 images [images, c, h, w], each a bright disc on noise, and one f32 reconstruction [c, h, w] for all of them."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if noise == 0.0:
        return np.zeros((images, *shape), np.uint8), np.full(shape, 0.1, np.float32)
    channels, height, width = shape
    rows, cols = np.mgrid[:height, :width]
    discs = []
    for _ in range(images * channels):
        row, col = random.uniform(0.3, 0.7, 2) * (height, width)
        distance = np.hypot(rows - row, cols - col)
        discs.append(220 / (1 + np.exp(2 * (distance - min(height, width) / 3))) + random.uniform(0, 30, (height, width)))
    found = np.asarray(discs[:channels]) / 255 + random.normal(0, noise, shape)
    return np.asarray(discs).astype(np.uint8).reshape(images, *shape), found.astype(np.float32)


def similarity(image, found):
    """None where no window fits."""
    if min(image.shape[1:]) < 7:
        return None
    return structural_similarity(image, found, data_range=1, channel_axis=0)


def record(name, shape, images, noise):
    pixels, found = draw(name, shape, images, noise)
    numbers = (pixels.astype(np.float32) / np.float32(255)).astype(np.float64)
    wide = np.broadcast_to(found.astype(np.float64), numbers.shape)
    similarities = [similarity(image, one) for image, one in zip(numbers, wide)]
    channels, height, width = shape
    write_json(
        HERE / "quality" / f"{name}.json",
        {
            "scikit_image": skimage.__version__,
            "channels": channels,
            "height": height,
            "width": width,
            "images": pixels.reshape(images, -1).tolist(),
            "found": found.ravel().tolist(),
            "mse": float(np.mean((numbers - wide) ** 2)),
            "psnr": float(peak_signal_noise_ratio(numbers, wide, data_range=1)),
            "ssim": None if None in similarities else float(np.mean(similarities)),
        },
    )


for name, case in CASES.items():
    record(name, **case)
