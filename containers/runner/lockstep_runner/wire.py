"""Lines to requests and messages to lines. No IO: the caller owns the file descriptors."""

import json
import math
import re

PROTOCOL = 1
MAX_LINE_BYTES = 4 << 20

PHASES = ("prefill", "kv_decode", "e2e_kv")
STAGES = ("host", "before_imports", "after_imports", "after_warmup", "at_exit")

U32 = (1 << 32) - 1
U64 = (1 << 64) - 1
SHOWN = 64


class WireError(Exception):
    """The supervisor broke the wire."""


def encode(message):
    """A message as one line of bytes, newline included."""
    try:
        line = json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except ValueError as error:
        raise WireError("cannot encode a message: %s; numbers on the wire are finite" % error) from error
    if len(line) > MAX_LINE_BYTES:
        raise WireError("a message of %d bytes is longer than %d" % (len(line), MAX_LINE_BYTES))
    return line


class LineDecoder:
    """Takes bytes in any cut, gives requests; keeps at most MAX_LINE_BYTES of an unfinished line."""

    def __init__(self):
        self._partial = bytearray()
        self._dropping = False
        self._line = 1

    def push(self, data):
        """The requests (dicts) and errors (WireError instances) that these bytes complete, in order."""
        found = []
        start = 0
        while True:
            end = data.find(b"\n", start)
            self._extend(data[start : end if end >= 0 else len(data)], found)
            if end < 0:
                return found
            if self._dropping:
                self._dropping = False
            else:
                try:
                    found.append(decode(bytes(self._partial)))
                except WireError as error:
                    found.append(WireError("line %d %s" % (self._line, error)))
            self._partial.clear()
            self._line += 1
            start = end + 1

    def _extend(self, piece, found):
        if self._dropping:
            return
        if len(self._partial) + len(piece) >= MAX_LINE_BYTES:
            found.append(WireError("line %d has more than %d bytes" % (self._line, MAX_LINE_BYTES)))
            self._partial.clear()
            self._dropping = True
            return
        self._partial += piece


def decode(line):
    """One line without its newline, as a checked request."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("is not UTF-8 from byte %d: %s" % (error.start + 1, _excerpt(line, error.start))) from error
    try:
        message = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole_number, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        shown = _excerpt(text, error.pos)
        raise WireError("is not JSON at column %d (%s): %s" % (error.colno, error.msg, shown)) from error
    except (ValueError, RecursionError) as error:
        raise WireError("is not JSON (%s): %s" % (error, _excerpt(text, 0))) from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise WireError("is no message: expected an object with a text `type`, found %s" % _excerpt(text, 0))
    return _check(message)


def _excerpt(found, at):
    piece = repr(found[max(0, at - SHOWN // 4) : at + SHOWN])
    return piece if len(piece) <= 4 * SHOWN else piece[: 4 * SHOWN] + "..."


def _refuse_constant(name):
    raise ValueError("%s is no JSON number" % name)


def _whole_number(digits):
    # Minus zero is a number, and no whole one; what is longer is none that a field could hold.
    return int(digits) if len(digits) <= 20 and digits != "-0" else float(digits)


def _object(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object repeats a key")
    return found


def _check(message):
    tag = message["type"]
    if tag not in REQUESTS:
        raise WireError("has an unknown message type %s%s" % (_excerpt(tag, 0), _hint(tag, REQUESTS)))
    if tag == "hello" and _whole(U64)(message.get("protocol")) and message["protocol"] != PROTOCOL:
        raise WireError("speaks wire protocol %d, this runner %d" % (message["protocol"], PROTOCOL))
    try:
        _fields({"type": _text, **REQUESTS[tag]}, message, "")
    except WireError as error:
        raise WireError("is no proper `%s`: %s" % (tag, error)) from error
    return message


def _hint(name, known):
    import difflib  # needed only where something is wrong already

    near = difflib.get_close_matches(name[:SHOWN], list(known), 1)
    return " (did you mean `%s`?)" % near[0] if near else ""


def _fields(known, found, path):
    """Checks an object: every known field there (unless optional) and proper, and no other."""
    for name in found:
        if name not in known:
            raise WireError("unknown field %s%s" % (_excerpt(path + name, 0), _hint(name, known)))
    for name, check in known.items():
        if name not in found:
            if isinstance(check, _Optional):
                continue
            raise WireError("field `%s%s` is missing" % (path, name))
        if isinstance(check, _Optional):
            check = check.check
        if isinstance(check, dict):
            if not isinstance(found[name], dict):
                raise WireError("field `%s%s` is no object" % (path, name))
            _fields(check, found[name], "%s%s." % (path, name))
        elif check(found[name]) is False:
            raise WireError("field `%s%s` is %s" % (path, name, _excerpt(repr(found[name]), 0)))


class _Optional:
    def __init__(self, check):
        self.check = check


def _whole(limit):
    return lambda value: type(value) is int and 0 <= value <= limit


def _text(value):
    # JSON can spell half of a surrogate pair, which is no text.
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _one_of(names):
    return lambda value: isinstance(value, str) and value in names


def _flag(value):
    return isinstance(value, bool)


def _number(value):
    return type(value) in (int, float) and math.isfinite(value)


def _cell(value):
    return isinstance(value, str) and re.fullmatch(r"/?[0-9a-f]{8}", value) is not None


def _axes(value):
    return isinstance(value, dict) and all(map(_text, value)) and all(map(_text, value.values()))


def _tokens(value):
    return isinstance(value, list) and all(map(_whole(U32), value))


def _sampling(value):
    if not isinstance(value, dict) or value.get("kind") not in SAMPLING:
        return False
    _fields(SAMPLING[value["kind"]], value, "work.sampling.")
    return True


SAMPLING = {
    "greedy": {"kind": _text},
    "seeded": {
        "kind": _text,
        "seed": _whole(U64),
        "temperature": _number,
        "top_k": _Optional(_whole(U32)),
        "top_p": _Optional(_number),
    },
}

WORK = {
    "phase": _one_of(PHASES),
    "prompt": _tokens,
    "new_tokens": _whole(U32),
    "sampling": _sampling,
    "ignore_eos": _flag,
    "axes": _Optional(_axes),
}

REQUESTS = {
    "hello": {"protocol": _whole(U32)},
    "preflight": {"stage": _one_of(STAGES)},
    "load": {"model_dir": _text, "axes": _axes, "max_positions": _whole(U32)},
    "run": {"id": _whole(U64), "cell": _cell, "warmup": _flag, "work": WORK, "slowdown_pct": _Optional(_number)},
    "bye": {},
}
