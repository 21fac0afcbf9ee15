"""Who races at what: the workloads, the contestants, and how one trial of each is run and read."""

import array
import dataclasses
import json
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRAINING_SET = 60_000
LECTURES = "784-400-256-10"
TABLE = "30-64-2"
TABLE_SAMPLES = 569
TRIAL_TIMEOUT_SECONDS = 900
# Freed memory stays with the process. Without it glibc gives every large tensor back to the kernel at once, and
# candle and Burn spend most of a sample's update on page faults. Set for everyone.
KEEP_MEMORY = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736"


class Failure(Exception):
    """A trial that gave no figure, and why, in one line."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """`samples` are those a peer is timed on per epoch; schuss always trains the whole epoch. Those with `passes` only
    predict `samples` rows as often."""

    name: str
    update: str
    optimizer: str
    epochs: int = 1
    samples: int = TRAINING_SET
    model: str = LECTURES
    passes: int = 0

    @property
    def samples_per_update(self):
        return {"epoch": TRAINING_SET, "sample": 1}.get(self.update) or int(self.update.removeprefix("batch:"))

    @property
    def widths(self):
        return [int(width) for width in self.model.split("-")]

    @property
    def on_table(self):
        return self.model == TABLE

    @property
    def training_set(self):
        """Samples of a whole epoch."""
        return TABLE_SAMPLES if self.on_table else TRAINING_SET

    @property
    def updates(self):
        """Updates of an epoch, the last of which may be partial."""
        return -(-self.training_set // self.samples_per_update)

    @property
    def flop(self):
        """Matrix products of an epoch, or of a pass over the rows to predict; multiply and add are counted apart."""
        products = [inputs * outputs for inputs, outputs in zip(self.widths, self.widths[1:])]
        if self.passes:
            return self.samples * 2 * sum(products)
        return self.training_set * 2 * (2 * products[0] + 3 * sum(products[1:]))  # the data get no gradient

    def shortened(self):
        """What is enough to tell fast settings from slow ones."""
        if self.passes or self.on_table:
            return dataclasses.replace(self, passes=-(-self.passes // 3), epochs=max(self.epochs // 3, 1))
        samples = self.samples if self.update == "epoch" else self.samples // 3
        return dataclasses.replace(self, epochs=1, samples=samples)


WORKLOADS = [
    Workload("batch-sgd", "batch:100", "sgd:lr=0.1"),
    Workload("batch-adam", "batch:100", "adam:lr=0.001"),
    # Four epochs are four updates; at this rate they bring the loss far enough down to compare.
    Workload("epoch-sgd", "epoch", "sgd:lr=1", epochs=4),
    Workload("sample-sgd", "sample", "sgd:lr=0.01", samples=3_000),
    Workload("sample-momentum", "sample", "sgd:lr=0.001,momentum=0.9", samples=3_000),
    Workload("sample-adam", "sample", "adam:lr=0.0001", samples=3_000),
    # Many epochs, since one takes less than a millisecond.
    Workload("table-16", "batch:16", "sgd:lr=0.002", epochs=300, samples=TABLE_SAMPLES, model=TABLE),
    Workload("table-100", "batch:100", "sgd:lr=0.01", epochs=300, samples=TABLE_SAMPLES, model=TABLE),
    # `epochs` of training, so that predictions are more than the commonest class.
    Workload("predict-table", "batch:100", "sgd:lr=0.05", epochs=60, samples=1_000_000, model=TABLE, passes=10),
    Workload("predict-mnist", "batch:100", "sgd:lr=0.1", epochs=2, samples=10_000, passes=30),
]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """`choices`: settings tried out before the race, each with its candidates. `rival`: whom to compare it with.
    `precision`: of matrix products, where it is not that of f32."""

    name: str
    program: str
    options: tuple = ()
    choices: dict = dataclasses.field(default_factory=dict)
    rival: str = "schuss"
    precision: str = ""

    def choices_at(self, workload):
        """The rows per forward pass are a choice of Python peers where they predict; optimizers are none there."""
        if not workload.passes:
            return self.choices
        blocks = {"block": BLOCKS} if self.program.endswith(".py") else {}
        return {key: self.choices[key] for key in self.choices if key != "implementation"} | blocks

    def why_not(self, workload, tile_unit):
        """Why it does not take part, or nothing."""
        if self.precision and not tile_unit:
            return "the processor has no unit for bf16 products, so it would be f32 again"
        if self.program in ("burn", "candle") and (workload.passes or workload.on_table):
            return "its side of this workload is not written"
        if self.program == "schuss" and self.precision and workload.passes:
            return "schuss predicts in f32"
        return None


CORES = os.cpu_count()
BLOCKS = [1_000, 10_000, 100_000]
THREADS = {"threads": sorted({CORES, max(CORES // 2, 1), 1}, reverse=True)}
EAGER = THREADS | {"implementation": ["fused", "foreach", "single"]}
CONTESTANTS = [
    Contestant("schuss", "schuss"),
    Contestant("schuss-high", "schuss", ("--matmul-precision", "high"), precision="high"),
    Contestant("schuss-medium", "schuss", ("--matmul-precision", "medium"), precision="medium"),
    Contestant("pytorch", "pytorch.py", choices=EAGER),
    Contestant("pytorch-compile", "pytorch.py", ("--compile",), THREADS),
    Contestant("pytorch-high", "pytorch.py", ("--precision", "high"), EAGER, "schuss-high", "high"),
    Contestant("pytorch-medium", "pytorch.py", ("--precision", "medium"), EAGER, "schuss-medium", "medium"),
    Contestant("jax", "jax_peer.py", choices=THREADS),
    Contestant("sklearn", "sklearn_peer.py", choices=THREADS),
    Contestant("burn", "burn", choices=THREADS),
    Contestant("candle", "candle", choices=THREADS),
]


@dataclasses.dataclass(frozen=True)
class Programs:
    """Where things are: the data, our command and the bench of predictions beside it, the Python with the peers in it,
    the built Rust peers."""

    data: Path
    schuss: Path
    predict: Path
    python: str
    built: dict

    def run(self, contestant, workload, setting, seed):
        """One trial -> its record. Raises `Failure`."""
        arguments = [*contestant.options, "--update", workload.update, "--optimizer", workload.optimizer]
        arguments += ["--epochs", str(workload.epochs), "--seed", str(seed)]
        if contestant.program == "schuss":
            return self._predict(workload) if workload.passes else self._run_schuss(workload, arguments)
        if workload.passes:
            arguments += ["--passes", str(workload.passes), "--weights", self._model(workload)]
        if workload.on_table:
            arguments += ["--model", workload.model]
        arguments += ["--samples", str(workload.samples)]
        if contestant.program.endswith(".py"):
            arguments += [word for key, value in setting.items() for word in (f"--{key}", str(value))]
            command = [self.python, HERE / contestant.program, self.data, *arguments]
        elif contestant.program in self.built:
            command = [self.built[contestant.program], self.data, *arguments]
        else:
            raise Failure("was not built")
        return json.loads(output_of(command, setting.get("threads", CORES)).splitlines()[-1])

    def write_tables(self):
        output_of([self.python, HERE / "tables.py", self.data], CORES)

    def train_models(self, workloads):
        """Trains the weights with which everybody predicts. Raises `Failure`."""
        for workload in workloads:
            if workload.passes:
                recipe = ["--update", workload.update, "--optimizer", workload.optimizer, "--epochs", str(workload.epochs)]
                run = self.data / f"run-{workload.name}"
                output_of([self.schuss, "train", *self._source(workload), *recipe, "--json", "--out", run], CORES)
                [model] = run.glob("trials/*/model.safetensors")
                model.rename(self._model(workload))

    def _model(self, workload):
        return self.data / f"{workload.name}.safetensors"

    def _source(self, workload):
        if workload.on_table:
            return ["--data", self.data / "small.npz", "--model", workload.model, "--normalisation", "none"]
        return ["--data", self.data]

    def _predict(self, workload):
        rows = self.data / "many.npz" if workload.on_table else self.data
        row = json.loads(output_of([self.predict, self._model(workload), rows, str(workload.passes)], CORES))
        return row | {"setting": "f32-fma-1"}

    def _run_schuss(self, workload, arguments):
        """Times whole epochs; the loss is that of the samples a peer is timed on too."""
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "run"
            command = [self.schuss, "train", *self._source(workload), *arguments, "--losses", "--json", "--out", out]
            summary = json.loads(output_of(command, CORES))
            trial = summary["trials"][0]
            losses = array.array("f", (out / trial["losses"]).read_bytes())
        timed_updates = -(-workload.samples // workload.samples_per_update)
        last_epoch = losses[(workload.epochs - 1) * workload.updates :][:timed_updates]
        seconds = sum(epoch["train_seconds"] for epoch in trial["epochs"])
        return {
            "peer": "schuss",
            "version": summary["schuss"]["version"],
            "workload": f"{workload.update} {workload.optimizer}",
            "threads": trial["threads"],
            "samples": trial["samples"],
            "seconds": seconds,
            "epoch_seconds": seconds / workload.epochs,
            "train_loss": sum(last_epoch) / len(last_epoch),
            "warmup_seconds": 0.0,
            "setting": f"{trial['arithmetic']} {trial['strategy']}",
        }

    def fma_gflops(self):
        """The measured f32 FMA peak of all cores, or None where our command cannot tell."""
        return self._checkup().get("fma_gflops")

    def tile_unit(self):
        """The unit for bf16 products, if there is one."""
        return self._checkup().get("tile_unit")

    def _checkup(self):
        try:
            return json.loads(output_of([self.schuss, "doctor", "--json"], CORES))
        except (Failure, ValueError):
            return {}


def output_of(command, threads):
    """What a command prints. Raises `Failure` with the line of its complaint that says most."""
    environment = os.environ | {
        "RAYON_NUM_THREADS": str(threads),
        "GLIBC_TUNABLES": KEEP_MEMORY,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=TRIAL_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failure(f"took longer than {TRIAL_TIMEOUT_SECONDS} s") from None
    except OSError as error:
        raise Failure(f"does not start: {error.strerror}") from None
    if done.returncode == 0 and done.stdout.strip():
        return done.stdout
    complaint = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise Failure(next((line for line in complaint if line.lower().startswith("error")), complaint[-1]))


def build(peer):
    """Compiles a Rust peer for this very processor -> its executable. Raises `Failure`."""
    command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics"]
    environment = os.environ | {"RUSTFLAGS": "-C target-cpu=native"}
    try:
        done = subprocess.run(command, cwd=HERE / peer, env=environment, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        raise Failure(f"cargo does not start: {error.strerror}") from None
    messages = map(json.loads, done.stdout.splitlines())
    executables = [message["executable"] for message in messages if message.get("executable")]
    if done.returncode or not executables:
        raise Failure("does not build")
    return executables[-1]
