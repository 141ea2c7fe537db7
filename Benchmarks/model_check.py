#!/usr/bin/env python3
"""Holds what `moe-run plan` predicts against what runs take.

For every model, budget and thread count: one run with another seed records the routing (that of
models with random weights cannot be assumed), then plans and runs take turns, and the medians are
compared. Bytes are of the whole prompt, or of one token; they are counted, so they tell errors of
the model from noise of the machine. Prints a Markdown table, writes CSV, and fails where the mean
error of speeds is above 10 % or the worst above 20 %. Wants a machine with nothing else to do.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MEAN_MAX, WORST_MAX = 0.10, 0.20
FIELDS = [
    "model", "memory", "threads", "prompt_tokens", "phase", "binds", "hit_rate", "predicted",
    "measured", "measured_low", "measured_high", "error", "predicted_megabytes",
    "counted_megabytes",
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", help="GGUF files")
    parser.add_argument("--memory", nargs="+", default=["25%", "50%", "75%", "130%"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, os.cpu_count() or 1])
    parser.add_argument("--words", nargs="+", type=int, default=[300], help="of the prompts")
    parser.add_argument("--tokens", type=int, default=64, help="to generate")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", help="where to write the table as comma-separated values")
    parser.add_argument("--program", default=ROOT / ".build/release/moe-run")
    return parser.parse_args()


def call(options, *words):
    command = [str(options.program), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().split("\n")[-1])
    return done.stdout


def run(options, common, prompt, seed, trace=None):
    """One generation's statistics; its routing goes to the file `trace`."""
    record = ["--trace", trace] if trace else []
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        call(
            options, "generate", *common, "-f", prompt, "-n", options.tokens, "--ignore-eos",
            "--temp", 1, "--seed", seed, "--no-warm-start", "-q", "--stats-json", report,
            *record)
        return json.loads(report.read_text())


def plan(options, common, prompt_tokens, trace):
    text = call(
        options, "plan", *common, "--json", "--probe", "fresh", "--prompt-tokens", prompt_tokens,
        "--trace", trace)
    return json.loads(text)["prediction"]


def compare(options, model, memory, threads, prompt):
    """The rows of one configuration: prefill and decode."""
    common = [model, "--memory", memory, "--threads", threads, "-c", 2048]
    plans, runs = [], []
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder) / "run.moetrace"
        first = run(options, common, prompt, 1, trace)
        for repeat in range(options.repeats):
            plans.append(plan(options, common, first["prompt_tokens"], trace))
            runs.append(run(options, common, prompt, 2 + repeat))
    rows = []
    for phase, counted in [("prefill", "read_bytes"), ("decode", "read_bytes_per_token")]:
        measured = [run[f"{phase}_tokens_per_second"] for run in runs]
        predicted = statistics.median(plan[phase]["tokens_per_second"] for plan in plans)
        middle = statistics.median(measured)
        rows.append({
            "model": pathlib.Path(model).stem, "memory": memory, "threads": threads,
            "prompt_tokens": first["prompt_tokens"], "phase": phase,
            "binds": plans[0][phase]["binds"],
            "hit_rate": f"{statistics.median(run[f'{phase}_hit_rate'] for run in runs):.3f}",
            "predicted": f"{predicted:.2f}", "measured": f"{middle:.2f}",
            "measured_low": f"{min(measured):.2f}", "measured_high": f"{max(measured):.2f}",
            "error": predicted / middle - 1,
            "predicted_megabytes": f"{plans[0][phase]['read_bytes'] / 1e6:.1f}",
            "counted_megabytes":
                f"{statistics.median(run[f'{phase}_{counted}'] for run in runs) / 1e6:.1f}",
        })
    return rows


def line(row):
    cells = dict(row, error=f"{100 * row['error']:+.1f} %")
    return "| " + " | ".join(str(cells[field]) for field in FIELDS) + " |"


def main():
    options = arguments()
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    print("| " + " | ".join(FIELDS) + " |\n|" + "---|" * len(FIELDS), flush=True)
    rows = []
    for model in options.models:
        for words in options.words:
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as prompt:
                prompt.write(" ".join(text.split()[:words]))
                prompt.flush()
                for memory in options.memory:
                    for threads in sorted(set(options.threads)):
                        try:
                            found = compare(options, model, memory, threads, prompt.name)
                        except RuntimeError as error:
                            print(f"{model} in {memory}: {error}", file=sys.stderr)
                            continue
                        rows += found
                        print("\n".join(map(line, found)), flush=True)
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(dict(row, error=f"{row['error']:.4f}") for row in rows)
    if not rows:
        sys.exit("nothing was compared")
    errors = [abs(row["error"]) for row in rows]
    mean, worst = statistics.mean(errors), max(errors)
    print(f"\nmean error {100 * mean:.1f} %, worst {100 * worst:.1f} %, {len(rows)} figures")
    sys.exit(mean > MEAN_MAX or worst > WORST_MAX)


if __name__ == "__main__":
    main()
