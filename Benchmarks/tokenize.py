#!/usr/bin/env python3
"""Times moe-bench's tokenizer and Hugging Face's `tokenizers` in turn, on one core, with one vocabulary.

Usage: tokenize.py VOCABULARY.gguf PRE-TOKENIZER TEXT [TEXT ...]   (needs the package `tokenizers`)

PRE-TOKENIZER is a name of Tests/Fixtures/pretokenizers/make_words.py, whose expressions the other
tokenizer is built with. Every text is encoded by both five times, every second time by the other one first;
the table has the median, the least and the greatest of the five. Speeds are comparable within a run only.
"""

import csv
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Fixtures", "pretokenizers"))
os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROUNDS = 5
SECONDS = 1


def vocabulary(path):
    """The tokens and merges of a GGUF file."""
    with open(path, "rb") as file:
        data = file.read()
    position = 24

    def take(form):
        nonlocal position
        value, = struct.unpack_from("<" + form, data, position)
        position += struct.calcsize("<" + form)
        return value

    def text():
        nonlocal position
        count = take("Q")
        position += count
        return data[position - count:position].decode("utf-8", "replace")

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            inner, count = take("I"), take("Q")
            return [value(inner) for _ in range(count)]
        return take({0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
                     12: "d"}[kind])

    metadata = {}
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        key = text()
        metadata[key] = value(take("I"))
    return metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.merges"]


def peer(path, name):
    import make_words
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    tokens, merges = vocabulary(path)
    ids = {}
    for index, token in enumerate(tokens):
        ids.setdefault(token, index)
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=pairs))
    steps = [pre_tokenizers.Split(Regex(text.replace("(?m)", "")), "isolated")
             for text in make_words.EXPRESSIONS[name]]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        steps + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


def peer_seconds(tokenizer, text):
    times = []
    tokenizer.encode(text)
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        tokenizer.encode(text)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def own_seconds(program, path, text):
    with tempfile.NamedTemporaryFile(suffix=".csv") as table:
        subprocess.run([program, "--filter", "tokenize/", "--seconds", str(SECONDS), "--threads", "1", "--tokenizer", path,
                        "--texts", text, "--csv", table.name], check=True, stdout=subprocess.DEVNULL)
        rows = list(csv.DictReader(open(table.name)))
    times = {row["benchmark"].rsplit("/", 1)[1]: float(row["median_ns"]) / 1e9 for row in rows}
    name = os.path.basename(text).rsplit(".", 1)[0]
    return times["load"], times[name]


def spread(values):
    return f"{statistics.median(values):6.2f} ({min(values):.2f}-{max(values):.2f})"


def compare(tokenizer, program, path, text):
    """Megabytes per second of both in each round, and milliseconds of loading."""
    content = open(text, encoding="utf-8").read()
    size = len(content.encode()) / 1e6
    own, other, loads = [], [], []
    for turn in range(ROUNDS):
        if turn % 2:
            other.append(size / peer_seconds(tokenizer, content))
        load, seconds = own_seconds(program, path, text)
        own.append(size / seconds)
        loads.append(load * 1e3)
        if not turn % 2:
            other.append(size / peer_seconds(tokenizer, content))
    return size, own, other, loads


def main():
    path, name, texts = sys.argv[1], sys.argv[2], sys.argv[3:]
    program = os.path.join(ROOT, ".build", "release", "moe-bench")
    # Whatever is started from here stays on the same core.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    tokenizer = peer(path, name)
    print(f"{'text':20} {'MB':>5} {'ours MB/s':>22} {'peer MB/s':>22} {'ratio':>20} {'load ms':>8}")
    for text in texts:
        size, own, other, loads = compare(tokenizer, program, path, text)
        ratios = [a / b for a, b in zip(own, other)]
        print(f"{os.path.basename(text):20} {size:5.2f} {spread(own):>22} {spread(other):>22}"
              f" {spread(ratios):>20} {statistics.median(loads):8.1f}")


if __name__ == "__main__":
    main()
