"""200 updates by each optimizer on one recorded stream of gradients, in f32 and in f64.

Writes optim_steps/stream.safetensors and optim_steps/<case>.safetensors, and square_steps/ likewise. Arguments pick
references by name.
"""

import importlib
import sys

from stream import FOLDER, SQUARE, draw, draw_square, record, save_stream

REFERENCES = ["torch_optim", "optax_optim", "keras_optim", "authors", "papers", "wrappers"]

if __name__ == "__main__":
    stream, square = draw(), draw_square()
    save_stream(FOLDER, stream)
    save_stream(SQUARE, square)
    for reference in sys.argv[1:] or REFERENCES:
        module = importlib.import_module(f"references.{reference}")
        for name, case in module.cases().items():
            record(name, case, stream)
        if hasattr(module, "square_cases"):
            for name, case in module.square_cases().items():
                record(name, case, square, SQUARE)
