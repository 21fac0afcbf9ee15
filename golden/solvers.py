"""Trajectories of solvers in f64: torch.optim.LBFGS, and SciPy's conjugate gradients and Levenberg-Marquardt.

Writes solvers/problems/<problem>.json, everything a problem needs, and solvers/<case>.json.
"""

import numpy as np
import scipy
import torch
from scipy import optimize
from scipy.sparse import linalg
from torch import nn
from torch.nn import functional as F

from common import HERE, versions, write_json
from specs import parse

FOLDER = HERE / "solvers"
VERSIONS = versions() | {"scipy": scipy.__version__, "numpy": np.__version__}


def rosenbrock(x):
    """sum of 100 (x_{i+1} - x_i²)² + (1 - x_i)²; its minimum is 0 at (1, ..., 1)."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def quadratic(dimensions=10):
    """x·A x / 2 - b·x with eigenvalues from 1 to 100."""
    random = np.random.Generator(np.random.PCG64(11))
    rotation, _ = np.linalg.qr(random.standard_normal((dimensions, dimensions)))
    matrix = rotation * np.logspace(0, 2, dimensions) @ rotation.T
    matrix = (matrix + matrix.T) / 2
    return {"matrix": matrix, "vector": random.standard_normal(dimensions), "start": np.zeros(dimensions)}


def exponential_fit():
    """40 points of 2.5 exp(-1.3 x) + 0.5 with noise; parameters a, b, c from (1, 1, 0)."""
    random = np.random.Generator(np.random.PCG64(12))
    x = np.linspace(0, 4, 40)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.05 * random.standard_normal(len(x))
    return {"x": x, "y": y, "start": np.array([1.0, 1.0, 0.0])}


def network(widths, activation, samples, classes):
    """A small network, drawn as PyTorch draws it, f32 numbers; and random data to learn by heart."""
    torch.manual_seed(13)
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    net = nn.Sequential(*layers[:-1]).double()
    inputs = torch.randn(samples, widths[0]).double()
    targets = torch.randint(widths[-1], (samples,)) if classes else torch.randn(samples, widths[-1]).double()
    return net, inputs, targets


NETWORKS = {
    "classification": ((4, 8, 3), nn.ReLU, 30, True),
    "regression": ((3, 6, 2), nn.Tanh, 25, False),
}


def flat(parameters):
    return torch.cat([parameter.detach().flatten() for parameter in parameters]).numpy().copy()


def start_of(problem):
    """The point, or network weights in the order of `named_parameters`, where a problem starts."""
    if problem in NETWORKS:
        return flat(network(*NETWORKS[problem])[0].parameters())
    return np.tile([-1.2, 1.0], int(problem.removeprefix("rosenbrock-")) // 2)


def objective(problem, start, dtype):
    """(parameters, function that gives the loss there), in `dtype`."""
    if problem not in NETWORKS:
        point = torch.nn.Parameter(torch.tensor(start, dtype=dtype))
        return [point], lambda: rosenbrock(point)
    net, inputs, targets = network(*NETWORKS[problem])
    nn.utils.vector_to_parameters(torch.tensor(start), net.parameters())
    net, inputs = net.to(dtype), inputs.to(dtype)
    if targets.is_floating_point():
        targets = targets.to(dtype)
        return list(net.parameters()), lambda: F.mse_loss(net(inputs), targets)
    return list(net.parameters()), lambda: F.cross_entropy(net(inputs), targets)


def lbfgs(spec, problem, steps, start, dtype=torch.float64):
    """One row per `step()`: loss before it, iterations and evaluations so far, weights after it."""
    _, options = parse(spec)
    line_search = options.pop("line_search").replace("-", "_")
    parameters, loss = objective(problem, start, dtype)
    optim = torch.optim.LBFGS(parameters, line_search_fn=None if line_search == "none" else line_search, **options)

    def closure():
        optim.zero_grad()
        value = loss()
        value.backward()
        return value

    rows = []
    for _ in range(steps):
        before = optim.step(closure).item()
        state = optim.state[parameters[0]]
        counts = {"iterations": state["n_iter"], "evaluations": state["func_evals"]}
        rows.append({"loss_before": before} | counts | {"weights": flat(parameters).tolist()})
    return rows, loss().item()


LBFGS_CASES = {
    "l-bfgs-rosenbrock-2": ("l-bfgs:lr=1,max_iter=20,history_size=100,line_search=strong-wolfe", "rosenbrock-2", 3),
    "l-bfgs-rosenbrock-2-short": (
        "l-bfgs:lr=1,max_iter=5,history_size=10,line_search=strong-wolfe",
        "rosenbrock-2",
        8,
    ),
    "l-bfgs-rosenbrock-10": ("l-bfgs:lr=1,max_iter=20,history_size=10,line_search=strong-wolfe", "rosenbrock-10", 6),
    "l-bfgs-rosenbrock-10-history-3": (
        "l-bfgs:lr=1,max_iter=20,history_size=3,line_search=strong-wolfe",
        "rosenbrock-10",
        6,
    ),
    "l-bfgs-rosenbrock-2-no-search": (
        "l-bfgs:lr=0.1,max_iter=20,history_size=10,line_search=none",
        "rosenbrock-2",
        8,
    ),
    "l-bfgs-classification": (
        "l-bfgs:lr=1,max_iter=20,history_size=10,line_search=strong-wolfe",
        "classification",
        2,
    ),
    "l-bfgs-classification-no-search": (
        "l-bfgs:lr=0.3,max_iter=20,history_size=10,line_search=none",
        "classification",
        2,
    ),
    "l-bfgs-regression": ("l-bfgs:lr=1,max_iter=20,history_size=100,line_search=strong-wolfe", "regression", 2),
    "l-bfgs-regression-no-search": (
        "l-bfgs:lr=0.5,max_iter=20,history_size=100,line_search=none",
        "regression",
        3,
    ),
    "l-bfgs-regression-one": ("l-bfgs:lr=1,max_iter=1,history_size=10,line_search=strong-wolfe", "regression", 20),
}


def largest_gap(rows, others):
    return [float(np.abs(np.subtract(a["weights"], b["weights"])).max()) for a, b in zip(rows, others)]


def record_lbfgs():
    for name, (spec, problem, steps) in LBFGS_CASES.items():
        start = start_of(problem)
        rows, last = lbfgs(spec, problem, steps, start)
        rounded, _ = lbfgs(spec, problem, steps, start, torch.float32)
        nudged, _ = lbfgs(spec, problem, steps, start * (1 + 1e-15))
        story = {"solver": spec, "reference": f"torch.optim.LBFGS {torch.__version__.partition('+')[0]}"}
        gaps = {"gap_to_f32": largest_gap(rows, rounded), "gap_when_nudged": largest_gap(rows, nudged)}
        print(f"{name:36} loss {last:.3e} {rows[-1]['evaluations']:4} evaluations {gaps}")
        numbers = {"problem": problem, "steps": rows, "loss": last}
        write_json(FOLDER / f"{name}.json", VERSIONS | story | gaps | numbers)


def record_networks():
    for name, (widths, activation, samples, classes) in NETWORKS.items():
        net, inputs, targets = network(widths, activation, samples, classes)
        named = [
            {"name": key, "shape": list(p.shape), "values": p.flatten().tolist()} for key, p in net.named_parameters()
        ]
        answers = {"classes": targets.tolist()} if classes else {"targets": targets.flatten().tolist()}
        story = {
            "widths": list(widths),
            "activation": activation.__name__.lower(),
            "loss": "cross-entropy" if classes else "mse",
            "samples": samples,
            "inputs": inputs.flatten().tolist(),
        }
        write_json(FOLDER / "problems" / f"{name}.json", story | answers | {"parameters": named})


def gradient_of(function):
    def gradient(x):
        point = torch.tensor(x, requires_grad=True)
        (found,) = torch.autograd.grad(function(point), point)
        return found.numpy()

    return gradient


def descend(name, function, gradient, start, problem):
    """scipy.optimize.minimize(method="CG"): Polak-Ribière+, strong Wolfe; values and points after each iteration."""
    points = [start]
    found = optimize.minimize(
        function, start, jac=gradient, method="CG", callback=lambda x: points.append(x.copy()), options={"gtol": 1e-8}
    )
    values = [float(function(point)) for point in points]
    print(f"{name:36} {found.nit} iterations, {found.nfev} evaluations, value {found.fun:.3e}")
    write_json(
        FOLDER / f"{name}.json",
        VERSIONS
        | {"reference": f'scipy.optimize.minimize(method="CG", gtol=1e-8) {scipy.__version__}', "problem": problem}
        | {"iterations": int(found.nit), "evaluations": int(found.nfev), "values": values, "x": found.x.tolist()},
    )


def record_cg():
    for dimensions in (2, 10):
        problem = f"rosenbrock-{dimensions}"

        def value(x):
            return float(rosenbrock(torch.tensor(x)))

        descend(f"cg-{problem}", value, gradient_of(rosenbrock), start_of(problem), problem)
    bowl = quadratic()
    matrix, vector = bowl["matrix"], bowl["vector"]
    write_json(FOLDER / "problems" / "quadratic.json", {key: array.flatten().tolist() for key, array in bowl.items()})
    descend(
        "cg-quadratic",
        lambda x: x @ matrix @ x / 2 - vector @ x,
        lambda x: matrix @ x - vector,
        bowl["start"],
        "quadratic",
    )
    record_linear_cg(matrix, vector)


def record_linear_cg(matrix, vector):
    """What every nonlinear CG does on a quadratic with exact line searches: there in as many steps as dimensions."""
    points = []
    linalg.cg(matrix, vector, rtol=0, atol=1e-9, maxiter=12, callback=lambda x: points.append(x.tolist()))
    gap = np.abs(points[len(vector) - 1] - np.linalg.solve(matrix, vector)).max()
    print(f"{'linear-cg-quadratic':36} after {len(vector)} steps {gap:.1e} from the minimum")
    write_json(
        FOLDER / "linear-cg-quadratic.json",
        VERSIONS
        | {"reference": f"scipy.sparse.linalg.cg {scipy.__version__}", "problem": "quadratic"}
        | {"points": points, "minimum": np.linalg.solve(matrix, vector).tolist()},
    )


def record_levenberg_marquardt():
    problem = exponential_fit()
    x, y = problem["x"], problem["y"]
    write_json(FOLDER / "problems" / "exponential.json", {key: array.tolist() for key, array in problem.items()})

    def residuals(p):
        return p[0] * np.exp(-p[1] * x) + p[2] - y

    fit_least_squares("lm-exponential", "exponential", residuals, problem["start"])
    fit_least_squares(
        "lm-rosenbrock",
        "rosenbrock-2",
        lambda p: np.array([10 * (p[1] - p[0] ** 2), 1 - p[0]]),
        start_of("rosenbrock-2"),
    )


def fit_least_squares(name, problem, residuals, start):
    found = optimize.least_squares(residuals, start, jac="3-point", method="lm", ftol=1e-14, xtol=1e-14, gtol=1e-14)
    print(f"{name:36} cost {found.cost:.6e}, optimality {found.optimality:.1e}, {found.nfev} evaluations")
    write_json(
        FOLDER / f"{name}.json",
        VERSIONS
        | {"reference": f'scipy.optimize.least_squares(method="lm") {scipy.__version__}', "problem": problem}
        | {"cost": float(found.cost), "optimality": float(found.optimality), "x": found.x.tolist()}
        | {"note": "cost is half the sum of squared residuals; of rosenbrock-2 these are 10 (y - x²), 1 - x"},
    )


if __name__ == "__main__":
    record_networks()
    record_lbfgs()
    record_cg()
    record_levenberg_marquardt()
