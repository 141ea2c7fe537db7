#!/usr/bin/env python3
"""Writes words.json: random texts, and the words that published expressions cut them into.

Usage: make_words.py OUT.json   (needs the package `regex`; README.md names the version)
"""

import json
import random
import sys
import unicodedata

import regex

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CAPITALS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PREFIX = r"[^\r\n\p{L}\p{N}]?"
SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"

# As published with the vocabularies: OpenAI's tiktoken (r50k, cl100k, o200k), the tokenizer.json of
# Llama 3 and GLM-4 (cl100k's expression), of Qwen2 and Qwen3.5.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SYMBOLS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
EXPRESSIONS = {
    "gpt-2": GPT2,
    "llama-bpe": CONTRACTIONS + "|" + PREFIX + r"\p{L}+|\p{N}{1,3}" + SYMBOLS + SPACES,
    "qwen2": CONTRACTIONS + "|" + PREFIX + r"\p{L}+|\p{N}" + SYMBOLS + SPACES,
    "qwen35": CONTRACTIONS + "|" + PREFIX + r"[\p{L}\p{M}]+|\p{N}"
              + r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + SPACES,
    "gpt-4o": PREFIX + CAPITALS + "*" + SMALL + "+" + CONTRACTIONS + "?"
              + "|" + PREFIX + CAPITALS + "+" + SMALL + "*" + CONTRACTIONS + "?"
              + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES,
}
EXPRESSIONS["glm4"] = EXPRESSIONS["dbrx"] = EXPRESSIONS["llama-bpe"]

# What the expressions treat differently: cases, letters without case, marks, title case, digits of
# several scripts, white space, line breaks, apostrophes, slashes, punctuation, symbols, emoji.
PIECES = [
    "a", "b", "ab", "A", "AB", "aB", "Ab", "é", "É", "ß", "ø", "Ø", "я", "Я", "ж", "Ж", "ǅ", "ʰ",
    "ª", "中", "文字", "한글", "ا", "ب", "न", "ि", "ा", "\u0301", "\u0308", "\u20dd", "e\u0301",
    "E\u0301", "1", "12", "1234", "٣", "Ⅷ", "²", "½", "𝟘", "𝓗", "𝓱", " ", "  ", "   ", "\t", "\n",
    "\r\n", "\n\n", "\r", "\u0085", "\u00a0", "\u2003", "\u3000", "\u200b", "'", "''", "'s", "'S",
    "'re", "'RE", "'Ll", "'v", "'x", "’s", "/", "//", "\n/", "./", ".", "...", "!", "_", "-", "(",
    ")", "{", "$", "+", "=", "<", ">", "|", "~", "`", "^", "©", "€", "👍🏽", "🇩🇪", "\u0000", "\u001c",
]


def random_text(random_source):
    parts = []
    for _ in range(random_source.randrange(1, 40)):
        if random_source.random() < 0.15:
            # Letters are scarce among all code points, so take half from the first few thousand.
            code = random_source.randrange(0x3000 if random_source.random() < 0.5 else 0x20000)
            # Characters that Unicode assigned later are of no class in one library and of some in
            # another; the long s is an s where cases are ignored in all of Unicode.
            if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co") and code != 0x17F:
                parts.append(chr(code))
        else:
            parts.append(random_source.choice(PIECES))
    return "".join(parts)


def main():
    random_source = random.Random(20240513)
    compiled = {name: regex.compile(text) for name, text in EXPRESSIONS.items()}
    texts = [random_text(random_source) for _ in range(400)]
    words = {}
    for name, expression in compiled.items():
        words[name] = []
        for text in texts:
            parts = [match.group() for match in expression.finditer(text)]
            assert "".join(parts) == text
            words[name].append([len(part.encode()) for part in parts])
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        content = {"texts": texts, "wordByteCounts": words}
        json.dump(content, file, separators=(",", ":"), sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    main()
