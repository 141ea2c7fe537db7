#!/usr/bin/env python3
"""Races moe-run against llama.cpp on one machine, in turn; README.md has the method.

Needs the superuser for everything but the cases in memory.
"""

import argparse
import contextlib
import csv
import dataclasses
import os
import resource
import signal
import statistics
import sys
import tempfile
import time

import engines
import machine

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEER_READ_AHEAD = 128
PROMPT_TOKENS = 24
TEXT_TOKENS = 512
FIELDS = [
    "model", "case", "pair", "engine", "rate", "error", "prompt_tokens", "generated_tokens",
    "hit_rate", "read_bytes_per_token", "stall_share", "peak_bytes", "limit_bytes",
    "disk_bytes_per_second", "bound", "bound_share", "optimal_bound", "disk_read_bytes",
    "seconds"]


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    phase: str
    disk: str = ""  # "", as it is, held to a rate, or in memory
    percent: int = 0  # of the file's size; 0: all in memory
    prompt: int = PROMPT_TOKENS
    tokens: int = 32

    @property
    def context(self):
        """Positions, the same for both programs."""
        return max(1024, (self.prompt + self.tokens + 127) // 64 * 64)


def all_cases():
    """Few tokens where tokens are slow: the whole of it takes an hour with five pairs."""
    cases = [
        Case("memory-decode", "decode", prompt=0, tokens=64),
        Case("memory-prefill", "prefill", prompt=512, tokens=0),
        Case("memory-prefill-400", "prefill", prompt=400, tokens=0),
        Case("memory-prefill-2000", "prefill", prompt=2000, tokens=0)]
    for disk in ("disk", "throttled", "ram"):
        for percent, tokens in ((75, 32), (50, 32), (25, 16)):
            cases.append(Case(f"{disk}-{percent}", "decode", disk, percent, tokens=tokens))
    for prompt in (400, 2000):
        cases.append(Case(f"prefill-{prompt}", "prefill", "disk", 50, prompt, 1))
    return cases


def quick(case):
    """The same with few tokens: whether everything works, not how fast."""
    prompt = min(case.prompt, 64)
    return dataclasses.replace(case, prompt=prompt, tokens=min(case.tokens, 4))


class Race:
    """The runs of one model."""

    def __init__(self, arguments, model, log, earlier=()):
        self.arguments, self.model, self.log = arguments, model, log
        self.ours = engines.Ours(arguments.ours, arguments.threads)
        self.peer = engines.Peer(arguments.peer, arguments.threads)
        self.text_tokens = 32 if arguments.quick else TEXT_TOKENS
        self.runs = [run for run in earlier if run["model"] == os.path.basename(model)]
        self.first_pair = 1 + max((run["pair"] for run in self.runs), default=-1)
        self.prompts, self.optimal_shares = {}, {}

    def run(self, cases):
        """All cases, disk by disk."""
        if not self.arguments.runs:
            return
        with contextlib.ExitStack() as stack:
            folder = self.arguments.prompts or stack.enter_context(
                tempfile.TemporaryDirectory(prefix="race-"))
            self.make_prompts(folder, {case.prompt for case in cases})
            for disk in ("", "disk", "throttled", "ram"):
                chosen = [case for case in cases if case.disk == disk]
                if chosen:
                    self.on_disk(disk, chosen)

    def make_prompts(self, folder, sizes):
        """Prompts of the model's own text, so that routing is that of text it would make."""
        stem = f"{folder}/{os.path.basename(self.model)}"
        source = f"{stem}-text"
        if not os.path.exists(source):
            text = self.ours.sampled_text(self.model, self.text_tokens)
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
        texts = self.ours.token_texts(self.model, source)
        for size in sizes:
            self.prompts[size] = f"{stem}-prompt-{size}"
            repeated = [texts[index % len(texts)] for index in range(size)]
            with open(self.prompts[size], "w", encoding="utf-8") as file:
                file.write("".join(repeated) or "The")

    def on_disk(self, disk, cases):
        """The cases of one disk: pairs in turn, each beginning with the other program."""
        with contextlib.ExitStack() as stack:
            model, rate = self.model, None
            try:
                if disk == "ram":
                    model = stack.enter_context(machine.ram_disk(model))
                    rate = self.arguments.ram_rate
                elif disk == "throttled":
                    rate = self.arguments.read_rate
                device = machine.Disk(model) if disk else None
            except machine.MachineError as error:
                return print(f"race: the cases of the disk '{disk}' are left out: {error}")
            for pair in range(self.first_pair, self.first_pair + self.arguments.runs):
                bandwidth = self.disk_rate(model, device, rate) if disk else None
                for case in cases:
                    programs = self.programs(case, model, device, rate)
                    for engine, action in programs if pair % 2 == 0 else programs[::-1]:
                        self.record(case, pair, engine, bandwidth, action)
        return None

    def disk_rate(self, model, device, rate):
        """Measured for every pair: disks that others share change within minutes."""
        machine.drop_page_cache()
        with machine.group(disks=[device], read_rate=rate) as group:
            found = self.ours.disk_rate(model, group, 0.3 if self.arguments.quick else 1.5)
        # A limit lets a first burst through, which no long run has anything of.
        return min(found, rate) if rate else found

    def programs(self, case, model, device, rate):
        """What runs in a pair: (name, action)."""
        if not case.percent:
            counts = (case.prompt, case.tokens)
            prompt = self.prompts[case.prompt]
            repacked = [
                (f"peer repack {value}",
                 lambda value=value: self.peer.in_memory(model, *counts, value))
                for value in (0, 1)]
            return [("ours", lambda: self.ours.in_memory(model, prompt, *counts)), *repacked]
        return [
            ("ours", lambda: self.ours_limited(case, model, device, rate)),
            ("peer", lambda: self.peer_limited(case, model, device, rate))]

    def limit(self, case):
        """Bytes of memory that a program may take."""
        return os.path.getsize(self.model) * case.percent // 100

    def ours_limited(self, case, model, device, rate):
        """Our budget is kept by the program itself."""
        machine.drop_page_cache()
        with machine.group(disks=[device], read_rate=rate) as group:
            return self.ours.limited(
                model, case, self.prompts[case.prompt], self.limit(case), group)

    def peer_limited(self, case, model, device, rate):
        """The peer's is kept by the kernel; a page cache that it fills counts."""
        machine.drop_page_cache()
        with device.read_ahead(PEER_READ_AHEAD), machine.group(
                memory=self.limit(case), disks=[device], read_rate=rate) as group:
            return self.peer.limited(model, case, self.prompts[case.prompt], group)

    def record(self, case, pair, engine, bandwidth, action):
        """Runs one program and writes its line."""
        start, blocks = time.monotonic(), read_blocks()
        entry = {
            "model": os.path.basename(self.model), "case": case.name, "pair": pair,
            "engine": engine, "limit_bytes": self.limit(case) if case.percent else "",
            "disk_bytes_per_second": bandwidth}
        try:
            entry.update(action())
            if engine == "ours" and case.percent:
                entry.update(self.bound(case, entry))
        except (engines.RunError, machine.MachineError) as error:
            entry["error"] = str(error)
        entry["seconds"] = round(time.monotonic() - start, 1)
        entry["disk_read_bytes"] = 512 * (read_blocks() - blocks)
        self.runs.append(entry)
        self.log(entry)

    def bound(self, case, entry):
        """What nothing that reads the same bytes on this disk and computes as we do can pass.

        A token takes no less than its computation with all experts in memory, and no less than
        the disk needs for the bytes that it missed; both can go on at the same time.
        """
        twin = f"memory-{case.name}" if case.phase == "prefill" else "memory-decode"
        compute = [run["rate"] for run in self.rates(twin, "ours")]
        least = 1 / statistics.median(compute) if compute else 0
        reading = entry["read_bytes_per_token"] / entry["disk_bytes_per_second"]
        seconds = max(reading, least)
        if not seconds:
            return {}
        bounds = {"bound": 1 / seconds, "bound_share": entry["rate"] * seconds}
        if case.phase == "decode":
            optimal = max(reading * self.optimal_share(case), least)
            bounds["optimal_bound"] = 1 / optimal if optimal else ""
        return bounds

    def optimal_share(self, case):
        """What of a case's misses the clairvoyant policy would have: the same for every pair."""
        if case.name not in self.optimal_shares:
            self.optimal_shares[case.name] = self.ours.optimal_share(
                self.model, case, self.prompts[case.prompt], self.limit(case))
        return self.optimal_shares[case.name]

    def rates(self, case, engine):
        """The runs of a case that ended well."""
        return [
            run for run in self.runs
            if run["case"] == case and run["engine"] == engine and run.get("rate")]


def read_blocks():
    """Blocks of 512 bytes that programs run from here have had read from disks."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock


def summary(values, places=2):
    """Median and range."""
    if not values:
        return "-"
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{places}f} ({low:.{places}f}-{high:.{places}f})"


def row(race, case):
    """One line of the table; of a peer's variants the faster one counts."""
    ours = race.rates(case.name, "ours")
    names = ["peer repack 0", "peer repack 1"] if not case.percent else ["peer"]
    variants = [[run["rate"] for run in race.rates(case.name, name)] for name in names]
    peer = max(variants, key=lambda rates: statistics.median(rates) if rates else 0)
    rates = [run["rate"] for run in ours]
    ratio = f"{statistics.median(rates) / statistics.median(peer):.2f}" if rates and peer else "-"
    bounds = [run["bound"] for run in ours if "bound" in run]
    optimal = [run["optimal_bound"] for run in ours if "optimal_bound" in run]
    shares = [100 * run["bound_share"] for run in ours if "bound_share" in run]
    disk = [run["disk_bytes_per_second"] / 1e6 for run in ours if run.get("disk_bytes_per_second")]
    read = [run["read_bytes_per_token"] / 1e6 for run in ours]
    return [
        case.name, str(min(len(rates), len(peer))), summary(rates), summary(peer), ratio,
        f"{statistics.median(read):.1f}" if read else "-",
        f"{statistics.median(disk):.0f}" if disk else "-",
        f"{statistics.median(bounds):.2f}" if bounds else "-",
        f"{statistics.median(shares):.0f} %" if shares else "-",
        f"{statistics.median(optimal):.2f}" if optimal else "-"]


def table(race, cases):
    """Aligned columns; speeds in tokens per second, disk in 10^6 bytes."""
    rows = [[
        "case", "pairs", "ours", "peer", "ratio", "MB/token", "disk MB/s", "bound", "reached",
        "Belady"]]
    rows += [row(race, case) for case in cases]
    widths = [max(len(line[index]) for line in rows) for index in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        for line in rows)


def parse():
    """The command line."""
    names = [case.name for case in all_cases()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="model.gguf", help="single GGUF files")
    parser.add_argument("--peer", required=True, help="folder of llama-bench, llama-completion")
    parser.add_argument("--ours", default=f"{REPOSITORY}/.build/release", help="our programs")
    parser.add_argument("--runs", type=int, default=5, help="pairs per case")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both programs")
    parser.add_argument(
        "--cases", default=",".join(names), help=f"names, or what several begin with: {', '.join(names)}")
    parser.add_argument(
        "--read-rate", type=float, default=float(os.environ.get("READ_BPS", "400e6")),
        help="bytes per second of the throttled disk (READ_BPS)")
    parser.add_argument(
        "--ram-rate", type=float, default=3e9, help="bytes per second of the RAM disk")
    parser.add_argument("--csv", default="race.csv", help="where every run goes")
    parser.add_argument(
        "--prompts", metavar="folder",
        help="keep the prompts that the model wrote here, and take them from here")
    parser.add_argument(
        "--resume", action="store_true",
        help="add pairs to those of the file given with --csv; --runs 0: only the table")
    parser.add_argument("--quick", action="store_true", help="few tokens, to see that it works")
    arguments = parser.parse_args()
    for folder, program in (
            (arguments.peer, "llama-bench"), (arguments.peer, "llama-completion"),
            (arguments.ours, "moe-run"), (arguments.ours, "moe-bench")):
        if not os.access(f"{folder}/{program}", os.X_OK):
            parser.error(f"no program {program} in '{folder}'")
    for model in arguments.models:
        if not os.path.isfile(model):
            parser.error(f"no model file '{model}'")
    if arguments.runs < (0 if arguments.resume else 1) or arguments.threads < 1:
        parser.error("--runs and --threads begin at 1")
    return parser, arguments


def chosen_cases(parser, arguments):
    """The cases that were asked for, in their own order."""
    wanted = [name for name in arguments.cases.split(",") if name]
    cases = []
    for name in wanted:
        found = [case for case in all_cases() if case.name == name]
        found = found or [case for case in all_cases() if case.name.startswith(name)]
        if not found:
            parser.error(f"no case is called '{name}'")
        cases += found
    cases = [case for case in all_cases() if case in cases]
    if os.geteuid() != 0 and any(case.percent for case in cases):
        parser.error("limits need the superuser; run it as root, or with --cases memory")
    return [quick(case) for case in cases] if arguments.quick else cases


def earlier_runs(path):
    """The runs that a file of an earlier race holds, as they were recorded."""
    texts = {"model", "case", "engine", "error"}
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for entry in rows:
        for field, text in entry.items():
            if field not in texts and text:
                entry[field] = int(text) if field == "pair" else float(text)
    return [{field: value for field, value in entry.items() if value != ""} for entry in rows]


def end_by_exception(number, _):
    """A signal unwinds the stack, so that every limit and mount is taken back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    """Races each model, prints its table, keeps every run."""
    parser, arguments = parse()
    cases = chosen_cases(parser, arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_by_exception)
    resumed = arguments.resume and os.path.exists(arguments.csv)
    earlier = earlier_runs(arguments.csv) if resumed else []
    with open(arguments.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(earlier)
        file.flush()

        def log(entry):
            writer.writerow(entry)
            file.flush()
            what = entry.get("error") or f"{entry['rate']:.2f} t/s"
            print(
                f"{entry['case']} {entry['pair'] + 1}: {entry['engine']}: {what} "
                f"({entry['seconds']} s)", file=sys.stderr)

        for model in arguments.models:
            race = Race(arguments, os.path.abspath(model), log, earlier)
            try:
                race.run(cases)
            except (engines.RunError, machine.MachineError) as error:
                sys.exit(f"race: {error}")
            finally:
                print(f"\n{os.path.basename(model)}\n{table(race, cases)}", flush=True)


if __name__ == "__main__":
    main()
