#!/usr/bin/env python3
"""scikit-learn's side of the race: MLPClassifier, one `partial_fit` per epoch. It cannot accumulate gradients."""

import common
import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits


class OneHot:
    """Classes 0..n as n outputs, where scikit-learn would give two classes one logistic output."""

    def __init__(self, classes):
        self.classes_ = np.arange(classes)

    def transform(self, labels):
        return self.classes_ == np.asarray(labels)[:, None]

    def inverse_transform(self, probabilities):
        return probabilities.argmax(1)


def new_classifier(work, layers, images, labels):
    """A classifier in f32 with the given weights instead of its own (Glorot), a softmax behind its outputs."""
    name, options = work.optimizer_options()
    classifier = MLPClassifier(
        hidden_layer_sizes=work.widths[1:-1],
        solver=name,
        alpha=0.0,  # no weight decay
        batch_size=work.samples_per_update,
        learning_rate_init=options["lr"],
        momentum=options.get("momentum", 0.0),
        nesterovs_momentum=False,
        random_state=work.seed,
    )
    # The first call makes the weights, ten samples of it; then they are replaced, and its optimizer's state dropped.
    outputs = work.widths[-1]
    classifier.set_params(batch_size=10).partial_fit(images[:10], labels[:10], classes=np.arange(outputs))
    classifier.set_params(batch_size=work.samples_per_update)
    classifier.coefs_, classifier.intercepts_ = map(list, zip(*layers))
    classifier.n_outputs_, classifier.out_activation_ = outputs, "softmax"
    classifier._label_binarizer = OneHot(outputs)
    del classifier._optimizer
    return classifier


def predictor(work, weights, images, labels):
    """-> classes of all images."""
    classifier = new_classifier(work, common.saved_layers(weights), images, labels)
    blocks = np.split(images, range(work.block, len(images), work.block))
    return lambda: np.concatenate([classifier.predict(block) for block in blocks])


def main():
    chosen = common.parser(__doc__).parse_args()
    work = common.work_of(chosen)
    images, labels = common.read(chosen.data, work, "test" if work.passes else "train")
    rng = np.random.default_rng(work.seed)

    def new_training():
        classifier = new_classifier(work, common.initial_layers(rng, work.widths), images, labels)

        def train_epoch(samples):
            if samples < len(images):
                some = rng.permutation(len(images))[:samples]
                classifier.partial_fit(images[some], labels[some])
            else:
                classifier.partial_fit(images, labels)  # shuffles by itself

        def train(samples, epochs):
            for _ in range(epochs):
                train_epoch(samples)
            return classifier.loss_

        return train

    with threadpool_limits(work.threads):
        if work.passes:
            predict = predictor(work, chosen.weights, images, labels)
            common.race_predictions("sklearn", sklearn.__version__, work, predict, labels)
        else:
            common.race("sklearn", sklearn.__version__, work, new_training)


if __name__ == "__main__":
    main()
