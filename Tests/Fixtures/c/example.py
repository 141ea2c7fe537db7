"""Continues a text: example.py LIBRARY MODEL TEXT. Python's own ctypes, and nothing else."""
import ctypes, json, sys
from ctypes import byref, c_char_p, c_int, c_size_t, c_void_p

class Piece(ctypes.Structure):
    _fields_ = [("kind", c_int), ("text", c_void_p), ("length", c_size_t)]

moe = ctypes.CDLL(sys.argv[1])
for name in ["moe_options_for_loading", "moe_options_for_text"]:
    getattr(moe, name).restype = c_void_p

def call(function, *arguments):
    message = c_char_p()
    status = function(*arguments, byref(message))
    if status > 1:  # neither MOE_OK nor MOE_END
        raise RuntimeError(message.value.decode())
    return status

engine, session, text = c_void_p(), c_void_p(), c_void_p(moe.moe_options_for_text())
for name, value in [(b"predict", b"40"), (b"temp", b"0")]:
    call(moe.moe_options_set, text, name, value)
call(moe.moe_engine_load, sys.argv[2].encode(), None, None, None, byref(engine))
call(moe.moe_session_create, engine, byref(session))
call(moe.moe_session_prompt, session, sys.argv[3].encode(), text)
print(sys.argv[3], end="")
piece, result = ctypes.POINTER(Piece)(), c_char_p()
while call(moe.moe_session_next, session, byref(piece)) == 0:
    print(ctypes.string_at(piece.contents.text, piece.contents.length).decode(), end="", flush=True)
call(moe.moe_session_statistics, session, byref(result))
print("\n" + str(json.loads(result.value)["generated_tokens"]), "tokens", file=sys.stderr)
moe.moe_string_free(result), moe.moe_session_free(session), moe.moe_engine_free(engine)
