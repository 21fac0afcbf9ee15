#!/usr/bin/env python3
"""JAX's side of the race: a whole epoch is one compiled scan, its buffers donated."""

import functools
import os

import common


def threads_are(count):
    """XLA takes as many threads as it is allowed cores, so this must come before it starts."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main():
    chosen = common.parser(__doc__).parse_args()
    work = common.work_of(chosen)
    threads_are(work.threads)

    import jax
    import jax.numpy as jnp
    import numpy as np

    name, options = work.optimizer_options()

    def loss_at(layers, images, labels):
        *hidden, (weight, bias) = layers
        for w, b in hidden:
            images = jax.nn.relu(images @ w + b)
        chosen_logits = jax.nn.log_softmax(images @ weight + bias)
        return -jnp.take_along_axis(chosen_logits, labels[:, None], axis=1).mean()

    def descend(layers, state, gradient):
        """One step of sgd (state: velocities or nothing) or adam (state: m, v, updates so far)."""
        each = jax.tree.map
        if name == "sgd" and "momentum" not in options:
            return each(lambda w, g: w - options["lr"] * g, layers, gradient), state
        if name == "sgd":
            state = each(lambda v, g: options["momentum"] * v + g, state, gradient)
            return each(lambda w, v: w - options["lr"] * v, layers, state), state
        m, v, updates = state
        updates = updates + 1
        m = each(lambda m, g: 0.9 * m + (1 - 0.9) * g, m, gradient)
        v = each(lambda v, g: 0.999 * v + (1 - 0.999) * g * g, v, gradient)
        step, correction = options["lr"] / (1 - 0.9**updates), 1 - 0.999**updates
        layers = each(lambda w, m, v: w - step * m / (jnp.sqrt(v / correction) + 1e-8), layers, m, v)
        return layers, (m, v, updates)

    def new_state(layers):
        zeros = functools.partial(jax.tree.map, jnp.zeros_like)
        if name == "adam":
            return zeros(layers), zeros(layers), jnp.zeros(())
        return zeros(layers) if "momentum" in options else ()

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def train(layers, state, images, labels, order):
        """`order` [updates, passes, samples per pass] -> new layers, new state, mean loss."""
        loss_and_gradient = jax.value_and_grad(loss_at)

        def update(carry, passes):
            layers, state = carry

            def add(total, part):
                here = loss_and_gradient(layers, images[part], labels[part])
                return jax.tree.map(jnp.add, total, here), None

            first = loss_and_gradient(layers, images[passes[0]], labels[passes[0]])
            total, _ = jax.lax.scan(add, first, passes[1:])
            loss, gradient = jax.tree.map(lambda sum: sum / len(passes), total)
            return descend(layers, state, gradient), loss

        (layers, state), losses = jax.lax.scan(update, (layers, state), order)
        return layers, state, losses.mean()

    images, labels = map(jnp.asarray, common.read_training_set(chosen.mnist))
    rng = np.random.default_rng(work.seed)

    def new_training():
        layers = jax.tree.map(jnp.asarray, list(common.initial_layers(rng)))
        state = new_state(layers)

        def train_epoch(samples):
            nonlocal layers, state
            order = rng.permutation(len(images))[:samples].astype(np.int32)
            order = order.reshape(-1, work.samples_per_update // work.samples_per_pass, work.samples_per_pass)
            layers, state, loss = train(layers, state, images, labels, order)
            return loss.block_until_ready()

        return train_epoch

    # A scan is compiled for its length, so only the whole epoch warms up the whole epoch.
    common.race("jax", jax.__version__, work, new_training, warm_up_samples=work.samples)


if __name__ == "__main__":
    main()
