#!/usr/bin/env python3
"""Verifies an audit ledger of Luigi's: the database, or files that entries were exported to, oldest first.

    verify-ledger.py LEDGER.db|EXPORT.jsonl... [--checkpoints FILE]

A second implementation of docs/LEDGER.md with Python's own library, for people who want to see for themselves. Checkpoints are compared; their
signatures are left to `luigi audit verify`, or to any program that knows Ed25519.
"""

import hashlib
import json
import re
import sqlite3
import sys
from pathlib import Path


def next_hash(previous, body):
    return hashlib.sha256(b"luigi-ledger/1\n" + previous + body).digest()


def entries_of_database(path):
    """What the chain begins behind (sequence, hash), and each row: sequence, body, hash, columns."""
    database = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
    begin = database.execute("SELECT last, head FROM retired ORDER BY first DESC LIMIT 1").fetchone() or (0, bytes(32))
    rows = database.execute("SELECT sequence, CAST(body AS BLOB), hash, time, kind, evaluation, request, grant_id FROM entries ORDER BY sequence")
    return begin, ((sequence, body, hash, columns) for sequence, body, hash, *columns in rows)


def entries_of_export(path):
    lines = Path(path).read_bytes().split(b"\n")[:-1]
    head = json.loads(lines[0])["luigi-ledger"]
    begin = (head["first"] - 1, bytes.fromhex(head["previous"]))

    def rows():
        line = b""
        for sequence, line in enumerate(lines[1:], head["first"]):
            # {"body":BODY,"hash":"64 hex digits"}
            yield sequence, line[8:-75], bytes.fromhex(line[-66:-2].decode()), None
        if len(lines) - 1 != head["last"] - head["first"] + 1 or line[-66:-2].decode() != head["head"]:
            yield head["last"], b"{}", b"", None

    return begin, rows()


# The head, the key, the ledger, the sequence, the hash, the time, the signature.
CHECKPOINT = re.compile(r"luigi-checkpoint 1 ed25519 [0-9a-f]{16} [0-9a-f]{32} ([0-9]{1,19}) ([0-9a-f]{64}) [^ ]+ [A-Za-z0-9_-]{86}", re.ASCII)


def read_checkpoints(path):
    """The hashes that there are checkpoints of, by sequence, and whether a line of the file is damaged."""
    checkpoints, damaged = {}, False
    *whole, last = Path(path).read_bytes().decode(errors="replace").split("\n")
    for number, line in enumerate([*whole, last.rstrip("\0") if last.strip() else ""], 1):
        if found := CHECKPOINT.fullmatch(line.strip()):
            checkpoints.setdefault(int(found[1]), set()).add(bytes.fromhex(found[2]))
        elif number > len(whole) and last.strip() and is_torn(line):
            print(f"{path}, line {number}: left out, it was not written to its end")
        elif line.strip():
            print(f"{path}, line {number}: damaged, it is no checkpoint of format 1")
            damaged = True
    return checkpoints, damaged


def is_torn(line):
    """Whether this is the beginning of a checkpoint, which a crash leaves at the end of a file."""
    words = line.split(" ")
    whole = "luigi-checkpoint 1 ed25519".split(" ")
    return "luigi-checkpoint 1 ed25519 ".startswith(line) or words[:3] == whole and (len(words) < 9 or len(words) == 9 and len(words[8]) < 86)


def verify(begin, rows, checkpoints, retired):
    """What is wrong, if anything; up to where the chain was followed, and the hash there."""
    sequence, previous = begin
    if checkpoints.pop(sequence, {previous}) != {previous}:
        return f"broken at {sequence}: another hash than in the checkpoint", sequence, previous
    for number, body, hash, columns in rows:
        sequence += 1
        if number != sequence:
            return f"broken at {sequence}: it is missing", sequence, previous
        if next_hash(previous, body) != hash:
            return f"broken at {sequence}: hash", sequence, previous
        said = json.loads(body)
        if said["sequence"] != sequence:
            return f"broken at {sequence}: the body is that of {said['sequence']}", sequence, previous
        event = said["event"]
        if columns is not None and columns != [said["time"], said["kind"], event.get("evaluation"), event.get("request"), event.get("grant")]:
            return f"broken at {sequence}: a column differs from the body", sequence, previous
        if checkpoints.pop(sequence, {hash}) != {hash}:
            return f"broken at {sequence}: another hash than in the checkpoint", sequence, previous
        if said["kind"] == "retired" and (event["last"], bytes.fromhex(event["head"])) == begin:
            retired = False
        previous = hash
    if retired:
        return f"broken at {begin[0] + 1}: no entry says that what stood before it was retired", sequence, previous
    return (f"broken at {begin[0] + 1}: there are no entries" if sequence == begin[0] else None), sequence, previous


def main(arguments):
    checkpoints, damaged = {}, False
    if "--checkpoints" in arguments:
        at = arguments.index("--checkpoints")
        checkpoints, damaged = read_checkpoints(arguments[at + 1])
        del arguments[at : at + 2]
    if not arguments:
        sys.exit("name a ledger, or files of retired entries and the ledger behind them")
    end = None
    for path in arguments:
        exported = path.endswith(".jsonl")
        begin, rows = (entries_of_export if exported else entries_of_database)(path)
        if end is not None and begin != end:
            sys.exit(f"{path}: broken at {begin[0] + 1}: it does not follow the file before")
        problem, *end = verify(begin, rows, checkpoints, retired=begin[0] > 0 and not exported)
        end = tuple(end)
        if problem:
            sys.exit(f"{path}: {problem}")
        print(f"{path}: consistent, entries {begin[0] + 1} to {end[0]}, head {end[1].hex()}")
    if any(sequence > end[0] for sequence in checkpoints):
        sys.exit(f"broken at {end[0] + 1}: it is missing, a checkpoint goes further")
    if damaged:
        sys.exit("checkpoints are damaged")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, sqlite3.DatabaseError, LookupError, ValueError) as error:
        sys.exit(f"broken: it cannot be read: {error!r}")
