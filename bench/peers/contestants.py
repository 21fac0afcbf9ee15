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
TRIAL_TIMEOUT_SECONDS = 900
# Freed memory stays with the process. Without it glibc gives every large tensor back to the kernel at once, and
# candle and Burn spend most of a sample's update on page faults. Set for everyone.
KEEP_MEMORY = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736"


class Failure(Exception):
    """A trial that gave no figure, and why, in one line."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """`samples` are those a peer is timed on per epoch; schuss always trains the whole epoch."""

    name: str
    update: str
    optimizer: str
    epochs: int = 1
    samples: int = TRAINING_SET

    @property
    def samples_per_update(self):
        return {"epoch": TRAINING_SET, "sample": 1}.get(self.update) or int(self.update.removeprefix("batch:"))

    def shortened(self):
        """What is enough to tell fast settings from slow ones."""
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
]


@dataclasses.dataclass(frozen=True)
class Contestant:
    """`choices`: settings tried out before the race, each with its candidates. `rival`: whom to compare it with."""

    name: str
    program: str
    options: tuple = ()
    choices: dict = dataclasses.field(default_factory=dict)
    rival: str = "schuss"


CORES = os.cpu_count()
THREADS = {"threads": sorted({CORES, max(CORES // 2, 1), 1}, reverse=True)}
EAGER = THREADS | {"implementation": ["fused", "foreach", "single"]}
CONTESTANTS = [
    Contestant("schuss", "schuss"),
    Contestant("schuss-high", "schuss", ("--matmul-precision", "high")),
    Contestant("schuss-medium", "schuss", ("--matmul-precision", "medium")),
    Contestant("pytorch", "pytorch.py", choices=EAGER),
    Contestant("pytorch-compile", "pytorch.py", ("--compile",), THREADS),
    Contestant("pytorch-medium", "pytorch.py", ("--precision", "medium"), EAGER, rival="schuss-medium"),
    Contestant("jax", "jax_peer.py", choices=THREADS),
    Contestant("sklearn", "sklearn_peer.py", choices=THREADS),
    Contestant("burn", "burn", choices=THREADS),
    Contestant("candle", "candle", choices=THREADS),
]


@dataclasses.dataclass(frozen=True)
class Programs:
    """Where things are: the data, our command, the Python with the peers in it, the built Rust peers."""

    mnist: Path
    schuss: Path
    python: str
    built: dict

    def run(self, contestant, workload, setting, seed):
        """One trial -> its record. Raises `Failure`."""
        arguments = [*contestant.options, "--update", workload.update, "--optimizer", workload.optimizer]
        arguments += ["--epochs", str(workload.epochs), "--seed", str(seed)]
        if contestant.program == "schuss":
            return self._run_schuss(workload, arguments)
        arguments += ["--samples", str(workload.samples)]
        if contestant.program.endswith(".py"):
            arguments += [word for key, value in setting.items() for word in (f"--{key}", str(value))]
            command = [self.python, HERE / contestant.program, self.mnist, *arguments]
        elif contestant.program in self.built:
            command = [self.built[contestant.program], self.mnist, *arguments]
        else:
            raise Failure("was not built")
        return json.loads(output_of(command, setting.get("threads", CORES)).splitlines()[-1])

    def _run_schuss(self, workload, arguments):
        """Times whole epochs; the loss is that of the samples a peer is timed on too."""
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "run"
            command = [self.schuss, "train", "--data", self.mnist, *arguments, "--losses", "--json", "--out", out]
            summary = json.loads(output_of(command, CORES))
            trial = summary["trials"][0]
            losses = array.array("f", (out / trial["losses"]).read_bytes())
        updates = TRAINING_SET // workload.samples_per_update
        last_epoch = losses[(workload.epochs - 1) * updates :][: workload.samples // workload.samples_per_update]
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
        try:
            return json.loads(output_of([self.schuss, "doctor", "--json"], CORES)).get("fma_gflops")
        except (Failure, ValueError):
            return None


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
