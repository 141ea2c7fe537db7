#!/usr/bin/env python3
"""Decodes with one copy of a model and with two on two disks, in turn; README.md has the method.

Needs the superuser, and memory for two copies of the model beside what the runs take.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import sys

import engines
import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", help="a single GGUF file")
    parser.add_argument("--memory", default="25%", help="as moe-run takes it")
    parser.add_argument("--read-rate", type=float, default=200e6, help="bytes per second of a disk")
    parser.add_argument("--tokens", type=int, default=24, help="to generate")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--program", default=ROOT / ".build/release/moe-run")
    return parser.parse_args()


def run(options, copies, disks):
    """One run: the speed of decoding, the bytes it read, and the text that it made."""
    command = [
        str(options.program), copies[0], "-p", "The", "-c", "512", "-n", str(options.tokens),
        "--ignore-eos", *engines.SAMPLED, "--memory", options.memory, "--no-warm-start", "-q"]
    for copy in copies[1:]:
        command += ["--mirror", copy]
    machine.drop_page_cache()
    with machine.group(disks=disks, read_rate=options.read_rate) as group:
        report, text = engines.report_and_output(command, "--stats-json", group)
    figures = json.loads(report)
    return figures["decode_tokens_per_second"], figures["decode_read_bytes"], text


def main():
    options = arguments()
    ratios = []
    with contextlib.ExitStack() as stack:
        copies = [stack.enter_context(machine.ram_disk(options.model)) for _ in range(2)]
        disks = [machine.Disk(copy) for copy in copies]
        print("| pair | one copy, tokens/s | two copies, tokens/s | ratio | MB read, one and two |")
        print("|---|---|---|---|---|")
        for pair in range(options.pairs):
            counts = (1, 2) if pair % 2 == 0 else (2, 1)
            runs = {count: run(options, copies[:count], disks) for count in counts}
            if runs[1][2] != runs[2][2]:
                sys.exit("the text depends on the copies, which it never may")
            ratios.append(runs[2][0] / runs[1][0])
            print(f"| {pair} | {runs[1][0]:.2f} | {runs[2][0]:.2f} | {ratios[-1]:.2f} "
                  f"| {runs[1][1] / 1e6:.0f}, {runs[2][1] / 1e6:.0f} |", flush=True)
    print(f"ratio: median {statistics.median(ratios):.2f}, "
          f"{min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    try:
        main()
    except (machine.MachineError, engines.RunError) as error:
        sys.exit(str(error))
