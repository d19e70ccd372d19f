"""Ways to damage a file: its bytes, its structure, the values in it, and the file itself. The same number, the same."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import shutil
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pydicom

from tests.hostile.seeds import Seed

ODD_NUMBERS = (0, -1, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 10**30, 0.5, -0.0, 1e308)
ODD_TEXTS = (
    *("", " ", ".", "..", "../../escaped", "/escaped", "a/b", "a\\b", "C:\\escaped", "~/escaped", "x\0y", "two\nlines"),
    *("\x1b[31mred", "=1+1", "-9" * 60, "9" * 5000, "nan", "inf", "-1", "1e400", "é" * 300, "\u202e", "%s%n", "${x}"),
    *("$__import__('os').system('true')", "@device", "%training", "<script>alert(1)</script>", "{{7*7}}", "\ud800"),
)
ODD_VALUES: tuple[Any, ...] = (None, True, [], {}, [[]], {"a": 1}, [None] * 4, float("nan"), float("inf"))
WORDS = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x60\xea", b"\xea\x60")

Mutation = Callable[[bytes, random.Random], bytes]


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        place = _place(changed, rng)
        changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_bytes(content: bytes, rng: random.Random) -> bytes:
    place, word = _place(content, rng), rng.choice((*WORDS, rng.randbytes(rng.choice((1, 2, 4, 8)))))
    return content[:place] + word + content[place + len(word) :]


def truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: _place(content, rng)]


def remove_block(content: bytes, rng: random.Random) -> bytes:
    place = _place(content, rng)
    return content[:place] + content[place + rng.choice((1, 2, 4, 16, 256, 4096)) :]


def double_block(content: bytes, rng: random.Random) -> bytes:
    place, length = _place(content, rng), rng.choice((1, 4, 16, 256, 4096))
    return content[:place] + content[place : place + length] * rng.choice((2, 2, 3, 100)) + content[place + length :]


def swap_blocks(content: bytes, rng: random.Random) -> bytes:
    length = rng.choice((1, 2, 4, 16, 64))
    a, b = sorted((_place(content, rng), _place(content, rng)))
    if a + length > b:
        return content[::-1]
    return (
        content[:a]
        + content[b : b + length]
        + content[a + length : b]
        + content[a : a + length]
        + content[b + length :]
    )


def append(content: bytes, rng: random.Random) -> bytes:
    return content + rng.choice((bytes(4096), b"\xff" * 4096, content, rng.randbytes(1000), b"\n" * 5000))


def change_number(content: bytes, rng: random.Random) -> bytes:
    """Another number in a text, or in the text at the start of a binary file."""
    numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", content[:100_000]))
    if not numbers:
        return flip_bits(content, rng)
    match = rng.choice(numbers[:40] if rng.random() < 0.5 else numbers)
    value = rng.choice((*(str(number).encode() for number in ODD_NUMBERS), b"nan", b"60000", b"60000 60000", b"x", b""))
    return content[: match.start()] + value + content[match.end() :]


def repeat_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    place = rng.randrange(len(lines))
    return b"".join([*lines[:place], *[lines[place]] * rng.choice((0, 2, 50)), *lines[place + 1 :]])


def swap_lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def change_json(content: bytes, rng: random.Random) -> bytes:
    """A value of the wrong kind, a name that is gone or is new, a list that is long, or nesting."""
    tree = json.loads(content)
    parents = [(parent, key) for parent, key in _nodes(tree)]
    for _ in range(rng.choice((1, 1, 3))):
        parent, key = rng.choice(parents)
        try:
            _change(parent, key, rng)
        except (KeyError, IndexError):
            continue
    if rng.random() < 0.05:
        return b"[" * 100_000 + json.dumps(tree).encode() + b"]" * 100_000
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def _change(parent: Any, key: Any, rng: random.Random) -> None:
    kind = rng.randrange(6)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[rng.choice(ODD_TEXTS)] = parent.pop(key)
    elif kind == 2 and isinstance(parent[key], list):
        parent[key] = parent[key] * rng.choice((0, 2, 20))
    else:
        parent[key] = rng.choice(rng.choice((ODD_VALUES, ODD_NUMBERS, ODD_TEXTS)))


def _nodes(tree: Any) -> list[tuple[Any, Any]]:
    nodes, left = [], [tree]
    while left:
        node = left.pop()
        for key in node if isinstance(node, dict) else range(len(node)):
            nodes.append((node, key))
            if isinstance(node[key], (dict, list)):
                left.append(node[key])
    return nodes


def change_cells(content: bytes, rng: random.Random) -> bytes:
    """Odd cells, rows of another length, headings that are gone or stand twice."""
    text = content.decode()
    delimiter = ";" if text.count(";") > text.count(",") else ","
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    for _ in range(rng.choice((1, 1, 3))):
        row = rng.choice(rows[:1] if rng.random() < 0.2 else rows)
        if not row:
            continue
        place = rng.randrange(len(row))
        kind = rng.randrange(6)
        if kind == 0:
            del row[place]
        elif kind == 1:
            row[place:place] = [row[place]] * rng.choice((1, 1, 1000))
        elif kind == 2:
            row[place] = str(rng.choice((*ODD_NUMBERS, "x" * 200_000)))
        else:
            row[place] = rng.choice(ODD_TEXTS)
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode("utf-8", rng.choice(("surrogatepass", "replace")))


def change_xml(content: bytes, rng: random.Random) -> bytes:
    """Elements that are gone, doubled or renamed, odd texts in them, entities and depth."""
    kind = rng.randrange(8)
    elements = list(re.finditer(rb"<(\w+)>([^<]*)</\1>", content))
    match = rng.choice(elements)
    if kind == 0:
        return content[: match.start()] + content[match.end() :]
    if kind == 1:
        return content[: match.end()] + match[0] * rng.choice((1, 1000)) + content[match.end() :]
    if kind == 2:
        tag = rng.choice((b"integer", b"real", b"string", b"data", b"date", b"true", b"array", b"dict", b"key"))
        return content[: match.start()] + b"<%s>%s</%s>" % (tag, match[2], tag) + content[match.end() :]
    if kind == 3:
        depth = 20_000
        return content[: match.start()] + b"<array>" * depth + b"</array>" * depth + content[match.end() :]
    if kind == 4:
        entities = b"".join(
            b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"ha" * 100) for n in range(12)
        )
        return content.replace(b"<plist", b"<!DOCTYPE x [" + entities + b"]><plist", 1).replace(match[2], b"&e11;")
    if kind == 5:
        entity = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
        return content.replace(b"<plist", entity + b"<plist", 1).replace(match[2], b"&e;")
    odd = rng.choice(
        (*ODD_TEXTS, "(1, 2", "(" + "1" * 50_000 + "x", "(1e308, 1e308)", "(-1e9, 5)", "(nan, 1)", "(1,2,3)")
    )
    text = odd.encode("utf-8", "replace").replace(b"&", b"&amp;").replace(b"<", b"&lt;")
    return content[: match.start(2)] + text + content[match.end(2) :]


BYTES = (flip_bits, set_bytes, truncate, remove_block, double_block, swap_blocks, append)
TEXT = (*BYTES, change_number, repeat_line, swap_lines)


def change_element(content: bytes, rng: random.Random) -> bytes:
    """An element of a DICOM file that is gone, of another value or of another's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        for _ in range(rng.choice((1, 1, 3))):
            element = rng.choice(list(dataset))
            kind = rng.randrange(3)
            if kind == 0:
                del dataset[element.tag]
            elif kind == 1 and element.VR == "US":
                element.value = rng.choice((0, 1, 2, 7, 60000, 65535))
            elif kind == 1 and element.VR in ("DS", "IS"):
                element._value = rng.choice(("0", "-1", "1e30", "60000", "1\\2\\3", "nan", "x", ""))
            elif element.VR not in ("OB", "OW", "SQ", "US"):
                element._value = rng.choice(("", "x" * 5000, "MONOCHROME1", "1.2.840.10008.1.2.1", "../../escaped"))
        out = io.BytesIO()
        try:
            dataset.save_as(out)
        except Exception:  # Not every nonsense can be written.
            return set_bytes(content, rng)
    return out.getvalue()


def change_chunk(content: bytes, rng: random.Random) -> bytes:
    """A PNG with another header, or chunks that are gone, doubled or damaged, all with correct checksums."""
    chunks, place = [], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    which = rng.randrange(len(chunks))
    name, data = chunks[which]
    kind = rng.randrange(4)
    if kind == 0:
        sides = struct.pack(">II", *(rng.choice((0, 1, 8, 60000, 2**31 - 1)) for _ in range(2)))
        tail = bytearray(chunks[0][1][8:])
        tail[rng.randrange(5)] = rng.choice((0, 1, 2, 3, 4, 6, 16, 255))
        chunks[0] = (chunks[0][0], (sides if rng.random() < 0.5 else chunks[0][1][:8]) + bytes(tail))
    elif kind == 1:
        chunks[which : which + 1] = [chunks[which]] * rng.choice((0, 2, 50))
    elif kind == 2 and data:
        chunks[which] = (name, flip_bits(data, rng))
    else:
        bomb = zlib.compress(bytes(50_000_000))
        extra = rng.choice(
            ((b"zTXt", b"a\0\0" + bomb), (b"iCCP", b"a\0\0" + bomb), (b"IDAT", bomb), (b"acTL", bytes(8)))
        )
        chunks.insert(rng.randrange(1, len(chunks)), extra)
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return content[:8] + b"".join(parts)


OF_KIND: dict[str, Sequence[Mutation]] = {
    "bytes": BYTES,
    "header": (*BYTES, change_number, change_number, repeat_line),
    "dicom": (*BYTES, *[change_element] * 8),
    "png": (*BYTES, *[change_chunk] * 8),
    "json": (*TEXT, *[change_json] * 12),
    "csv": (*TEXT, *[change_cells] * 10),
    "xml": (*TEXT, *[change_xml] * 10),
}


def damage(seed: Seed, number: int, file: Path) -> str:
    """Damage `file`, which is a copy of the seed's, in the way of this number; what was done to it."""
    rng = random.Random(f"{seed.kind} {seed.file.name} {number}")
    special = rng.random()
    if special < 0.04:
        return _replace(file, rng)
    mutation = rng.choice(OF_KIND[seed.form])
    content = mutation(file.read_bytes(), rng)
    if rng.random() < 0.15:
        mutation = rng.choice(BYTES)
        content = mutation(content, rng) if content else content
    file.unlink()
    file.write_bytes(content)
    return mutation.__name__


def _replace(file: Path, rng: random.Random) -> str:
    kind = rng.choice(("empty", "gone", "folder", "dangling link", "link to itself", "zeros", "noise", "pipe"))
    size = file.stat().st_size
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "dangling link":
        file.symlink_to("nowhere")
    elif kind == "link to itself":
        file.symlink_to(file.name)
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind != "gone":
        file.write_bytes({"empty": b"", "zeros": bytes(size), "noise": rng.randbytes(min(size, 100_000))}[kind])
    return kind


def remove(path: Path) -> None:
    """Remove what is there, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _place(content: bytes | bytearray, rng: random.Random) -> int:
    """Half of the time in the header."""
    length = max(1, len(content))
    return rng.randrange(min(length, 1500) if rng.random() < 0.5 else length) if content else 0
