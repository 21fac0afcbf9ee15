"""schuss's grammar of optimizers: `name:key=value,...`."""

import json


def parse(spec):
    """`adam:lr=0.001,amsgrad=true` -> ("adam", {"lr": 0.001, "amsgrad": True}); a word stays a word."""
    name, _, arguments = spec.partition(":")
    pairs = (pair.split("=") for pair in arguments.split(",") if pair)
    return name, {key: value(text) for key, text in pairs}


def value(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def gather(options, group, keys, defaults):
    """Replaces `keys` by one tuple `group`, as Python's signatures have it: beta1, beta2 -> betas."""
    options[group] = tuple(options.pop(key, default) for key, default in zip(keys, defaults))
