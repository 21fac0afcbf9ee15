"""200 updates of 132 weights by each optimizer on one recorded stream of gradients, in f32 and in f64.

Writes optim_steps/stream.safetensors and optim_steps/<case>.safetensors. Arguments pick references by name.
"""

import importlib
import sys

from stream import draw, record, save_stream

REFERENCES = ["torch_optim", "optax_optim", "keras_optim", "authors", "papers", "wrappers"]

if __name__ == "__main__":
    stream = draw()
    save_stream(stream)
    for reference in sys.argv[1:] or REFERENCES:
        for name, case in importlib.import_module(f"references.{reference}").cases().items():
            record(name, case, stream)
