#!/usr/bin/python3
"""A second reader of GKMP/1, written after docs/PROTOCOL.md, whose sections the comments name. It
shares no code with the agent.

usage: decode.py DIRECTORY    takes every vector in DIRECTORY/wire apart and puts it together again,
                              sees that what is malformed is refused, and derives every key of the
                              runs in DIRECTORY/keys from what was on the wire
"""

import hashlib
import hmac
import pathlib
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Refused(Exception):
    """Holds the name of the error, section 17."""


def refuse_unless(good, name):
    if not good:
        raise Refused(name)


class Reader:
    def __init__(self, octets):
        self.octets = octets

    def take(self, count):
        refuse_unless(count <= len(self.octets), "wire.truncated")
        taken, self.octets = self.octets[:count], self.octets[count:]
        return taken

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def end(self):
        refuse_unless(not self.octets, "wire.trailing-octets")


# --- 3 Header ------------------------------------------------------------------------------------

CONTROLLER, MEMBER, COMMANDER = 1, 2, 3
SIGNATURE = 32767
NAMES = {11: "Rekey_Multicast", 12: "Request_Group_Join", 15: "Heartbeat",
         20: "Repair_Request", 25: "Status_Request"}
# 6: type: (who sends it, whether it is sealed, its items; those in OPTIONAL may be missing)
MESSAGES = {
    1: ({CONTROLLER}, False, [1, 2, 3, 5, 6, 7, 9, 10, SIGNATURE]),
    2: ({MEMBER}, False, [2, 3, 5, 6, 7, 9, 10, SIGNATURE]),
    3: ({CONTROLLER}, True, [2, 3, 11, 12, 13, SIGNATURE]),
    4: ({MEMBER}, True, [2, 3, 12, 13, 14]),
    5: ({CONTROLLER, COMMANDER}, False, [1, 4, 5, 8, 9, 10, SIGNATURE]),
    6: ({MEMBER, CONTROLLER}, False, [4, 5, 8, 9, 10, SIGNATURE]),
    7: ({CONTROLLER, COMMANDER}, True, [4, 11, 12, 13, SIGNATURE]),
    8: ({MEMBER, CONTROLLER}, True, [4, 12, 13, 14]),
    9: ({CONTROLLER}, True, [15, 16, 17, 18, 19]),
    10: ({MEMBER}, True, [20, 21]),
    11: ({CONTROLLER}, False, [15, 16, 17]),
    12: ({MEMBER}, False, [1, 5, 9, 33, SIGNATURE]),
    15: ({CONTROLLER}, False, [10, 13, 20, 23, 24, 25, 26, 27, 28, 29, SIGNATURE]),
    16: ({CONTROLLER, MEMBER}, True, [22]),
    17: ({CONTROLLER}, False, [33]),
    20: ({MEMBER}, False, [20, 56]),
    23: ({CONTROLLER}, True, [47]),
    24: ({COMMANDER}, True, [46, 54]),
    25: ({COMMANDER}, True, [1, 55]),
}
OPTIONAL = {(9, 17), (12, 33), (24, 54)}
MULTICAST = {11, 15, 20}
HEADER = [("magic", 2), ("version", 1), ("suite", 1), ("type", 1), ("role", 1), ("flags", 1),
          ("reserved", 1), ("exchange", 8), ("group", 16), ("number", 4), ("index", 1),
          ("count", 1), ("reserved 2", 2)]


def encode_header(header):
    return b"".join(header[name].to_bytes(size, "big") for name, size in HEADER)


def decode_datagram(octets):
    """The header, and the body: items, or ciphertext with its tag."""
    refuse_unless(len(octets) <= 1232, "wire.too-long")
    reader = Reader(octets)
    header = {name: reader.number(size) for name, size in HEADER}
    refuse_unless(header["magic"] == 0x474B, "wire.bad-magic")
    refuse_unless(header["version"] == 1, "wire.unknown-version")
    refuse_unless(header["suite"] in (1, 2, 3, 4), "wire.unknown-suite")
    refuse_unless(header["type"] in MESSAGES, "wire.unknown-type")
    refuse_unless(header["role"] in (CONTROLLER, MEMBER, COMMANDER), "wire.unknown-role")
    for name in "flags", "reserved", "reserved 2":
        refuse_unless(header[name] == 0, "wire.unknown-flag")
    roles, sealed, _ = MESSAGES[header["type"]]
    refuse_unless(header["role"] in roles, "wire.wrong-role")
    refuse_unless(1 <= header["count"] <= (64 if sealed else 1), "wire.bad-fragment")
    refuse_unless(header["index"] < header["count"], "wire.bad-fragment")
    refuse_unless(header["type"] not in MULTICAST or header["exchange"] == 0, "wire.bad-value")
    refuse_unless(not sealed or len(reader.octets) >= 16, "wire.truncated")
    return header, reader.octets


# --- 5 Values, 7 Objects --------------------------------------------------------------------------
# Each takes a reader to its end, or refuses, and returns what it read.

LATEST = 253402300799  # 9999-12-31T23:59:59Z


def bad_value_unless(good):
    refuse_unless(good, "wire.bad-value")


def ascending(values, most):
    bad_value_unless(len(values) <= most and all(a < b for a, b in zip(values, values[1:])))
    return values


def one_of(*known):
    def read(reader):
        value = reader.number(1)
        bad_value_unless(value in known)
        return value
    return read


def octets(least, most=None):
    def read(reader):
        bad_value_unless(least <= len(reader.octets) <= (least if most is None else most))
        return reader.take(len(reader.octets))
    return read


def number(size):
    return lambda reader: reader.number(size)


def time(reader):
    value = reader.number(8)
    bad_value_unless(value <= LATEST)
    return value


def share(reader):
    bad_value_unless(len(reader.octets) in (32, 65, 97))
    return reader.take(len(reader.octets))


def zeros(count):
    def read(reader):
        bad_value_unless(reader.octets == bytes(count))
        return reader.take(count)
    return read


def error_name(reader):
    name = octets(1, 64)(reader)
    bad_value_unless(all(chr(octet) in "abcdefghijklmnopqrstuvwxyz0123456789.-" for octet in name))
    return name


def address(reader):
    family = one_of(4, 6)(reader)
    return family, reader.take(4 if family == 4 else 16)


def socket_address(reader):
    return address(reader), reader.number(2)


def tuple_(reader):
    """Token version, term, rank, epoch."""
    return tuple(reader.number(size) for size in (4, 4, 1, 4))


def to_the_end(reader, read):
    values = []
    while reader.octets:
        values.append(read(reader))
    return values


def address_list(reader):
    return ascending(to_the_end(reader, address), 8)


def crl_numbers(reader):
    values = to_the_end(reader, lambda r: (r.take(32), r.number(8)))
    ascending([issuer for issuer, _ in values], 8)
    return values


def certificates(reader):
    def certificate(r):
        size = r.number(2)
        bad_value_unless(1 <= size <= 8192)
        return r.take(size)
    values = to_the_end(reader, certificate)
    bad_value_unless(1 <= len(values) <= 4)
    return values


STATEMENT = [("version", number(1)), ("suite", number(1)), ("group", lambda r: r.take(16)),
             ("tuple", tuple_), ("controller", lambda r: r.take(32)),
             ("controller's key", lambda r: r.take(32)), ("token hash", lambda r: r.take(32)),
             ("previous", lambda r: r.take(16)), ("cause", one_of(1, 2)),
             ("creation", one_of(1, 2)), ("nonce", lambda r: r.take(16)),
             ("GTEK id", lambda r: r.take(16)), ("GKEK id", lambda r: r.take(16)),
             ("commitment", lambda r: r.take(32)), ("senders", lambda r: r.take(32)),
             ("exclusions", lambda r: r.take(32)), ("tree parts", lambda r: r.take(32)),
             ("ATD", number(4)), ("DTD", number(4)), ("not before", time), ("not after", time),
             ("CRL numbers", crl_numbers)]


def statement(reader):
    value = {name: read(reader) for name, read in STATEMENT}
    refuse_unless(value["version"] == 1, "wire.unknown-version")
    refuse_unless(value["suite"] in (1, 2, 3, 4), "wire.unknown-suite")
    bad_value_unless(value["not after"] >= value["not before"])
    return value


def sender_table(reader):
    table = {"number": reader.number(4), "entries": []}
    count = reader.number(2)
    bad_value_unless(count <= 1024)
    free = 1  # the lowest id that the next entry may begin with
    for _ in range(count):
        host, first, ids, sources = (reader.take(32), reader.number(2), reader.number(2),
                                     reader.number(1))
        bad_value_unless(first >= free and ids >= 1 and first + ids - 1 <= 65535)
        bad_value_unless(sources in (1, 2))
        addresses = [address(reader) for _ in range(sources)]
        bad_value_unless([family for family, _ in addresses] in ([4], [6], [4, 6]))
        free = first + ids
        table["entries"].append((host, first, ids, addresses))
    return table


def exclusion_set(reader):
    count = reader.number(2)
    bad_value_unless(count <= 256)
    return ascending([reader.take(32) for _ in range(count)], 256)


def group_report(reader):
    def text(least=0, most=255):
        size = reader.number(1)
        value = reader.take(size)
        bad_value_unless(least <= size <= most and all(0x20 <= octet <= 0x7E for octet in value))
        return value
    refuse_unless(reader.number(1) == 1, "wire.unknown-version")
    report = {"state": one_of(1, 2, 3, 4, 5)(reader), "why": text()}
    if one_of(0, 1)(reader):
        report["epoch"] = tuple_(reader), reader.take(16), time(reader)
    report["installed"], report["sending"] = one_of(0, 1)(reader), one_of(0, 1)(reader)
    report["install error"] = text()
    report["rekey ordered"] = one_of(0, 1)(reader)
    report["rekey error"] = text()
    listed, keyed, failed, first = (reader.number(2) for _ in range(4))
    members = to_the_end(reader, lambda r: (text(1, 64), one_of(1, 2, 3, 4, 5, 6)(r), text()))
    bad_value_unless(keyed + failed <= listed and first + len(members) <= listed)
    return {**report, "counts": (listed, keyed, failed), "first": first, "members": members}


# --- 4 Items, 6 Messages --------------------------------------------------------------------------
# What is in items 15, 18, 19 and 47 is read by whoever wants it; the message takes octets.

ITEMS = {1: None, 2: octets(16), 3: octets(16), 4: octets(16), 5: octets(32), 6: share, 7: share,
         8: share, 9: octets(1, 256), 10: octets(32), 11: octets(1, 32768), 12: certificates,
         13: crl_numbers, 14: address_list, 15: octets(1, 665), 16: octets(1, 256), 17: octets(80),
         18: octets(1, 65535), 19: octets(1, 65535), 20: octets(16), 21: octets(32),
         22: error_name, 23: tuple_, 24: number(8), 25: time, 26: octets(32), 27: socket_address,
         28: socket_address, 29: one_of(0, 1), 33: octets(32), 46: octets(1, 8192), 47: octets(1, 16384),
         54: octets(1, 65535), 55: number(2), 56: zeros(837), SIGNATURE: octets(1, 256)}
OBJECTS = {15: statement, 18: sender_table, 19: exclusion_set, 47: group_report}


def whole(read, value):
    """Exactly one value, which fills its octets."""
    reader = Reader(value)
    result = read(reader)
    reader.end()
    return result


def item_value(message_type, item, value):
    request = {"Request_Group_Join": 1, "Status_Request": 6}.get(NAMES.get(message_type), 5)
    read = ITEMS[item] or one_of(request)
    try:
        return whole(read, value)
    except Refused as error:
        raise Refused("wire.bad-value") from error


def split_items(body):
    reader = Reader(body)
    return to_the_end(reader, lambda r: (r.number(2), r.take(r.number(2))))


def join_items(items):
    return b"".join(tag.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
                    for tag, value in items)


def decode_body(message_type, body):
    """Values by item number; unknown items that may be skipped are left out."""
    wanted = list(MESSAGES[message_type][2])
    values, last = {}, -1
    for tag, value in split_items(body):
        item, critical = tag & 0x7FFF, tag & 0x8000
        refuse_unless(item != last, "wire.repeated-item")
        refuse_unless(item > last, "wire.item-order")
        last = item
        if item not in ITEMS:
            refuse_unless(not critical, "wire.unknown-critical-item")
            continue
        bad_value_unless(critical)
        while wanted and wanted[0] < item:
            refuse_unless((message_type, wanted.pop(0)) in OPTIONAL, "wire.missing-item")
        refuse_unless(wanted and wanted[0] == item, "wire.unexpected-item")
        values[wanted.pop(0)] = item_value(message_type, item, value)
    refuse_unless(all((message_type, item) in OPTIONAL for item in wanted), "wire.missing-item")
    return values


def unsigned(datagram):
    """9: header and items before the signature."""
    size = 40
    for tag, value in split_items(datagram[40:]):
        if tag & 0x7FFF == SIGNATURE:
            break
        size += 4 + len(value)
    return datagram[:size]


# --- 9 Transcripts and signatures, 10 Key schedule ------------------------------------------------

HASH = {1: "sha256", 2: "sha256", 3: "sha384", 4: "sha384"}  # 3: Hs of the suite
DOWN, UP = b"\1", b"\2"


def sha256(value):
    return hashlib.sha256(value).digest()


def framed(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def label(text, *fields):
    return b"GKMP/1 " + text.encode() + b"\0" + b"".join(fields)


class Schedule:
    def __init__(self, suite):
        self.hash = HASH[suite]

    def digest(self, value):
        return hashlib.new(self.hash, value).digest()

    def extract(self, salt, value):
        return hmac.new(salt, value, self.hash).digest()

    def expand(self, key, info, size=32):
        out = block = b""
        while len(out) < size:
            block = hmac.new(key, block + info + bytes([len(out) // len(self.digest(b"")) + 1]),
                             self.hash).digest()
            out += block
        return out[:size]

    def grp_key(self, kek, statement_octets):
        return self.expand(self.extract(sha256(statement_octets), kek), label("grp"))


def verify(spki, context, content, signature):
    key = serialization.load_der_public_key(spki)
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, b" " * 64 + label(context) + hashlib.sha512(content).digest())
        return
    digest = hashes.SHA256() if key.curve.key_size == 256 else hashes.SHA384()
    signed = b" " * 64 + label(context) + hashlib.new(digest.name, content).digest()
    key.verify(signature, signed, ec.ECDSA(digest))


def agree(suite, private_part, peer):
    if suite in (1, 4):
        key = x25519.X25519PrivateKey.from_private_bytes(private_part)
        return key.exchange(x25519.X25519PublicKey.from_public_bytes(peer))
    curve = ec.SECP256R1() if suite == 2 else ec.SECP384R1()
    key = ec.derive_private_key(int.from_bytes(private_part, "big"), curve)
    return key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, peer))


def open_message(datagrams, key):
    """8, 10.4: the message in transcript form."""
    body = b""
    for index, datagram in enumerate(datagrams):
        header, sealed = decode_datagram(datagram)
        assert (header["index"], header["count"]) == (index, len(datagrams))
        nonce = bytes(4) + header["number"].to_bytes(4, "big") + bytes(3) + bytes([index])
        chunk = AESGCM(key).decrypt(nonce, sealed, datagram[:40])
        assert len(chunk) == 1176 or index == len(datagrams) - 1
        body += chunk
    return encode_header({**header, "index": 0, "count": 1}) + body


# --- Vectors --------------------------------------------------------------------------------------

def read_vector(path):
    """Its fields, in order: name and octets."""
    fields, digits = [], ""
    for line in path.read_text().splitlines():
        hexadecimal, name = line.split(" ;")
        digits += hexadecimal
        if name:
            fields.append((name[1:], bytes.fromhex(digits)))
            digits = ""
    assert not digits, path
    return fields


def refusal_of(read, *arguments):
    try:
        read(*arguments)
    except Refused as error:
        return str(error)
    return ""


def expect_refused(what, name, read, *arguments):
    found = refusal_of(read, *arguments)
    assert found == name if name else found, f"{what}: {found or 'accepted'}, not {name}"


def decode_message(transcript):
    """A message in transcript form: what is sealed has no tag there."""
    tag = bytes(16) if transcript[4] in MESSAGES and MESSAGES[transcript[4]][1] else b""
    header, _ = decode_datagram(transcript[:40] + tag)
    return header, decode_body(header["type"], transcript[40:])


def check_message(name, transcript):
    header, values = decode_message(transcript)
    assert encode_header(header) == transcript[:40], name
    items = split_items(transcript[40:])
    assert join_items(items) == transcript[40:], name
    for item in values:
        if item in OBJECTS:
            whole(OBJECTS[item], values[item])

    def refused(what, error, changed):
        expect_refused(f"{name}, {what}", error, decode_message, transcript[:40] + changed)
    body = transcript[40:]
    without_last = len(body) - 4 - len(items[-1][1])
    for size in range(len(body)):
        if size == without_last and (header["type"], items[-1][0] & 0x7FFF) in OPTIONAL:
            continue
        refused(f"cut to {size}", "", body[:size])
    refused("one octet more", "wire.truncated", body + b"\0")
    for place, (tag, value) in enumerate(items):
        before, behind = items[:place], items[place + 1:]
        twice = before + [(tag, value)] * 2 + behind
        refused("an item twice", "wire.repeated-item", join_items(twice))
        unmarked = before + [(tag & 0x7FFF, value)] + behind
        refused("an item not critical", "wire.bad-value", join_items(unmarked))
        if (header["type"], tag & 0x7FFF) not in OPTIONAL:
            refused("an item missing", "wire.missing-item", join_items(before + behind))
        if place > 0:
            swapped = before[:-1] + [(tag, value), before[-1]] + behind
            refused("items swapped", "", join_items(swapped))
    last = [items[-1]] if items[-1][0] == 0xFFFF else []
    rest = items[:len(items) - len(last)]
    refused("an unknown critical item", "wire.unknown-critical-item",
            join_items(rest + [(0x9234, b"")] + last))
    skipped = decode_body(header["type"], join_items(rest + [(0x1234, b"abc")] + last))
    assert skipped == values, name
    check_bad_headers(name, header, body)


def check_bad_headers(name, header, body):
    sealed = MESSAGES[header["type"]][1]
    wrong_roles = {1, 2, 3} - MESSAGES[header["type"]][0]
    changes = [("magic", 0x474C, "wire.bad-magic"), ("version", 2, "wire.unknown-version"),
               ("suite", 5, "wire.unknown-suite"), ("type", 14, "wire.unknown-type"),
               ("role", 4, "wire.unknown-role"), ("flags", 1, "wire.unknown-flag"),
               ("reserved", 1, "wire.unknown-flag"), ("reserved 2", 256, "wire.unknown-flag"),
               ("role", min(wrong_roles), "wire.wrong-role"), ("count", 0, "wire.bad-fragment"),
               ("index", 1, "wire.bad-fragment"), ("count", 65, "wire.bad-fragment")]
    if not sealed:
        changes.append(("count", 2, "wire.bad-fragment"))
    if header["type"] in MULTICAST:
        changes.append(("exchange", 1, "wire.bad-value"))
    for field, value, error in changes:
        changed = encode_header({**header, field: value}) + body + bytes(16)
        expect_refused(f"{name}, {field} {value}", error, decode_datagram, changed)
    expect_refused(f"{name}, header cut", "wire.truncated", decode_datagram,
                   encode_header(header)[:39])


def check_object(name, read, value):
    whole(read, value)
    for size in range(len(value)):
        # A list of CRL numbers or members may end earlier.
        if read not in (statement, group_report):
            expect_refused(f"{name} cut to {size}", "", whole, read, value[:size])
    expect_refused(f"{name}, one octet more", "", whole, read, value + b"\0")


def check_wire(directory):
    objects = {"statement.txt": statement, "statement-of-a-rekey.txt": statement,
               "sender-table.txt": sender_table, "exclusion-set.txt": exclusion_set,
               "group-report.txt": group_report}
    seen = set()
    for path in sorted(directory.iterdir()):
        value = b"".join(field for _, field in read_vector(path))
        if path.name in objects:
            check_object(path.name, objects.pop(path.name), value)
        else:
            check_message(path.name, value)
            seen.add(value[4])
    assert not objects and seen == set(MESSAGES), "not everything has a vector"

    request = b"".join(field for _, field in read_vector(directory / "repair-request.txt"))
    for padding in bytes(836) + b"\1", bytes(836), bytes(838), b"":
        changed = request[:60] + join_items([(0x8038, padding)])
        expect_refused("padding", "wire.bad-value", decode_message, changed)


class Run:
    """A file of tests/vectors/keys: what is derived is held against it."""

    def __init__(self, path):
        self.path = path
        self.fields = dict(read_vector(path))
        self.left = set(self.fields)

    def given(self, name):
        self.left.discard(name)
        return self.fields[name]

    def datagrams(self, name):
        """The datagrams of a message."""
        more = [f"{name}, datagram {number}" for number in range(2, 65)]
        return [self.given(each) for each in [name] + more if each in self.fields]

    def expect(self, name, value):
        assert self.given(name) == value, f"{self.path.name}: {name} is {value.hex()}"


def create_stage(run, figure, suite):
    """M1, M2 and TH1, their signatures verified; the results of the agreements by item number."""
    m1, m2 = run.given(f"{figure}: M1"), run.given(f"{figure}: M2")
    first, second = decode_message(m1)[1], decode_message(m2)[1]
    th1 = Schedule(suite).digest(framed(m1, unsigned(m2)))
    run.expect(f"{figure}: TH1", th1)
    verify(first[9], "create-1", unsigned(m1), first[SIGNATURE])
    verify(second[9], "create-2", th1, second[SIGNATURE])
    results = {}
    for item, key in (6, "GTEK"), (7, "GKEK"), (8, "SKEK"):
        if item in first:
            ours, theirs = (run.given(f"{figure}: {side}'s {key} share, private part")
                            for side in ("controller", "member"))
            results[item] = agree(suite, ours, second[item])
            assert results[item] == agree(suite, theirs, first[item])
    return (m1, first), (m2, second), th1, results


def negotiate_stage(run, figure, schedule, creates, th1, seal, root):
    """M3 and M4 opened; SKEK down and up, and pairwise."""
    (m1, first), (m2, second) = creates
    m3 = open_message(run.datagrams(f"{figure}: M3"), seal[0])
    m4 = open_message(run.datagrams(f"{figure}: M4"), seal[1])
    third, fourth = decode_message(m3)[1], decode_message(m4)[1]
    content = th1 + framed(second[SIGNATURE]) + unsigned(m3)
    verify(first[9], "negotiate-1", content, third[SIGNATURE])
    for item in 2, 3, 4:
        assert first.get(item) == second.get(item) == third.get(item) == fourth.get(item)
    th2 = schedule.digest(framed(m1, m2, m3, m4))
    run.expect(f"{figure}: TH2", th2)
    skek = [schedule.expand(root, label("skek", way, th2)) for way in (DOWN, UP)]
    pairwise = schedule.expand(root, label("pairwise", th2))
    run.expect(f"{figure}: SKEK down", skek[0])
    run.expect(f"{figure}: SKEK up", skek[1])
    run.expect(f"{figure}: pairwise", pairwise)
    return skek, pairwise


def group_stage(run, schedule, suite):
    """Figure 1 to TH2: SKEK, pairwise, the group keys, and the controller's public key."""
    first, second, th1, results = create_stage(run, "figure 1", suite)
    nonces = first[1][5] + second[1][5]
    run.expect("figure 1: Zt", results[6])
    run.expect("figure 1: Zk", results[7])
    pt, pk = schedule.extract(nonces, results[6]), schedule.extract(nonces, results[7])
    gtek = schedule.expand(pt, label("gtek", th1))
    gkek = schedule.expand(pk, label("gkek", th1))
    root = schedule.extract(pt, pk)
    seal = [schedule.expand(root, label("negotiate", way, th1)) for way in (DOWN, UP)]
    run.expect("GTEK", gtek)
    run.expect("GKEK", gkek)
    run.expect("figure 1: R", root)
    run.expect("figure 1: negotiate down", seal[0])
    run.expect("figure 1: negotiate up", seal[1])
    skek, pairwise = negotiate_stage(run, "figure 1", schedule, (first, second), th1, seal, root)
    return skek, pairwise, gtek, gkek, first[1][9]


def session_stage(run, schedule, suite):
    """Figure 2 to TH2: SKEK and pairwise."""
    first, second, th1, results = create_stage(run, "figure 2", suite)
    run.expect("figure 2: Z", results[8])
    root = schedule.extract(first[1][5] + second[1][5], results[8])
    seal = [schedule.expand(root, label("stek", way, th1)) for way in (DOWN, UP)]
    run.expect("figure 2: R", root)
    run.expect("figure 2: STEK down", seal[0])
    run.expect("figure 2: STEK up", seal[1])
    return negotiate_stage(run, "figure 2", schedule, (first, second), th1, seal, root)


def check_epoch(run, name, message, spki, gtek, gkek):
    """Items 15 and 16 of a message: the statement as it is read, and the epoch id."""
    run.expect(f"{name}: statement", message[15])
    value = whole(statement, message[15])
    verify(spki, "statement", message[15], message[16])
    commitment = hmac.digest(gtek + gkek, label("commit", value["group"], message[15][18:31]),
                             "sha256")
    run.expect(f"{name}: commitment", commitment)
    assert value["commitment"] == commitment and value["controller's key"] == sha256(spki)
    epoch_id = sha256(message[15])[:16]
    run.expect(f"{name}: epoch id", epoch_id)
    return value, epoch_id


def download_stage(run, figure, schedule, skek, pairwise, spki, group_keys):
    """M5 and M6."""
    m5 = decode_message(open_message(run.datagrams(f"{figure}: M5"), skek[0]))[1]
    m6 = decode_message(open_message(run.datagrams(f"{figure}: M6"), skek[1]))[1]
    value, epoch_id = check_epoch(run, "epoch", m5, spki, *group_keys)
    assert value["cause"] == 1 and value["creation"] == 1 and value["previous"] == bytes(16)
    assert value["senders"] == sha256(m5[18]) and value["exclusions"] == sha256(m5[19])
    assert value["tree parts"] == sha256(b"")
    if 17 in m5:
        opened = AESGCM(schedule.grp_key(skek[0], m5[15])).decrypt(bytes(12), m5[17],
                                                                   m5[15] + m5[16])
        assert opened == b"".join(group_keys)
    confirmation = hmac.digest(pairwise, label("confirm", b"\x0a", sha256(m5[15])), "sha256")
    run.expect(f"{figure}: confirmation", confirmation)
    assert m6 == {20: epoch_id, 21: confirmation}
    return epoch_id


def check_rekey(run, schedule, gkek, previous, spki):
    """The Rekey_Multicast: its keys."""
    octets_ = run.given("rekey")
    header, message = decode_message(octets_)
    opened = AESGCM(schedule.grp_key(gkek, message[15])).decrypt(bytes(12), message[17],
                                                                message[15] + message[16])
    keys = opened[:32], opened[32:]
    run.expect("next GTEK", keys[0])
    run.expect("next GKEK", keys[1])
    value, epoch_id = check_epoch(run, "next epoch", message, spki, *keys)
    assert value["previous"] == previous and value["cause"] == 2 and value["creation"] == 2
    assert octets_[:40] == encode_header(  # 11.6: the header follows from the statement
        {**header, "suite": value["suite"], "type": 11, "role": CONTROLLER, "exchange": 0,
         "group": int.from_bytes(value["group"], "big"), "number": value["tuple"][3], "index": 0,
         "count": 1})
    return keys[0], message[15], epoch_id


# 10.7: octets of each suite's key material
ESP = {1: 16 + 4, 2: 32 + 4, 3: 16 + 32, 4: 24 + 4, 5: 32 + 4, 6: 32 + 48, 7: 32 + 64, 8: 16 + 4,
       9: 32 + 4, 10: 32, 11: 48, 12: 64}
COUNTER_MODES = {1, 2, 4, 5, 8, 9}


def check_esp(run, name, schedule, gtek, statement_octets):
    _, _, rank, epoch = whole(statement, statement_octets)["tuple"]
    root = schedule.extract(sha256(statement_octets), gtek)

    def spi(sender):
        return bytes([10, rank << 4 | epoch % 16]) + sender
    sender, everybody = b"\0\3", b"\0\0"
    run.expect(f"{name}: SPI of prefix 10, sender 3", spi(sender))
    run.expect(f"{name}: SPI of prefix 10, all senders", spi(everybody))
    for suite, size in ESP.items():
        info = label("esp", bytes([suite]), spi(sender), sender)
        run.expect(f"{name}: ESP suite {suite}", schedule.expand(root, info, size))
        if suite not in COUNTER_MODES:
            info = label("esp-shared", bytes([suite]), spi(everybody))
            run.expect(f"{name}: ESP suite {suite}, shared", schedule.expand(root, info, size))


def check_run(path):
    run = Run(path)
    suite = run.given("suite")[0]
    schedule = Schedule(suite)
    skek, pairwise, gtek, gkek, spki = group_stage(run, schedule, suite)
    download_stage(run, "figure 1", schedule, skek, pairwise, spki, (gtek, gkek))
    skek, pairwise = session_stage(run, schedule, suite)
    first_id = download_stage(run, "figure 2", schedule, skek, pairwise, spki, (gtek, gkek))
    check_esp(run, "epoch", schedule, gtek, run.given("epoch: statement"))
    next_gtek, next_statement, next_id = check_rekey(run, schedule, gkek, first_id, spki)
    check_esp(run, "next epoch", schedule, next_gtek, next_statement)
    heartbeat = run.given("heartbeat")
    values = decode_message(heartbeat)[1]
    verify(spki, "heartbeat", unsigned(heartbeat), values[SIGNATURE])
    assert values[20] == next_id
    assert not run.left, f"{path.name}: not looked at: {sorted(run.left)}"


def check_signatures(path):
    fields = dict(read_vector(path))
    content = fields.pop("content")
    for kind in "p256", "p384", "ed25519":
        spki = fields.pop(f"{kind} public key")
        for context in "create-1", "create-2", "negotiate-1", "statement", "heartbeat", "join":
            signature = fields.pop(f"{kind} {context}")
            verify(spki, context, content, signature)
            try:
                verify(spki, "report", content, signature)
                raise AssertionError(f"{kind} {context} serves for another use")
            except InvalidSignature:
                pass
    assert not fields, sorted(fields)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    check_wire(directory / "wire")
    runs = 0
    for path in sorted((directory / "keys").iterdir()):
        if path.name == "signatures.txt":
            check_signatures(path)
        else:
            try:
                check_run(path)
            except InvalidTag as error:
                raise AssertionError(f"{path.name}: something does not open") from error
            runs += 1
    assert runs == len(HASH), "a suite has no run"
    print(f"{len(list((directory / 'wire').iterdir()))} vectors of the wire, {runs} of keys: good")


if __name__ == "__main__":
    main()
