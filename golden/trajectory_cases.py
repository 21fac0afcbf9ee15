"""What trajectories.py trains: cases of (update rule, name, model, optimizer, epochs) and what is not usual."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """Specs in schuss's grammar; the case is called <update rule>-<name>."""

    update: str
    name: str
    model: str
    optimizer: str
    epochs: int
    loss: str = "cross-entropy"
    targets: str = "class"  # or input: an autoencoder
    schedule: str = ""  # constant


# perceptrons under every option of sgd and adam: name, model, optimizer, epochs
PERCEPTRONS = {
    "epoch": [
        ("sgd", "20-3", "sgd:lr=0.5", 14),
        ("sgd-momentum", "20-7-3", "sgd:lr=0.2,momentum=0.9", 40),
        ("sgd-nesterov-decay", "20-17-9-3", "sgd:lr=0.1,momentum=0.9,nesterov=true,weight_decay=0.01", 30),
        ("sgd-dampening", "20-7-3", "sgd:lr=0.3,momentum=0.9,dampening=0.3", 40),
        ("adam", "20-7-3", "adam:lr=0.01", 40),
        ("adam-decay", "20-33-16-12-3", "adam:lr=0.005,weight_decay=0.01", 20),
    ],
    "batch:10": [
        ("sgd", "20-17-9-3", "sgd:lr=0.1", 10),
        ("sgd-momentum", "20-7-3", "sgd:lr=0.05,momentum=0.9", 10),
        ("sgd-dampening", "20-7-3", "sgd:lr=0.05,momentum=0.9,dampening=0.3", 10),
        ("sgd-nesterov", "20-17-9-3", "sgd:lr=0.02,momentum=0.9,nesterov=true", 10),
        ("sgd-decay", "20-7-3", "sgd:lr=0.1,weight_decay=0.01", 10),
        ("sgd-momentum-decay", "20-7-3", "sgd:lr=0.05,momentum=0.9,weight_decay=0.01", 10),
        ("sgd-nesterov-decay", "20-7-3", "sgd:lr=0.05,momentum=0.9,nesterov=true,weight_decay=0.01", 10),
        ("sgd-dampening-decay", "20-7-3", "sgd:lr=0.05,momentum=0.9,dampening=0.3,weight_decay=0.01", 10),
        ("sgd-deep", "20-33-16-12-3", "sgd:lr=0.05,momentum=0.9", 5),
        ("adam", "20-17-9-3", "adam:lr=0.003", 8),
        ("adam-betas", "20-7-3", "adam:lr=0.003,beta1=0.7,beta2=0.9", 8),
        ("adam-decay", "20-7-3", "adam:lr=0.003,weight_decay=0.01", 8),
        ("adam-eps", "20-7-3", "adam:lr=0.003,eps=0.001", 8),
    ],
    "batch:50": [
        ("sgd", "20-7-3", "sgd:lr=0.2", 20),
        ("sgd-momentum-decay", "20-17-9-3", "sgd:lr=0.05,momentum=0.9,weight_decay=0.01", 20),
        ("adam", "20-33-16-12-3", "adam:lr=0.002", 12),
        ("adam-betas-decay", "20-3", "adam:lr=0.01,beta1=0.8,beta2=0.99,weight_decay=0.001", 20),
    ],
    "sample": [
        ("sgd", "20-7-3", "sgd:lr=0.02", 10),
        ("sgd-linear", "20-3", "sgd:lr=0.05", 10),
        ("sgd-momentum", "20-7-3", "sgd:lr=0.003,momentum=0.9", 5),
        ("sgd-nesterov-decay", "20-17-9-3", "sgd:lr=0.002,momentum=0.9,nesterov=true,weight_decay=0.01", 3),
        ("sgd-dampening-decay", "20-3", "sgd:lr=0.01,momentum=0.9,dampening=0.3,weight_decay=0.01", 10),
        ("adam", "20-7-3", "adam:lr=0.001", 3),
        ("adam-decay", "20-3", "adam:lr=0.001,weight_decay=0.01", 10),
    ],
}

MOMENTUM = "sgd:lr=0.05,momentum=0.9"

ACTIVATIONS = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "leaky-relu": "leaky-relu:negative_slope=0.2",
    "elu": "elu:alpha=0.7",
    "selu": "selu",
    "celu": "celu:alpha=1.5",
    "gelu": "gelu",
    "silu": "silu",
    "mish": "mish",
    "softplus": "softplus",
    "softsign": "softsign",
    "log-sigmoid": "log-sigmoid",
    "prelu": "prelu",
    "layer-norm": "layer-norm",
}

LAYERS = [
    *(Case("batch:10", name, f"linear:7,{layer},linear:3", MOMENTUM, 8) for name, layer in ACTIVATIONS.items()),
    Case("batch:50", "prelu-adam", "linear:7,prelu,linear:3", "adam:lr=0.01", 20),
    Case("batch:10", "batch-norm", "linear:7,batch-norm,relu,linear:3", MOMENTUM, 8),
    Case("batch:50", "batch-norm", "linear:9,batch-norm,tanh,linear:5,batch-norm,tanh,linear:3", "sgd:lr=0.1", 15),
    Case("epoch", "batch-norm", "linear:7,batch-norm,sigmoid,linear:3", "sgd:lr=0.5,momentum=0.9", 20),
    Case("sample", "layer-norm", "linear:7,layer-norm,elu,linear:3", "sgd:lr=0.01", 3),
    Case("batch:10", "layer-norm-decay", "layer-norm,linear:7,tanh,linear:3", "sgd:lr=0.05,weight_decay=0.01", 8),
]

SOFT, LOG_SOFT = "linear:7,tanh,linear:3", "linear:7,tanh,linear:3,log-softmax"
LOSSES = [
    Case("batch:10", "nll", "linear:7,relu,linear:3,log-softmax", MOMENTUM, 8, "nll"),
    Case("batch:10", "nll-weights", LOG_SOFT, MOMENTUM, 8, "nll:class_weights=1:2:0.5"),
    Case("batch:10", "smoothing", SOFT, MOMENTUM, 8, "cross-entropy:label_smoothing=0.1"),
    Case("batch:10", "weights", SOFT, MOMENTUM, 8, "cross-entropy:class_weights=1:2:0.5"),
    Case("epoch", "weights", SOFT, "sgd:lr=0.5,momentum=0.9", 30, "cross-entropy:class_weights=1:2:0.5"),
    Case("sample", "weights", SOFT, "sgd:lr=0.01", 3, "cross-entropy:class_weights=1:2:0.5"),
    Case("batch:10", "bce", SOFT, MOMENTUM, 8, "bce"),
    Case("batch:10", "bce-probabilities", "linear:7,tanh,linear:3,sigmoid", MOMENTUM, 8, "bce:logits=false"),
    Case("batch:10", "multi-margin", SOFT, "sgd:lr=0.05", 8, "multi-margin"),
    Case("batch:10", "multi-margin-square", SOFT, "sgd:lr=0.05", 8, "multi-margin:p=2,margin=0.5"),
    Case("batch:10", "multi-margin-weights", SOFT, "sgd:lr=0.05", 8, "multi-margin:class_weights=1:2:0.5"),
    Case("batch:10", "mse", SOFT, MOMENTUM, 8, "mse"),
    Case("batch:10", "l1", SOFT, "sgd:lr=0.02", 6, "l1"),
    Case("batch:10", "huber", SOFT, MOMENTUM, 8, "huber:delta=0.3"),
    Case("batch:10", "smooth-l1", SOFT, MOMENTUM, 8, "smooth-l1:beta=0.5"),
    Case("batch:10", "hinge", SOFT, "sgd:lr=0.05", 8, "hinge"),
    Case("batch:10", "squared-hinge", SOFT, "sgd:lr=0.05", 8, "squared-hinge"),
    Case("batch:10", "focal", SOFT, "sgd:lr=0.5,momentum=0.9", 8, "focal"),
    Case("batch:10", "kl", LOG_SOFT, MOMENTUM, 8, "kl"),
    Case("batch:10", "poisson", SOFT, MOMENTUM, 8, "poisson"),
    Case("batch:10", "cosine", SOFT, MOMENTUM, 8, "cosine"),
]

CODE = "linear:7,sigmoid,{}linear:20,sigmoid"
AUTOENCODERS = [
    Case("batch:10", "autoencoder", "20-7-20", MOMENTUM, 8, "mse", "input"),
    Case("epoch", "autoencoder-adam", "20-7-20", "adam:lr=0.01", 30, "mse", "input"),
    Case("sample", "autoencoder", "20-7-20", "sgd:lr=0.1", 3, "mse", "input"),
    Case("batch:10", "autoencoder-bce", CODE.format("").removesuffix(",sigmoid"), MOMENTUM, 8, "bce", "input"),
    Case("batch:10", "sparse-l1", CODE.format("activity-l1:weight=0.01,"), MOMENTUM, 8, "mse", "input"),
    Case("batch:10", "sparse-kl", CODE.format("activity-kl:rho=0.1,weight=0.05,"), MOMENTUM, 8, "mse", "input"),
    Case("epoch", "sparse-kl", CODE.format("activity-kl:rho=0.1,weight=0.05,"), "adam:lr=0.01", 30, "mse", "input"),
]

ONE_CYCLE = "one-cycle:max_lr=0.1,total_steps=104"
SCHEDULES = [
    Case("batch:10", "cosine-rate", SOFT, MOMENTUM, 8, schedule="cosine:t_max=104,eta_min=0.001"),
    Case("batch:10", "one-cycle", SOFT, MOMENTUM, 8, schedule=ONE_CYCLE),
    Case("batch:10", "one-cycle-adam", SOFT, "adam:lr=0.001", 8, schedule="one-cycle:max_lr=0.01,total_steps=104"),
    Case(
        "sample", "one-cycle", "20-7-3", "sgd:lr=0.01,momentum=0.9", 2, schedule="one-cycle:max_lr=0.01,total_steps=246"
    ),
    Case("batch:10", "cyclic", SOFT, MOMENTUM, 8, schedule="cyclic:base_lr=0.01,max_lr=0.1,step_size_up=20"),
    Case("batch:10", "step", "20-7-3", "sgd:lr=0.1", 8, schedule="step:step_size=30,gamma=0.5"),
    Case("batch:10", "multistep", SOFT, MOMENTUM, 8, schedule="multistep:milestones=30:60:90"),
    Case("batch:10", "restarts", SOFT, MOMENTUM, 8, schedule="cosine-restarts:t_0=20,t_mult=2"),
    Case(
        "batch:10",
        "warm-up-exponential",
        SOFT,
        MOMENTUM,
        8,
        schedule="linear:start_factor=0.1,total_iters=10+exponential:gamma=0.98",
    ),
    Case(
        "epoch",
        "warm-up-cosine",
        SOFT,
        "sgd:lr=0.5,momentum=0.9",
        40,
        schedule="linear:start_factor=0.1,total_iters=10+cosine:t_max=30",
    ),
]

OPTIMIZERS = [
    Case("batch:10", "adamw", SOFT, "adamw:lr=0.005,weight_decay=0.1", 8),
    Case("batch:10", "adam-amsgrad", SOFT, "adam:lr=0.005,amsgrad=true", 8),
    Case("batch:10", "rmsprop", SOFT, "rmsprop:lr=0.002", 8),
    Case("batch:10", "rmsprop-centered", SOFT, "rmsprop:lr=0.001,centered=true,momentum=0.5", 8),
    Case("batch:10", "adagrad", SOFT, "adagrad:lr=0.05,lr_decay=0.01", 8),
    Case("batch:10", "adadelta", SOFT, "adadelta:lr=1.0,rho=0.8", 8),
    Case("batch:10", "adamax", SOFT, "adamax:lr=0.005", 8),
    Case("batch:10", "nadam", SOFT, "nadam:lr=0.002", 8),
    Case("batch:10", "radam", SOFT, "radam:lr=0.005,weight_decay=0.01", 8),
    Case("batch:10", "asgd", SOFT, "asgd:lr=0.05,lambd=0.01", 8),
    Case("epoch", "rprop", SOFT, "rprop:lr=0.001", 15),
    Case("epoch", "nadam-all", SOFT, "nadam:lr=0.01,momentum_decay=0.01", 30),
    Case("sample", "rmsprop", SOFT, "rmsprop:lr=0.001", 2),
]

CASES = [
    *(Case(update, *case) for update, cases in PERCEPTRONS.items() for case in cases),
    *LAYERS,
    *LOSSES,
    *AUTOENCODERS,
    *SCHEDULES,
    *OPTIMIZERS,
]
