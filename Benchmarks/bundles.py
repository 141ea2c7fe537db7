#!/usr/bin/env python3
"""Decodes from a model's file and from its bundle, in turn; README.md has the method.

Needs the superuser, and the bundle beside the model.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

import engines
import machine

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", help="a single GGUF file")
    parser.add_argument("--memory", default="25%,50%", help="as moe-run takes it; several: a list")
    parser.add_argument(
        "--read-rates", default="400e6,0", help="bytes per second of the disk; 0: as it is")
    parser.add_argument("--tokens", type=int, default=32, help="to generate")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--program", default=ROOT / ".build/release/moe-run")
    parser.add_argument("--flags", default="", help="more flags of the run with the bundle")
    return parser.parse_args()


def run(options, memory, rate, disk, flags):
    """One run: the speed of decoding, the bytes that it read, and the text that it made."""
    command = [
        str(options.program), options.model, "-p", "The", "-c", "512", "-n", str(options.tokens),
        "--ignore-eos", *engines.SAMPLED, "--memory", memory, "--no-warm-start", "-q", *flags]
    machine.drop_page_cache()
    with machine.group(disks=[disk], read_rate=rate or None) as group:
        report, text = engines.report_and_output(command, "--stats-json", group)
    figures = json.loads(report)
    return figures["decode_tokens_per_second"], figures["decode_read_bytes"], text


def traced(options, folder):
    """The routing of the text that all runs write."""
    path = f"{folder}/text.moetrace"
    engines.run([
        str(options.program), options.model, "-p", "The", "-c", "512", "-n", str(options.tokens),
        "--ignore-eos", *engines.SAMPLED, "--no-warm-start", "-q", "--no-bundle", "--trace", path])
    return path


def predicted(options, memory, rate, disk, flags):
    """What `plan` says of decoding that text, measured afresh under the same limit."""
    command = [
        str(options.program), "plan", options.model, "-c", "512", "--memory", memory, "--probe",
        "fresh", "--json", "--prompt-tokens", "24", "--trace", options.trace, *flags]
    with machine.group(disks=[disk], read_rate=rate or None) as group:
        plan = json.loads(engines.run(command, group)[0])
    return plan["prediction"]["decode"]["tokens_per_second"]


def spread(values):
    """The median, and least to greatest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="bundles-") as folder:
        options.trace = traced(options, folder)
        measure(options)


def measure(options):
    """A row for each memory and rate."""
    disk = machine.Disk(options.model)
    packed_flags = options.flags.split()
    print("| memory | disk, MB/s | file, tokens/s | bundle, tokens/s | ratio | MB/token | planned |")
    print("|---|---|---|---|---|---|---|")
    for memory in options.memory.split(","):
        for rate in [float(text) for text in options.read_rates.split(",")]:
            plain, packed, ratios, read = [], [], [], []
            for pair in range(options.pairs):
                order = (False, True) if pair % 2 == 0 else (True, False)
                runs = {
                    is_packed: run(
                        options, memory, rate, disk,
                        packed_flags if is_packed else ["--no-bundle"]) for is_packed in order}
                if not packed_flags and runs[False][2] != runs[True][2]:
                    sys.exit("the text depends on the bundle, which it never may")
                plain.append(runs[False][0])
                packed.append(runs[True][0])
                ratios.append(runs[True][0] / runs[False][0])
                read = [runs[False][1] / options.tokens / 1e6, runs[True][1] / options.tokens / 1e6]
            plan = predicted(options, memory, rate, disk, packed_flags)
            name = f"{rate / 1e6:.0f}" if rate else "as it is"
            print(f"| {memory} | {name} | {spread(plain)} | {spread(packed)} | {spread(ratios)} "
                  f"| {read[0]:.0f}, {read[1]:.0f} | {plan:.2f} |", flush=True)


if __name__ == "__main__":
    main()
