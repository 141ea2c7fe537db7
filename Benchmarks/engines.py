"""Runs the two programs of a race and reads what they say of themselves."""

import csv
import json
import os
import random
import re
import subprocess
import tempfile

# Several times what a run takes; under a limit a program may never come to an end.
SECONDS_MAX = 240
# The model's own distribution: at a lower temperature texts repeat themselves, and so do experts.
SAMPLED = ["--temp", "1", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--seed", "1"]


class RunError(Exception):
    """A program that did not end well; one sentence."""


def run(command, group=None):
    """Runs a program to its end, inside a group; returns standard output and standard error."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, errors="replace", preexec_fn=group.enter if group else None)
    try:
        output, errors = process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise RunError(f"{name(command)} took more than {SECONDS_MAX} s") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        raise RunError(f"{name(command)} ended with {process.returncode}: {last[0]}")
    return output, errors


def report(command, flag, group=None):
    """Runs a program that writes a report to a file given with `flag`; returns its text."""
    return report_and_output(command, flag, group)[0]


def report_and_output(command, flag, group=None):
    """The same, and what the program wrote to standard output."""
    with tempfile.TemporaryDirectory(prefix="race-") as folder:
        path = f"{folder}/report"
        output, _ = run([*command, flag, path], group)
        with open(path, encoding="utf-8") as file:
            return file.read(), output


def new_seed():
    """Other places of a file for every run: a virtual machine's host caches what was read."""
    return str(random.getrandbits(63))


def name(command):
    """The program's name, for messages."""
    return os.path.basename(command[0])


class Ours:
    """moe-run and moe-bench, from the folder that they were built in."""

    def __init__(self, folder, threads):
        self.folder, self.threads = folder, threads

    def in_memory(self, model, prompt, prompt_tokens, tokens):
        """Prefill or decode with all experts in memory, in tokens per second."""
        text = report([
            f"{self.folder}/moe-run", "bench", model, "-f", prompt, "-p", str(prompt_tokens),
            "-n", str(tokens), "-r", "1", "-t", str(self.threads), "--placement", "resident",
            "-q"], "--json")
        row = json.loads(text)["rows"][0]
        return {
            "rate": row["median"], "prompt_tokens": prompt_tokens, "generated_tokens": tokens,
            "hit_rate": row["hit_rate"], "read_bytes_per_token": row["read_bytes_per_token"],
            "stall_share": row["stall_share"], "peak_bytes": row.get("peak_bytes")}

    def limited(self, model, case, prompt, limit, group):
        """A run in a memory budget of `limit` bytes."""
        command = self.limited_command(model, case, prompt, limit)
        statistics = json.loads(report(command, "--stats-json", group))
        phase, counts = case.phase, statistics["prompt_tokens"]
        if phase == "decode":
            counts = max(1, statistics["generated_tokens"] - 1)
        seconds = statistics[f"{phase}_seconds"]
        return {
            "rate": statistics[f"{phase}_tokens_per_second"],
            "prompt_tokens": statistics["prompt_tokens"],
            "generated_tokens": statistics["generated_tokens"],
            "hit_rate": statistics[f"{phase}_hit_rate"],
            "read_bytes_per_token": statistics[f"{phase}_read_bytes"] / max(1, counts),
            "stall_share": statistics[f"{phase}_stall_seconds"] / seconds if seconds else 0,
            "peak_bytes": statistics["peak_bytes"]}

    def limited_command(self, model, case, prompt, limit):
        """The same text in every budget."""
        return [
            f"{self.folder}/moe-run", model, "-f", prompt, "-n", str(case.tokens),
            "--ignore-eos", "-c", str(case.context), *SAMPLED, "-t", str(self.threads),
            "--memory", str(limit), "--no-warm-start", "-q"]

    def optimal_share(self, model, case, prompt, limit):
        """What of a run's misses the clairvoyant policy would have, each layer in an even share
        of the slots: by replay of the run's own routing."""
        with tempfile.TemporaryDirectory(prefix="race-") as folder:
            trace = f"{folder}/run.moetrace"
            run([*self.limited_command(model, case, prompt, limit), "--trace", trace])
            output, _ = run([
                f"{self.folder}/moe-run", "plan", model, "--memory", str(limit), "-c",
                str(case.context), "-t", str(self.threads), "--prompt-tokens",
                str(case.prompt + case.tokens), "--trace", trace, "--json"])
        prediction = json.loads(output)["prediction"]
        missed = 1 - prediction["decode"]["hit_rate"]
        return (1 - prediction["optimal_hit_rate"]) / missed if missed else 1

    def disk_rate(self, model, group, seconds=1.5):
        """Bytes per second that the disk delivers to direct reads of an expert's size."""
        text = report([
            f"{self.folder}/moe-bench", "--filter", "reads/", "--file", model, "--read-sizes",
            "1228K,4M", "--seconds", str(seconds), "--seed", new_seed()], "--csv", group)
        rows = list(csv.DictReader(text.splitlines()))
        return max(float(row["disk_bytes"]) / float(row["mean_ns"]) * 1e9 for row in rows)

    def sampled_text(self, model, tokens):
        """A text of the model's own, drawn at temperature 1."""
        return run([
            f"{self.folder}/moe-run", model, "-p", "The", "-n", str(tokens), "--ignore-eos",
            *SAMPLED, "-t", str(self.threads), "-q"])[0]

    def token_texts(self, model, path):
        """The texts of the tokens of a text file."""
        output, _ = run([f"{self.folder}/moe-run", "tokenize", model, "-f", path, "--json"])
        return [token["text"] for token in json.loads(output)["tokens"]]


class Peer:
    """llama.cpp's llama-bench and llama-completion, built elsewhere."""

    TIME = re.compile(r"(prompt eval|eval) time\s*=\s*([\d.]+) ms\s*/\s*(\d+)")

    def __init__(self, folder, threads):
        self.folder, self.threads = folder, threads

    def in_memory(self, model, prompt_tokens, tokens, repack):
        """The same with the file in the page cache, weights repacked or not."""
        output, _ = run([
            f"{self.folder}/llama-bench", "-m", model, "-p", str(prompt_tokens), "-n",
            str(tokens), "-t", str(self.threads), "-r", "1", "--repack", str(repack), "-o",
            "json"])
        return {
            "rate": json.loads(output)[0]["avg_ts"], "prompt_tokens": prompt_tokens,
            "generated_tokens": tokens}

    def limited(self, model, case, prompt, group):
        """A run that maps the file; the group holds it to the limit."""
        _, errors = run([
            f"{self.folder}/llama-completion", "-m", model, "-f", prompt, "-n", str(case.tokens),
            "-c", str(case.context), "-t", str(self.threads), "--seed", "1", "--temp", "1",
            "--samplers", "temperature", "--ignore-eos", "-no-cnv", "--no-repack", "--no-warmup"],
            group)
        times = {kind: (float(ms), int(count)) for kind, ms, count in self.TIME.findall(errors)}
        kind = "prompt eval" if case.phase == "prefill" else "eval"
        if kind not in times or not times[kind][0]:
            raise RunError("llama-completion gave no times")
        milliseconds, count = times[kind]
        return {
            "rate": count / milliseconds * 1e3, "prompt_tokens": times["prompt eval"][1],
            "generated_tokens": times["eval"][1] + 1 if "eval" in times else case.tokens}
