#!/usr/bin/env python3
"""Writes the table of Sources/CMoEKernels/quant/grids.c from the format definition in gguf-py.

    make_grids.py          prints the tables
    make_grids.py FILE     checks that FILE has them, number by number
"""
import re
import sys

from gguf import quants

NAMES = {"IQ2_XXS": 2, "IQ2_XS": 2, "IQ2_S": 2, "IQ3_XXS": 3, "IQ3_S": 3, "IQ1_S": 2}


def codes(name, bits):
    """The packed entries: element i of an entry is the number of its value, in bits i * bits on."""
    kind = getattr(quants, name)
    kind.init_grid()
    values = {float(v): i for i, v in enumerate(kind.grid_map)}
    entries = kind.grid.reshape(kind.grid_shape)
    return [sum(values[float(v)] << (bits * i) for i, v in enumerate(e)) for e in entries]


def table(name, bits):
    packed = [f"0x{code:04x}" for code in codes(name, bits)]
    lines = [packed[i : i + 12] for i in range(0, len(packed), 12)]
    body = "\n".join("    " + ", ".join(line) + "," for line in lines)
    return f"static const uint16_t {name.lower()}_codes[{len(packed)}] = {{\n{body}\n}};\n"


def found(text, name):
    body = re.search(name.lower() + r"_codes\[\d+\] = \{(.*?)\}", text, re.DOTALL)
    return [int(code, 16) for code in re.findall(r"0x[0-9a-f]+", body.group(1))] if body else []


if len(sys.argv) > 1:
    text = open(sys.argv[1]).read()
    wrong = [name for name, bits in NAMES.items() if found(text, name) != codes(name, bits)]
    print("differs: " + ", ".join(wrong) if wrong else "all tables are gguf-py's")
    sys.exit(bool(wrong))
print("\n".join(table(name, bits) for name, bits in NAMES.items()), end="")
