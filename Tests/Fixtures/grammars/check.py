"""Judges texts by JSON schemas and by regular expressions, for the tests of MoEGrammar.

Reads one JSON object a line from standard input:
  {"schema": …, "text": "…"}     is the text JSON that is valid by the schema, formats included?
                                 With "checksSchema": true the schema is checked too.
  {"pattern": "…", "text": "…"}  is the expression found in the text?
and writes "valid", "invalid: why" or "broken: why" (a schema that is none) for each.
"""

import json
import re
import sys

import jsonschema

VALIDATOR = jsonschema.Draft202012Validator
validators = {}


def validator(schema, checks_schema):
    key = json.dumps(schema, sort_keys=False)
    if key not in validators:
        if checks_schema:
            VALIDATOR.check_schema(schema)
        validators[key] = VALIDATOR(schema, format_checker=VALIDATOR.FORMAT_CHECKER)
    return validators[key]


def answer(case):
    if "pattern" in case:
        return "valid" if re.search(case["pattern"], case["text"]) else "invalid: not found"
    try:
        value = json.loads(case["text"])
    except ValueError as error:
        return f"invalid: not JSON ({error})"
    try:
        judge = validator(case["schema"], case["checksSchema"])
        error = next(judge.iter_errors(value), None)
    except Exception as error:  # A broken schema is the test's own fault: say so.
        return f"broken: {type(error).__name__} {error}"
    return "valid" if error is None else f"invalid: {error.message}"


for line in sys.stdin:
    print(answer(json.loads(line)).replace("\n", " ")[:300])
