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

from contestants import CONTESTANTS, HERE, WORKLOADS

RAW_COLUMNS = (
    "round workload contestant peer version setting threads samples seconds epoch_seconds train_loss accuracy warmup_seconds"
    " fma_gflops"
).split()
LOSS_BAND, PROGRESS_BAND = 0.1, 0.2
ACCURACY_BAND = 1e-3  # the same weights for all: other roundings, and those of bf16, turn few predictions
BY_NAME = {workload.name: workload for workload in WORKLOADS}


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
    yardstick: float
    warmup_seconds: float


def yardstick(row):
    """What must agree: the share of right predictions, or the training loss."""
    return row["accuracy"] if BY_NAME[row["workload"]].passes else row["train_loss"]


def agrees(workload, value, median):
    """Near the median; a loss likewise in how far it has come from guessing: contestants draw different numbers."""
    if workload.passes:
        return abs(value - median) <= ACCURACY_BAND
    guess = math.log(workload.widths[-1])  # the loss of knowing nothing
    return abs(value - median) <= min(LOSS_BAND * median, PROGRESS_BAND * abs(guess - median))


def sort_out(rows):
    """Rows -> (rows whose contestant's median agrees with the others', {(workload, contestant): why not})."""
    values = defaultdict(lambda: defaultdict(list))
    for row in rows:
        values[row["workload"]][row["contestant"]].append(yardstick(row))
    refused = {}
    for name, by_contestant in values.items():
        workload = BY_NAME[name]
        word = "share of right predictions" if workload.passes else "training loss"
        medians = {contestant: statistics.median(values) for contestant, values in by_contestant.items()}
        middle = statistics.median(medians.values())
        for contestant, value in medians.items():
            if not agrees(workload, value, middle):
                refused[name, contestant] = f"its {word} is {value:.4f}, the others' median {middle:.4f}"
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
            BY_NAME[row["workload"]].flop / row["epoch_seconds"] / (row["fma_gflops"] * 1e9) for row in rounds if row["fma_gflops"]
        ],
        yardstick=statistics.median(map(yardstick, rounds)),
        warmup_seconds=statistics.median(row["warmup_seconds"] for row in rounds),
    )


def write_summary(path, results):
    """One row per result: medians and ranges."""
    columns = (
        "workload contestant version setting rounds samples epoch_seconds epoch_seconds_min epoch_seconds_max rival"
        " ratio ratio_min ratio_max peak_share train_loss accuracy warmup_seconds"
    ).split()
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for r in results:
            counted = [r.workload, r.contestant, r.version, r.setting, len(r.seconds), r.samples]
            figures = [*spread(r.seconds), r.rival, *spread(r.ratios), *spread(r.peak_shares)[:1]]
            passed = [None, r.yardstick] if BY_NAME[r.workload].passes else [r.yardstick, None]
            table.writerow([*counted, *map(shown, [*figures, *passed, r.warmup_seconds])])


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
    lines += ["60,000 samples, or of the rows named, warm-up excluded. A ratio is how many times as long it took as schuss (or the rival"]
    lines += ["named beside it), round by round. What is measured and how: [bench/README.md](../../README.md)."]
    for workload in workloads:
        if mine := [result for result in results if result.workload == workload.name]:
            lines += ["", *workload_table(workload, mine)]
    if left_out:
        lines += ["", "## Left out", ""]
        lines += [f"- {name}, {workload}: {why}" for (workload, name), why in left_out.items()]
    return "\n".join(lines) + "\n"


@dataclasses.dataclass(frozen=True)
class Cost:
    """How the time of an epoch or pass is shown: a column's title, its figure of the seconds, its format."""

    title: str
    figure: callable
    form: str = ".3g"


def cost_of(workload):
    if workload.passes:
        return Cost("million rows per second", lambda seconds: workload.samples / seconds / 1e6)
    if workload.on_table:
        return Cost("µs per update", lambda seconds: seconds / workload.updates * 1e6)
    return Cost("seconds per epoch", lambda seconds: seconds)


def title_of(workload):
    """The heading, and what else must be said of the workload."""
    if workload.passes:
        rows = f"{workload.samples:,} rows, {workload.passes} times, everybody with the same weights."
        return f"## {workload.name}: `{workload.model}`\n\n{rows}"
    title = f"## {workload.name}: `{workload.update}`, `{workload.optimizer}`"
    if workload.on_table:
        return f"{title}, `{workload.model}`\n\n{workload.epochs} epochs of {workload.samples} rows."
    if workload.samples < workload.training_set:
        title += f"\n\nPeers are timed on {workload.samples:,} samples and scaled; schuss trains all 60,000."
    return title


def workload_table(workload, results):
    """Markdown, the fastest first."""
    cost = cost_of(workload)
    passed = "right predictions" if workload.passes else "train loss"
    head = ["", "version", cost.title, "ratio of seconds", "share of peak", passed, "warm-up", "setting"]
    lines = [title_of(workload), "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for r in sorted(results, key=lambda result: statistics.median(result.seconds)):
        beside = f" to {r.rival}" if r.rival != "schuss" else ""
        ratio = "" if r.contestant == r.rival else ranged(r.ratios, ".3g") + beside
        share = f"{statistics.median(r.peak_shares):.0%}" if r.peak_shares else ""
        costs = ranged(list(map(cost.figure, r.seconds)), cost.form)
        figures = [costs, ratio, share, f"{r.yardstick:.4f}", f"{r.warmup_seconds:.1f} s"]
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
