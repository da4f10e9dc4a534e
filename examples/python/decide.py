"""The same as ../c/decide.c, from Python, with nothing but ctypes:

    python3 decide.py policy.toml GET shop.example.com /orders/7

`LUIGI_LIBRARY` names the library if it is not where the system looks. The structs are those of luigi.h, member by member.
"""

import ctypes
import os
import sys
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p, sizeof

ABI_VERSION = 3
MODE_ENFORCE = 2
UPGRADE_NO = 1
PASS = 1
NAME = c_char * 72


class Text(Structure):
    _fields_ = [("data", c_char_p), ("length", c_size_t)]

    @classmethod
    def of(cls, text):
        return cls(text.encode(), len(text.encode()))


class String(Structure):
    _fields_ = [("data", c_void_p), ("length", c_size_t), ("id", c_uint64)]

    def text(self):
        return ctypes.string_at(self.data, self.length).decode() if self.data else ""


class Handle(Structure):
    _fields_ = [("id", c_uint64)]


class Sized(Structure):
    def __init__(self, **members):
        super().__init__(struct_size=sizeof(type(self)), **members)


class Error(Sized):
    _fields_ = [("struct_size", c_size_t), ("status", c_int32), ("message", String), ("diagnostics", String)]


class EngineOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t), ("policy", Text), ("feed", Text), ("public_key", Text), ("environment", Text), ("keys", c_void_p), ("key_count", c_size_t),
        ("mode", c_int32), ("stale_after_seconds", c_uint32), ("log", c_void_p), ("log_data", c_void_p), ("record", c_void_p), ("record_data", c_void_p),
        ("spool", Text), ("spool_limit_bytes", c_uint64), ("node", Text),
    ]


class Request(Sized):
    _fields_ = [
        ("struct_size", c_size_t), ("method", Text), ("target", Text), ("host", Text), ("source", Text), ("authorization", Text), ("headers", c_void_p),
        ("header_count", c_size_t), ("facts", c_void_p), ("fact_count", c_size_t), ("certificate", c_void_p), ("frontend", Text), ("identity", Handle), ("upgrade", c_int32),
        ("time", c_int64), ("path", c_void_p), ("path_size", c_size_t),
    ]


class Missing(Structure):
    _fields_ = [("scope", NAME), ("approval", NAME)]


class Decision(Sized):
    _fields_ = [
        ("struct_size", c_size_t), ("decision", c_int32), ("outcome", c_int32), ("status", c_int32), ("reason", c_int32), ("advice", c_int32),
        ("http_status", c_int32), ("candidate_decision", c_int32), ("candidate_reason", c_int32), ("mode", c_int32), ("credential", c_int32),
        ("privileged", c_int32), ("path_rewritten", c_int32), ("path_length", c_size_t), ("time", c_int64), ("tunnel_seconds", c_int64),
        ("generation", c_uint64), ("evaluation_id", c_uint8 * 16), ("revision", c_char * 65), ("rule", NAME), ("scope", NAME), ("restricted_by", NAME),
        ("candidate_rule", NAME), ("advice_rule", NAME), ("login", NAME), ("grant", NAME), ("detail", NAME), ("missing_count", c_size_t),
        ("missing", Missing * 8),
    ]


def load():
    luigi = ctypes.CDLL(os.environ.get("LUIGI_LIBRARY", "libluigi.so.0.3"))
    luigi.luigi_abi_version.restype = c_uint32
    if luigi.luigi_abi_version() != ABI_VERSION:
        raise RuntimeError(f"libluigi has version {luigi.luigi_abi_version()} of the ABI, and this program is for {ABI_VERSION}")
    luigi.luigi_status_name.restype = luigi.luigi_reason_name.restype = c_char_p
    luigi.luigi_engine_open.argtypes = [POINTER(EngineOptions), POINTER(Handle), POINTER(Error)]
    luigi.luigi_error_free.argtypes = [POINTER(Error)]
    luigi.luigi_context_open.argtypes = [Handle, POINTER(Handle)]
    luigi.luigi_decide.argtypes = [Handle, POINTER(Request), POINTER(Decision)]
    luigi.luigi_context_close.argtypes = luigi.luigi_engine_close.argtypes = [Handle]
    return luigi


def main(words):
    if len(words) != 4:
        raise RuntimeError("usage: decide.py POLICY METHOD HOST TARGET")
    policy, method, host, target = map(Text.of, words)
    luigi = load()
    engine, context, error = Handle(), Handle(), Error()
    if luigi.luigi_engine_open(EngineOptions(policy=policy, mode=MODE_ENFORCE), byref(engine), byref(error)):
        why = error.message.text()
        luigi.luigi_error_free(byref(error))
        raise RuntimeError(why)
    luigi.luigi_context_open(engine, byref(context))
    decision = Decision()
    status = luigi.luigi_decide(context, Request(method=method, host=host, target=target, upgrade=UPGRADE_NO), byref(decision))
    luigi.luigi_context_close(context)
    luigi.luigi_engine_close(engine)
    if status:
        raise RuntimeError("cannot decide: " + luigi.luigi_status_name(status).decode())
    passes = decision.outcome == PASS
    said = ["pass:" if passes else "refuse:", luigi.luigi_reason_name(decision.reason).decode(), decision.rule.decode()]
    print(" ".join(filter(None, said)))
    return 0 if passes else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
