#!/usr/bin/env python3
"""Changes bytes of QCOW2 files that no option of qemu-img can change. Used by make-fixtures.sh only."""

import struct
import sys

END, BACKING_FORMAT, FEATURE_NAMES, BITMAPS = 0, 0xE2792ACA, 0x6803F857, 0x23852875


def number(text):
    return int(text, 0)


class Image:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.bytes = bytearray(file.read())

    def get(self, form, offset):
        return struct.unpack_from(">" + form, self.bytes, offset)[0]

    def set(self, form, offset, value):
        struct.pack_into(">" + form, self.bytes, offset, value)

    def save(self):
        with open(self.path, "wb") as file:
            file.write(self.bytes)

    @property
    def cluster(self):
        return 1 << self.get("I", 20)

    @property
    def header_length(self):
        return 72 if self.get("I", 4) == 2 else self.get("I", 100)

    def read_extensions(self):
        found, at = [], self.header_length
        while at + 8 <= self.cluster:
            kind, length = self.get("I", at), self.get("I", at + 4)
            if kind == END:
                break
            found.append((kind, bytes(self.bytes[at + 8:at + 8 + length])))
            at += 8 + (length + 7) // 8 * 8
        return found

    def write_header(self, header, extensions):
        """Lays cluster 0 out anew: header, extensions, end mark, backing file name."""
        name_at, name_length = self.get("Q", 8), self.get("I", 16)
        name = bytes(self.bytes[name_at:name_at + name_length]) if name_at else b""
        out = bytearray(header)
        for kind, data in extensions:
            out += struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)
        out += bytes(8)
        if name:
            struct.pack_into(">Q", out, 8, len(out))
            out += name
        if len(out) > self.cluster:
            raise SystemExit(f"{self.path}: the header does not fit in a cluster")
        self.bytes[:self.cluster] = out + bytes(self.cluster - len(out))


def or_u64(image, offset, value):
    """or-u64 FILE OFFSET BITS: sets bits of a 64-bit field."""
    image.set("Q", number(offset), image.get("Q", number(offset)) | number(value))


def clear_u64(image, offset, value):
    """clear-u64 FILE OFFSET BITS: clears bits of a 64-bit field."""
    image.set("Q", number(offset), image.get("Q", number(offset)) & ~number(value))


def add_extension(image, kind, text):
    """add-extension FILE TYPE TEXT: puts a header extension before the others."""
    header = image.bytes[:image.header_length]
    image.write_header(header, [(number(kind), text.encode())] + image.read_extensions())


def drop_extension(image, kind):
    """drop-extension FILE TYPE: removes a header extension."""
    kept = [item for item in image.read_extensions() if item[0] != number(kind)]
    image.write_header(image.bytes[:image.header_length], kept)


def add_feature_name(image, kind, bit, name):
    """add-feature-name FILE KIND BIT NAME: KIND is 0 incompatible, 1 compatible, 2 autoclear."""
    entry = bytes([number(kind), number(bit)]) + name.encode().ljust(46, b"\0")
    extensions = [(k, d + entry if k == FEATURE_NAMES else d) for k, d in image.read_extensions()]
    if all(k != FEATURE_NAMES for k, _ in extensions):
        extensions.append((FEATURE_NAMES, entry))
    image.write_header(image.bytes[:image.header_length], extensions)


def header_length(image, length, fill):
    """header-length FILE LENGTH FILL: makes the header longer, with FILL in each new byte, or shorter."""
    extensions = image.read_extensions()
    header = image.bytes[:image.header_length].ljust(number(length), bytes([number(fill)]))[:number(length)]
    struct.pack_into(">I", header, 100, number(length))
    image.write_header(header, extensions)


def each_snapshot(image):
    at = image.get("Q", 64)
    for _ in range(image.get("I", 60)):
        extra, id_length, name_length = image.get("I", at + 36), image.get("H", at + 12), image.get("H", at + 14)
        length = 40 + extra + id_length + name_length
        yield at, length
        at += (length + 7) // 8 * 8


def snapshot_dates(image):
    """snapshot-dates FILE: snapshot n was taken n hours after 2024-01-01 00:00:00 UTC."""
    for index, (at, _) in enumerate(each_snapshot(image)):
        image.set("I", at + 16, 1704067200 + 3600 * (index + 1))
        image.set("I", at + 20, 0)


def snapshot_extra(image, length):
    """snapshot-extra FILE LENGTH: cuts the extra data of every snapshot to LENGTH bytes, as older programs wrote it."""
    length, out = number(length), bytearray()
    for at, size in list(each_snapshot(image)):
        extra = image.get("I", at + 36)
        entry = image.bytes[at:at + 40 + min(extra, length)] + image.bytes[at + 40 + extra:at + size]
        struct.pack_into(">I", entry, 36, min(extra, length))
        out += bytes(-len(out) % 8) + entry
    start = image.get("Q", 64)
    image.bytes[start:start + len(out)] = out


def each_bitmap(image):
    data = dict(image.read_extensions())[BITMAPS]
    count, _, _, at = struct.unpack(">IIQQ", data)
    for _ in range(count):
        name_length, extra = image.get("H", at + 18), image.get("I", at + 20)
        name = bytes(image.bytes[at + 24 + extra:at + 24 + extra + name_length]).decode()
        yield at, name
        at += (24 + extra + name_length + 7) // 8 * 8


def bitmap_all_ones(image, wanted):
    """bitmap-all-ones FILE NAME: writes 1, all ones without a cluster, into each entry of an empty bitmap's table."""
    for at, name in each_bitmap(image):
        if name == wanted:
            table, size = image.get("Q", at), image.get("I", at + 8)
            for index in range(size):
                if image.get("Q", table + 8 * index):
                    raise SystemExit(f"{image.path}: bitmap {name} is not empty")
                image.set("Q", table + 8 * index, 1)
            return
    raise SystemExit(f"{image.path}: no bitmap {wanted}")


def assert_compressed(image):
    """assert-compressed FILE: fails unless compressed clusters share sectors and one crosses a host cluster."""
    bits, l1_at, l1_size = image.get("I", 20), image.get("Q", 40), image.get("I", 36)
    shift, ends, shared, crossing = 62 - (bits - 8), set(), 0, 0
    for index in range(l1_size):
        l2_at = image.get("Q", l1_at + 8 * index) & 0x00FFFFFFFFFFFE00
        for slot in range(image.cluster // 8 if l2_at else 0):
            entry = image.get("Q", l2_at + 8 * slot)
            if entry >> 62 & 1:
                first = (entry & (1 << shift) - 1) >> 9
                last = first + (entry >> shift & (1 << 62 - shift) - 1)
                shared += first in ends
                crossing += first >> (bits - 9) != last >> (bits - 9)
                ends.add(last)
    if not shared or (bits > 9 and not crossing):
        raise SystemExit(f"{image.path}: {shared} shared sectors, {crossing} crossings")


COMMANDS = {function.__name__.replace("_", "-"): function for function in (
    or_u64, clear_u64, add_extension, drop_extension, add_feature_name, header_length, snapshot_dates,
    snapshot_extra, bitmap_all_ones, assert_compressed)}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        raise SystemExit("\n".join(function.__doc__ for function in COMMANDS.values()))
    image = Image(sys.argv[2])
    COMMANDS[sys.argv[1]](image, *sys.argv[3:])
    image.save()


main()
