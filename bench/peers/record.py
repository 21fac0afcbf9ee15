"""From raw records to what is kept of a race: summary, machine, and the page that shows them."""

import csv
import dataclasses
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
from collections import defaultdict

from contestants import CONTESTANTS, HERE, TRAINING_SET, WORKLOADS

RAW_COLUMNS = (
    "round workload contestant peer version setting threads samples seconds epoch_seconds train_loss warmup_seconds"
    " fma_gflops"
).split()
# Forward and backward products of 784-400-256-10, multiply and add counted apart; the first layer passes nothing on.
FLOP_PER_EPOCH = TRAINING_SET * 2 * (2 * 784 * 400 + 3 * (400 * 256 + 256 * 10))
GUESS = math.log(10)  # the loss of knowing nothing
LOSS_BAND, PROGRESS_BAND = 0.1, 0.2


@dataclasses.dataclass
class Result:
    """A contestant's rounds of one workload; `ratios` are its seconds over its rival's, round by round."""

    workload: str
    contestant: str
    version: str
    setting: str
    samples: int
    seconds: list
    ratios: list
    rival: str
    peak_shares: list
    train_loss: float
    warmup_seconds: float


def agrees(loss, median):
    """Near the median, and likewise in how far it has come from guessing: contestants draw different numbers."""
    return abs(loss - median) <= min(LOSS_BAND * median, PROGRESS_BAND * abs(GUESS - median))


def sort_out(rows):
    """Rows -> (rows whose contestant's median loss agrees with the others', {(workload, contestant): why not})."""
    losses = defaultdict(lambda: defaultdict(list))
    for row in rows:
        losses[row["workload"]][row["contestant"]].append(row["train_loss"])
    refused = {}
    for workload, by_contestant in losses.items():
        medians = {name: statistics.median(values) for name, values in by_contestant.items()}
        middle = statistics.median(medians.values())
        for name, loss in medians.items():
            if not agrees(loss, middle):
                refused[workload, name] = f"its training loss is {loss:.4f}, the others' median {middle:.4f}"
    return [row for row in rows if (row["workload"], row["contestant"]) not in refused], refused


def summarise(rows):
    """One `Result` per workload and contestant, in the order they are declared."""
    groups = defaultdict(dict)
    for row in rows:
        groups[row["workload"], row["contestant"]][row["round"]] = row
    results = []
    for workload in WORKLOADS:
        for contestant in CONTESTANTS:
            if mine := groups.get((workload.name, contestant.name)):
                rival = contestant.rival if (workload.name, contestant.rival) in groups else "schuss"
                results.append(result_of(mine, rival, groups.get((workload.name, rival), {})))
    return results


def result_of(mine, rival, theirs):
    """`mine`, `theirs`: rows by round."""
    rounds = list(mine.values())
    first = rounds[0]
    return Result(
        workload=first["workload"],
        contestant=first["contestant"],
        version=first["version"],
        setting=first["setting"],
        samples=first["samples"],
        seconds=[row["epoch_seconds"] for row in rounds],
        ratios=[row["epoch_seconds"] / theirs[n]["epoch_seconds"] for n, row in mine.items() if n in theirs],
        rival=rival,
        peak_shares=[
            FLOP_PER_EPOCH / row["epoch_seconds"] / (row["fma_gflops"] * 1e9) for row in rounds if row["fma_gflops"]
        ],
        train_loss=statistics.median(row["train_loss"] for row in rounds),
        warmup_seconds=statistics.median(row["warmup_seconds"] for row in rounds),
    )


def write_summary(path, results):
    """One row per result: medians and ranges."""
    columns = (
        "workload contestant version setting rounds samples epoch_seconds epoch_seconds_min epoch_seconds_max rival"
        " ratio ratio_min ratio_max peak_share train_loss warmup_seconds"
    ).split()
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for r in results:
            counted = [r.workload, r.contestant, r.version, r.setting, len(r.seconds), r.samples]
            figures = [*spread(r.seconds), r.rival, *spread(r.ratios), *spread(r.peak_shares)[:1]]
            table.writerow([*counted, *map(shown, [*figures, r.train_loss, r.warmup_seconds])])


def spread(values):
    """Median, least and largest; nothing where there are none."""
    return (statistics.median(values), min(values), max(values)) if values else (None, None, None)


def shown(figure):
    return f"{figure:.5g}" if isinstance(figure, float) else figure


def machine(python, fma_gflops, loads):
    """What the figures depend on besides the programs."""
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_field("Model name"),
        "cores": os.cpu_count(),
        "isa": [flag for flag in ("avx2", "fma", "avx512f", "amx_bf16") if flag in cpu_field("Flags").split()],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": first_line([python, "--version"]),
        "rustc": first_line(["rustc", "--version"]),
        "commit": first_line(["git", "-C", HERE, "describe", "--always", "--dirty", "--exclude=*"]),
        "fma_gflops": [round(peak, 1) for peak in fma_gflops if peak],
        "load_average_before_each_round": loads,
    }


def cpu_field(name):
    """A line of lscpu; empty where there is none."""
    lines = (line.partition(":") for line in text_of(["lscpu"]).splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def first_line(command):
    return text_of(command).partition("\n")[0]


def text_of(command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def page(workloads, results, left_out, machine, rounds, command):
    """The README of a run."""
    lines = [f"# Race of {machine['date']}", "", f"`{command}`", ""]
    lines += [f"{machine['cpu']}, {machine['cores']} cores ({', '.join(machine['isa'])}), {machine['os']}."]
    if machine["fma_gflops"]:
        lines += [f"f32 FMA peak of all cores: {statistics.median(machine['fma_gflops']):.0f} GFLOP/s (median)."]
    lines += [f"Load average before each round: {', '.join(map(str, machine['load_average_before_each_round']))}."]
    lines += ["", f"Medians of {rounds} interleaved rounds, least and largest in brackets. Seconds are per epoch of"]
    lines += ["60,000 samples, warm-up excluded. A ratio is how many times as long it took as schuss (or the rival"]
    lines += ["named beside it), round by round. What is measured and how: [bench/README.md](../../README.md)."]
    for workload in workloads:
        if mine := [result for result in results if result.workload == workload.name]:
            lines += ["", *workload_table(workload, mine)]
    if left_out:
        lines += ["", "## Left out", ""]
        lines += [f"- {name}, {workload}: {why}" for (workload, name), why in left_out.items()]
    return "\n".join(lines) + "\n"


def workload_table(workload, results):
    """Markdown, the fastest first."""
    title = f"## {workload.name}: `{workload.update}`, `{workload.optimizer}`"
    if workload.samples < TRAINING_SET:
        title += f"\n\nPeers are timed on {workload.samples:,} samples and scaled; schuss trains all 60,000."
    head = ["", "version", "seconds per epoch", "ratio", "share of peak", "train loss", "warm-up", "setting"]
    lines = [title, "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for r in sorted(results, key=lambda result: statistics.median(result.seconds)):
        beside = f" to {r.rival}" if r.rival != "schuss" else ""
        ratio = "" if r.contestant == r.rival else ranged(r.ratios, ".3g") + beside
        share = f"{statistics.median(r.peak_shares):.0%}" if r.peak_shares else ""
        figures = [ranged(r.seconds, ".3g"), ratio, share, f"{r.train_loss:.4f}", f"{r.warmup_seconds:.1f} s"]
        lines.append(f"| {' | '.join([r.contestant, r.version, *figures, r.setting])} |")
    return lines


def ranged(values, form):
    if not values:
        return ""
    middle, least, largest = (format(value, form) for value in spread(values))
    return f"**{middle}** ({least}-{largest})"


def write(folder, workloads, rows, left_out, machine, rounds, command):
    """summary.csv, machine.json and README.md beside the raw.csv that is there already -> the page."""
    believed, refused = sort_out(rows)
    results = summarise(believed)
    write_summary(folder / "summary.csv", results)
    (folder / "machine.json").write_text(json.dumps(machine, indent=2) + "\n")
    text = page(workloads, results, left_out | refused, machine, rounds, command)
    (folder / "README.md").write_text(text)
    return text
