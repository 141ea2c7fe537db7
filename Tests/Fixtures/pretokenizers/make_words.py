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
# Llama 3 and GLM-4 (cl100k's expression), Qwen, Mistral, DeepSeek, Granite, Ling, EXAONE, Trinity, Youtu, Seed-Coder,
# BLOOM and Falcon, and the sources of Kimi's tokenizer. Several are applied one after the other.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SYMBOLS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
CL100K = CONTRACTIONS + "|" + PREFIX + r"\p{L}+|\p{N}{1,3}" + SYMBOLS + SPACES
SLASHES = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES


def cased(ending, upper=CAPITALS, lower=SMALL):
    return (PREFIX + upper + "*" + lower + "+" + ending + "|" + PREFIX + upper + "+" + lower + "*" + ending)


HAN_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
HAN_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
DEEPSEEK_WORDS = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
                  r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*" + SPACES)
DEEPSEEK_LETTERS = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕ"
    "ἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿ"
    "ⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃")
EXPRESSIONS = {
    "gpt-2": [GPT2],
    "llama-bpe": [CL100K], "dbrx": [CL100K], "glm4": [CL100K],
    "qwen2": [CONTRACTIONS + "|" + PREFIX + r"\p{L}+|\p{N}" + SYMBOLS + SPACES],
    "ufakzeka": [PREFIX + r"\p{L}+|\p{N}" + SYMBOLS + SPACES],
    "qwen35": [CONTRACTIONS + "|" + PREFIX + r"[\p{L}\p{M}]+|\p{N}"
               + r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + SPACES],
    "gpt-4o": [cased(CONTRACTIONS + "?") + r"|\p{N}{1,3}" + SLASHES],
    "tekken": [cased("") + r"|\p{N}" + SLASHES],
    "kimi-k2": [r"[\p{Han}]+|" + cased(CONTRACTIONS + "?", HAN_UPPER, HAN_LOWER) + r"|\p{N}{1,3}"
                + SYMBOLS + SPACES],
    "deepseek-v3": [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK_WORDS],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥\u0800-一가-\ud7ff]+", r"\p{N}"],
    "deepseek-llm": [r"[\r\n]", r"\s?[" + DEEPSEEK_LETTERS + "]+", r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+",
                     r"(?m)\s+$", "[一-龥\u0800-一가-\ud7ff]+", r"\p{N}"],
    "refact": [r"\p{N}", GPT2],
    "bailingmoe": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}"
                   r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"],
    "seed-coder": [CONTRACTIONS + "|" + PREFIX + r"\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+" + SPACES],
    "exaone-moe": [CONTRACTIONS + "|" + PREFIX + r"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"
                   r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"],
    "afmoe": [r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
              "[一-鿿㐀-䶿\uf900-\ufaff\u3040-ゟ゠-ヿ･-ﾟ\u2f00-\u2fdfเ-\u0e7f\u0e80-\u0effក-\u17ff"
              "က-႟ꩠ-ꩿꧠ-\ua9ff가-\ud7afᄀ-ᇿ]+", DEEPSEEK_WORDS],
    "youtu": ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+",
              cased(CONTRACTIONS + "?") + r"|\p{N}" + SLASHES],
    "bloom": [r" ?[^(\s|.,!?…。，、।۔،)]+"],
    "viking": [r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
}

# What the expressions treat differently: cases, letters without case, marks, title case, digits of
# several scripts, white space, line breaks, apostrophes, slashes, punctuation, symbols, emoji.
PIECES = [
    "a", "b", "ab", "A", "AB", "aB", "Ab", "é", "É", "ß", "ø", "Ø", "я", "Я", "ж", "Ж", "ǅ", "ʰ",
    "ª", "中", "文字", "々", "ひら", "カナ", "，", "。", "한글", "ا", "ب", "न", "ि", "ा", "\u0301", "\u0308", "\u20dd", "e\u0301",
    "E\u0301", "1", "12", "1234", "1234567", "٣", "Ⅷ", "²", "½", "𝟘", "𝓗", "𝓱", " ", "  ", "   ", "\t", "\n",
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


def split(text, expression):
    """The matches of an expression in a text, and what lies between them."""
    end = 0
    for match in expression.finditer(text):
        if match.start() > end:
            yield text[end:match.start()]
        yield match.group()
        end = match.end()
    if end < len(text):
        yield text[end:]


def main():
    random_source = random.Random(20240513)
    texts = [random_text(random_source) for _ in range(400)]
    words = {}
    for name, expressions in EXPRESSIONS.items():
        compiled = [regex.compile(text, regex.VERSION1) for text in expressions]
        words[name] = []
        for text in texts:
            parts = [text]
            for expression in compiled:
                parts = [part for piece in parts for part in split(piece, expression)]
            assert "".join(parts) == text
            words[name].append([len(part.encode()) for part in parts])
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        content = {"texts": texts, "wordByteCounts": words}
        json.dump(content, file, separators=(",", ":"), sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    main()
