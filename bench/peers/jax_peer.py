#!/usr/bin/env python3
"""JAX's side of the race: all epochs are one compiled scan, its buffers donated."""

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
    os.environ["JAX_PLATFORMS"] = chosen.device

    import jax
    import jax.numpy as jnp
    import numpy as np

    name, options = work.optimizer_options()

    def logits_of(layers, images):
        *hidden, (weight, bias) = layers
        for w, b in hidden:
            images = jax.nn.relu(images @ w + b)
        return images @ weight + bias

    def loss_at(layers, images, labels):
        chosen_logits = jax.nn.log_softmax(logits_of(layers, images))
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
    def train(layers, state, images, labels, order, rest):
        """`order` [epochs, updates, passes, samples per pass], `rest` [epochs, samples of the last, partial update]
        -> new layers, new state, mean loss of the last epoch."""
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

        def epoch(carry, samples):
            order, rest = samples
            carry, losses = jax.lax.scan(update, carry, order)
            if rest.size:
                carry, last = update(carry, rest[None])
                losses = jnp.append(losses, last)
            return carry, losses.mean()

        (layers, state), losses = jax.lax.scan(epoch, (layers, state), (order, rest))
        return layers, state, losses[-1]

    images, labels = map(jnp.asarray, common.read(chosen.data, work, "test" if work.passes else "train"))
    if work.passes:
        layers = jax.tree.map(jnp.asarray, common.saved_layers(chosen.weights))
        blocks = images.reshape(-1, min(work.block, len(images)), work.widths[0])

        @jax.jit
        def classes_of(layers, blocks):
            return jax.lax.map(lambda block: logits_of(layers, block).argmax(1), blocks).reshape(-1)

        def predict():
            return classes_of(layers, blocks).block_until_ready()

        return common.race_predictions("jax", jax.__version__, work, predict, np.asarray(labels))
    rng = np.random.default_rng(work.seed)

    def new_training():
        layers = jax.tree.map(jnp.asarray, list(common.initial_layers(rng, work.widths)))
        state = new_state(layers)

        def train_epochs(samples, epochs):
            nonlocal layers, state
            orders = np.stack([rng.permutation(len(images))[:samples] for _ in range(epochs)]).astype(np.int32)
            whole = samples - samples % work.samples_per_update
            passes = work.samples_per_update // work.samples_per_pass
            order = orders[:, :whole].reshape(epochs, -1, passes, work.samples_per_pass)
            layers, state, loss = train(layers, state, images, labels, order, orders[:, whole:])
            return loss.block_until_ready()

        return train_epochs

    # A scan is compiled for its length, so only the whole of the work warms up the whole of it.
    common.race("jax", jax.__version__, work, new_training, warm_up=(work.samples, work.epochs))


if __name__ == "__main__":
    main()
