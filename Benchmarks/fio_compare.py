#!/usr/bin/env python3
"""Reads a file through our reader and through fio, in turn, and prints the ratio of the rates.

Both read extents of one size at random places that are multiples of 4096, by io_uring and past the
page cache, from one thread, with the same count of extents under way.
"""

import argparse
import csv
import json
import os
import statistics

import engines

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = 4096


def ours(arguments, size):
    """Bytes per second of moe-bench."""
    text = engines.report([
        f"{arguments.ours}/moe-bench", "--filter", "reads/", "--file", arguments.file,
        "--read-sizes", str(size), "--depth", str(arguments.depth), "--seconds",
        str(arguments.seconds), "--seed", engines.new_seed()], "--csv")
    row = list(csv.DictReader(text.splitlines()))[0]
    return float(row["disk_bytes"]) / float(row["mean_ns"]) * 1e9


def fio(arguments, size):
    """Bytes per second of fio."""
    output, _ = engines.run([
        "fio", "--name=reads", f"--filename={arguments.file}", "--readonly", "--rw=randread",
        f"--bs={size}", f"--blockalign={PAGE}", f"--iodepth={arguments.depth}",
        "--ioengine=io_uring", "--direct=1", "--norandommap", "--randrepeat=0", "--time_based",
        "--fixedbufs", "--registerfiles", f"--runtime={arguments.seconds}",
        "--output-format=json"])
    return json.loads(output)["jobs"][0]["read"]["bw_bytes"]


def byte_count(text):
    """A size such as 128K or 4M."""
    unit = {"K": 10, "M": 20}.get(text[-1:].upper(), 0)
    size = int(text[:-1] if unit else text) << unit
    if size < PAGE or size % PAGE:
        raise argparse.ArgumentTypeError(f"{text} is no multiple of {PAGE}")
    return size


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="best larger than memory")
    parser.add_argument("--ours", default=f"{REPOSITORY}/.build/release", help="our programs")
    parser.add_argument("--sizes", default="128K,1228K,4M", help="bytes of an extent")
    parser.add_argument("--depth", type=int, default=8, help="extents under way")
    parser.add_argument("--runs", type=int, default=5, help="pairs per size")
    parser.add_argument("--seconds", type=float, default=3, help="of each run")
    return parser.parse_args()


def main():
    """One line per size: medians, and the median of the pairs' ratios."""
    arguments = parse()
    print("size     depth  ours MB/s  fio MB/s  ratio (min-max)")
    for size in [byte_count(text) for text in arguments.sizes.split(",")]:
        pairs = []
        for pair in range(arguments.runs):
            programs = (ours, fio) if pair % 2 == 0 else (fio, ours)
            rates = {program: program(arguments, size) for program in programs}
            pairs.append((rates[ours], rates[fio]))
        ratios = [mine / other for mine, other in pairs]
        print(
            f"{size >> 10:5} KiB {arguments.depth:4} "
            f"{statistics.median(mine for mine, _ in pairs) / 1e6:10.0f} "
            f"{statistics.median(other for _, other in pairs) / 1e6:9.0f}  "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
