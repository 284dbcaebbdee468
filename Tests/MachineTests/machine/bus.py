#!/usr/bin/python3
"""A raw client of the system bus, for tests that attack: it sends what no library would send.

    bus.py signal DESTINATION PATH INTERFACE MEMBER [SIGNATURE JSON…]   "-" as destination broadcasts
    bus.py call DESTINATION PATH INTERFACE MEMBER [SIGNATURE JSON…]     prints the answer's values, or the error

As a module: Bus, signal(), call().
"""
import array
import json
import os
import socket
import struct
import sys

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY = 1
FIELDS = {"path": (1, "o"), "interface": (2, "s"), "member": (3, "s"), "error": (4, "s"), "reply": (5, "u"),
          "destination": (6, "s"), "sender": (7, "s"), "signature": (8, "g"), "fds": (9, "u")}
NUMBERS = {"y": ("B", 1), "b": ("I", 4), "n": ("h", 2), "q": ("H", 2), "i": ("i", 4), "u": ("I", 4), "x": ("q", 8),
           "t": ("Q", 8), "d": ("d", 8), "h": ("I", 4)}


def one(signature, at):
    """The end of the complete type that begins at `at`."""
    first = signature[at]
    if first == "a":
        return one(signature, at + 1)
    if first in "({":
        depth = 0
        while True:
            depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(signature[at], 0)
            at += 1
            if depth == 0:
                return at
    return at + 1


def types(signature):
    at = 0
    while at < len(signature):
        end = one(signature, at)
        yield signature[at:end]
        at = end


def alignment(kind):
    if kind[0] in NUMBERS:
        return NUMBERS[kind[0]][1]
    return {"s": 4, "o": 4, "a": 4, "(": 8, "{": 8}.get(kind[0], 1)


def pad(out, to):
    out.extend(b"\0" * (-len(out) % to))


def write(out, kind, value):
    if kind in NUMBERS:
        code, size = NUMBERS[kind]
        pad(out, size)
        out += struct.pack("<" + code, value)
    elif kind in "so":
        text = value if isinstance(value, bytes) else value.encode()
        pad(out, 4)
        out += struct.pack("<I", len(text)) + text + b"\0"
    elif kind == "g":
        out += bytes([len(value)]) + value.encode() + b"\0"
    elif kind == "v":
        write(out, "g", value[0])
        write(out, value[0], value[1])
    elif kind[0] == "a":
        pad(out, 4)
        place = len(out)
        out += b"\0\0\0\0"
        pad(out, alignment(kind[1:]))
        begin = len(out)
        for item in value.items() if isinstance(value, dict) else value:
            write(out, kind[1:], item)
        out[place:place + 4] = struct.pack("<I", len(out) - begin)
    else:
        pad(out, 8)
        for inner, item in zip(types(kind[1:-1]), value):
            write(out, inner, item)


def read(data, at, kind):
    if kind in NUMBERS:
        code, size = NUMBERS[kind]
        at += -at % size
        return struct.unpack_from("<" + code, data, at)[0], at + size
    if kind in "so":
        at += -at % 4
        size = struct.unpack_from("<I", data, at)[0]
        return data[at + 4:at + 4 + size].decode(errors="replace"), at + 5 + size
    if kind == "g":
        size = data[at]
        return data[at + 1:at + 1 + size].decode(), at + 2 + size
    if kind == "v":
        inner, at = read(data, at, "g")
        return read(data, at, inner)
    if kind[0] == "a":
        at += -at % 4
        size = struct.unpack_from("<I", data, at)[0]
        at += 4
        at += -at % alignment(kind[1:])
        end, items = at + size, []
        while at < end:
            item, at = read(data, at, kind[1:])
            items.append(item)
        return (dict(items) if kind[1] == "{" else items), at
    at += -at % 8
    items = []
    for inner in types(kind[1:-1]):
        item, at = read(data, at, inner)
        items.append(item)
    return tuple(items), at


def message(kind, serial, signature="", body=(), flags=0, fds=0, **fields):
    out = bytearray()
    for inner, value in zip(types(signature), body):
        write(out, inner, value)
    if signature:
        fields["signature"] = signature
    if fds:
        fields["fds"] = fds
    head = bytearray(struct.pack("<cBBBII", b"l", kind, flags, 1, len(out), serial))
    write(head, "a(yv)", [(FIELDS[name][0], (FIELDS[name][1], value)) for name, value in fields.items() if value])
    pad(head, 8)
    return bytes(head + out)


class Message:
    def __init__(self, head, data):
        self.kind, self.serial = head[1], struct.unpack_from("<I", head, 8)[0]
        fields = dict(read(head, 12, "a(yv)")[0])
        self.fields = {name: fields[code] for name, (code, _) in FIELDS.items() if code in fields}
        self.body, at = [], 0
        for inner in types(self.fields.get("signature", "")):
            value, at = read(data, at, inner)
            self.body.append(value)


class Bus:
    """A connection that has said Hello."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect("/run/dbus/system_bus_socket")
        uid = str(os.getuid()).encode().hex()
        self.socket.sendall(f"\0AUTH EXTERNAL {uid}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n".encode())
        self.buffer, self.serial, self.fds = b"", 0, []
        while self.buffer.count(b"\r\n") < 2:
            self.buffer += self.socket.recv(4096)
        self.buffer = self.buffer.split(b"\r\n", 2)[2]
        self.name = self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")[0]

    def send(self, kind, destination, path, interface, member, signature="", body=(), flags=0, fds=()):
        """Sends and does not wait; the message's serial."""
        self.serial += 1
        data = message(kind, self.serial, signature, body, flags, len(fds), destination=destination, path=path,
                       interface=interface, member=member)
        if fds:
            sent = self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            data = data[sent:]
        self.socket.sendall(data)
        return self.serial

    def signal(self, destination, path, interface, member, signature="", body=()):
        return self.send(SIGNAL, destination, path, interface, member, signature, body, NO_REPLY)

    def call(self, destination, path, interface, member, signature="", body=(), fds=(), flags=0):
        """The values of the answer; an error raises."""
        return self.wait(self.send(CALL, destination, path, interface, member, signature, body, flags, fds))

    def receive(self):
        while len(self.buffer) < 16:
            self.more()
        body, fields = struct.unpack_from("<I", self.buffer, 4)[0], struct.unpack_from("<I", self.buffer, 12)[0]
        head = 16 + fields + -fields % 8
        while len(self.buffer) < head + body:
            self.more()
        whole, self.buffer = self.buffer[:head + body], self.buffer[head + body:]
        return Message(whole[:head], whole[head:])

    def more(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 1 << 16, 16)
        self.fds += fds  # kept open
        if not data:
            raise EOFError("the bus closed the connection")
        self.buffer += data

    def wait(self, serial):
        while True:
            answer = self.receive()
            if answer.fields.get("reply") == serial:
                if answer.kind == ERROR:
                    raise RuntimeError(answer.fields["error"] + ": " + " ".join(map(str, answer.body)))
                return answer.body

    def owner(self, name):
        return self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", "s", [name])[0]


def connection_of(pid):
    """The unique names of a process's connections."""
    bus = Bus()
    driver = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
    found = []
    for name in bus.call(*driver, "ListNames")[0]:
        if name.startswith(":"):
            try:
                if bus.call(*driver, "GetConnectionUnixProcessID", "s", [name])[0] == pid:
                    found.append(name)
            except RuntimeError:
                pass
    return found


def main(verb, destination, path, interface, member, signature="", *values):
    bus, body = Bus(), [json.loads(value) for value in values]
    destination = None if destination == "-" else destination
    if verb == "signal":
        bus.signal(destination, path, interface, member, signature, body)
        bus.owner("org.freedesktop.DBus")  # what was sent before is delivered
    else:
        try:
            print(json.dumps(bus.call(destination, path, interface, member, signature, body)))
        except RuntimeError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
