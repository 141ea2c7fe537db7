#!/usr/bin/env python3
"""Runs every way to guess experts in turn with none, and shows what guessing was worth.

Rounds of one run each, every second one in reverse order, the page cache dropped before each. The
same seed gives the same text whoever guesses, which is checked. Prints a Markdown table of medians
and of the ratio to `off` of the same round, and adds every run to a CSV file. Wants root, and a
machine with nothing else to do.
"""

import argparse
import contextlib
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIELDS = [
    "memory", "read_rate", "round", "predictor", "decode_tokens_per_second", "decode_hit_rate",
    "decode_stall_seconds", "decode_read_bytes", "decode_guesses",
    "decode_right_guesses", "decode_prefetched_bytes", "decode_prefetched_wasted_bytes",
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("prompt", help="a file with a text of some words")
    parser.add_argument("--memory", nargs="+", default=["25%", "50%", "75%"])
    parser.add_argument("--ways", nargs="+", default=["router", "affinity", "activation-matrix"])
    parser.add_argument("--slots", type=int, default=4, help="for reading ahead, of each size")
    parser.add_argument("--read-rate", type=float, default=0, help="bytes per second; 0: as it is")
    parser.add_argument("--tokens", type=int, default=40, help="to generate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv", default="predictors.csv")
    parser.add_argument("--program", default=ROOT / ".build/release/moe-run")
    return parser.parse_args()


def run(options, memory, way, number):
    """One run: its row, and the text that it made."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stats = os.path.join(folder, "stats.json")
        command = [
            options.program, "generate", options.model, "-f", options.prompt, "-c", "512",
            "-n", str(options.tokens), "--ignore-eos", "--temp", "1", "--seed", "1",
            "--memory", memory, "--no-warm-start", "--predictor", way, "--stats-json", stats,
        ]
        if way != "off":
            command += ["--staging-slots", str(options.slots)]
        group = machine.Group([])
        if options.read_rate:
            disk = machine.Disk(options.model)
            group = stack.enter_context(machine.group(disks=[disk], read_rate=options.read_rate))
        machine.drop_page_cache()
        done = subprocess.run(command, capture_output=True, check=False, preexec_fn=group.enter)
        if done.returncode != 0:
            sys.exit(done.stderr.decode().strip())
        with open(stats, encoding="utf-8") as file:
            report = json.load(file)
    row = {"memory": memory, "read_rate": options.read_rate, "round": number}
    return row | {key: report[key] for key in FIELDS[3:]}, done.stdout


def rows_of(options, memory, keep):
    """All rounds in one budget; each row is kept as soon as it is there."""
    rows, texts = [], set()
    ways = ["off"] + options.ways
    for number in range(options.rounds):
        for way in ways if number % 2 == 0 else reversed(ways):
            row, text = run(options, memory, way, number)
            keep(row)
            rows.append(row)
            texts.add(text)
    if len(texts) != 1:
        sys.exit(f"{memory}: the text depends on who guesses, which it never may")
    return rows


def show(memory, rows):
    speeds = {row["round"]: row["decode_tokens_per_second"]
              for row in rows if row["predictor"] == "off"}
    for way in dict.fromkeys(row["predictor"] for row in rows):
        own = [row for row in rows if row["predictor"] == way]
        total = {key: sum(row[key] for row in own) for key in FIELDS[6:]}
        speed = statistics.median(row["decode_tokens_per_second"] for row in own)
        ratios = [row["decode_tokens_per_second"] / speeds[row["round"]] for row in own]
        right = total["decode_right_guesses"] / max(1, total["decode_guesses"])
        wasted = total["decode_prefetched_wasted_bytes"]
        wasted /= max(1, total["decode_prefetched_bytes"])
        print(f"| {memory} | {way} | {speed:.2f} | {min(ratios):.3f} to {max(ratios):.3f} "
              f"| {100 * right:.1f} % | {100 * wasted:.1f} % |", flush=True)


def main():
    options = arguments()
    is_new = not os.path.exists(options.csv)
    print("| memory | guesses | tokens/s | over off | right | in vain |\n|---|---|---|---|---|---|")
    with open(options.csv, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if is_new:
            writer.writeheader()

        def keep(row):
            writer.writerow(row)
            file.flush()

        try:
            for memory in options.memory:
                show(memory, rows_of(options, memory, keep))
        except machine.MachineError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
