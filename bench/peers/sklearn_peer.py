#!/usr/bin/env python3
"""scikit-learn's side of the race: MLPClassifier, one `partial_fit` per epoch. It cannot accumulate gradients."""

import common
import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits


def new_classifier(work, rng, images, labels):
    """A classifier in f32 with PyTorch's default initial weights instead of its own (Glorot)."""
    name, options = work.optimizer_options()
    classifier = MLPClassifier(
        hidden_layer_sizes=common.WIDTHS[1:-1],
        solver=name,
        alpha=0.0,  # no weight decay
        batch_size=work.samples_per_update,
        learning_rate_init=options["lr"],
        momentum=options.get("momentum", 0.0),
        nesterovs_momentum=False,
        random_state=work.seed,
    )
    # The first call makes the weights, ten samples of it; then they are replaced, and its optimizer's state dropped.
    classifier.set_params(batch_size=10).partial_fit(images[:10], labels[:10], classes=np.arange(common.WIDTHS[-1]))
    classifier.set_params(batch_size=work.samples_per_update)
    classifier.coefs_, classifier.intercepts_ = map(list, zip(*common.initial_layers(rng)))
    del classifier._optimizer
    return classifier


def main():
    chosen = common.parser(__doc__).parse_args()
    work = common.work_of(chosen)
    images, labels = common.read_training_set(chosen.mnist)
    rng = np.random.default_rng(work.seed)

    def new_training():
        classifier = new_classifier(work, rng, images, labels)

        def train_epoch(samples):
            if samples < len(images):
                some = rng.permutation(len(images))[:samples]
                classifier.partial_fit(images[some], labels[some])
            else:
                classifier.partial_fit(images, labels)  # shuffles by itself
            return classifier.loss_

        return train_epoch

    with threadpool_limits(work.threads):
        common.race("sklearn", sklearn.__version__, work, new_training)


if __name__ == "__main__":
    main()
