#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""xend as a whole on the host: XENSTORED XEND KERNEL

Real are xend, its workers and the store; the hypervisor is fake_hyper.c, the
backends and the hotplug script are below.  The client is Python's own
xmlrpc.client.  Ends with the line "N passed, N failed"."""
import http.client
import json
import mmap
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import xmlrpc.client

SOCKET = "/run/xend.sock"
USERDATA = "/var/lib/xen"
STORE = "/run/xs/socket"
SCRIPT = "/run/script"
SHUTDOWN, DYING = 4, 1


def own_world():
    """/run and /var are ours alone, whoever we are."""
    if os.environ.get("XEND_WORLD"):
        return
    os.environ["XEND_WORLD"] = "1"
    os.execvp("unshare", ["unshare", "-rm", "--propagation", "private",
                          sys.executable] + sys.argv)


class Store:
    """A client of xenstored."""

    def __init__(self):
        self.lock = threading.Lock()
        self.connect()

    def connect(self):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(STORE)

    def ask(self, kind, payload):
        """As often as xenstored is killed meanwhile."""
        while True:
            try:
                with self.lock:
                    return self.ask_once(kind, payload)
            except (EOFError, OSError):
                time.sleep(0.01)
                with self.lock:
                    try:
                        self.connect()
                    except OSError:
                        pass

    def ask_once(self, kind, payload):
        self.s.sendall(struct.pack("<IIII", kind, 1, 0, len(payload)) +
                       payload)
        head = self.take(16)
        kind, _, _, size = struct.unpack("<IIII", head)
        body = self.take(size)
        return None if kind == 16 else body

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read(self, path):
        v = self.ask(2, path.encode() + b"\0")
        return None if v is None else v.decode()

    def write(self, path, value):
        return self.ask(11, path.encode() + b"\0" + value.encode())

    def list(self, path):
        v = self.ask(1, path.encode() + b"\0")
        return [x.decode() for x in v.split(b"\0") if x] if v else []


class Backends(threading.Thread):
    """What the kernel's drivers do: 1 becomes 2, 5 becomes 6."""

    def __init__(self):
        super().__init__(daemon=True)
        self.store = Store()
        self.stop = self.busy = False

    def run(self):
        base = "/local/domain/0/backend"
        while not self.stop:
            for kind in ("vbd", "vif") if not self.busy else ():
                for dom in self.store.list(f"{base}/{kind}"):
                    for dev in self.store.list(f"{base}/{kind}/{dom}"):
                        path = f"{base}/{kind}/{dom}/{dev}/state"
                        now = self.store.read(path)
                        if now in ("1", "5"):
                            self.store.write(path, str(int(now) + 1))
            time.sleep(0.01)


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(SOCKET)


class UnixTransport(xmlrpc.client.Transport):
    def make_connection(self, host):
        return UnixConnection("localhost")


class Failure(Exception):
    pass


class Client:
    def __init__(self):
        self.proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2",
                                               UnixTransport(),
                                               allow_none=True)
        self.session = self.raw("session.login_with_password", "root", "")

    def raw(self, method, *args):
        v = getattr(self.proxy, method)(*args)
        if v["Status"] != "Success":
            raise Failure(*v["ErrorDescription"])
        return v["Value"]

    def __call__(self, method, *args):
        return self.raw(method, self.session, *args)


class Domains:
    """The hypervisor's table, as fake_hyper.c lays it out."""

    def all(self):
        with open("/run/fake/domains", "rb") as f:
            data = f.read()[64:]
        found = {}
        for i in range(64):
            d = struct.unpack_from("<II16sQQQIIII", data, 64 * i)
            if d[0]:
                found[d[0]] = d
        return found

    def change(self, domid, at, value):
        with open("/run/fake/domains", "r+b") as f:
            m = mmap.mmap(f.fileno(), 0)
            for i in range(1, 65):
                if struct.unpack_from("<I", m, 64 * i)[0] == domid:
                    struct.pack_into("<I", m, 64 * i + at, value)
            m.close()

    def end(self, domid, reason):
        """The domain shuts down."""
        self.change(domid, 4, SHUTDOWN | reason << 16)

    def vanish(self, domid):
        """Another tool destroys it."""
        self.change(domid, 0, 0)


def start_xend():
    p = subprocess.Popen([XEND, "-F", "--group=root"], stderr=LOG)
    for _ in range(3000):
        try:
            return p, Client()
        except (ConnectionError, FileNotFoundError):
            time.sleep(0.01)
    raise TimeoutError("xend does not answer")


def wait_for(what, seconds=60):
    end = time.time() + seconds
    while not what():
        if time.time() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


def record(name, **more):
    r = {"name": name, "memory": 128, "kernel": KERNEL, "cmdline": "x=1",
         "ramdisk": "/run/initrd", "vcpus": 2, "maxvcpus": 4,
         "disk": [{"target": "/run/disk.img", "vdev": "xvda",
                   "script": SCRIPT}],
         "vif": [{"bridge": "any", "script": SCRIPT}]}
    r.update(more)
    return r


def left_over():
    """What no guest may leave behind."""
    left = [f"domain {d}" for d in DOMAINS.all()]
    for path in ("/libxl", "/vm", "/local/domain/0/backend/vbd",
                 "/local/domain/0/backend/vif",
                 "/local/domain/0/backend/console"):
        left += [f"{path}/{x}" for x in STORE_CLIENT.list(path)]
    left += [x for x in STORE_CLIENT.list("/local/domain") if x != "0"]
    for folder in ("/run/hot", "/run/xend/vm", USERDATA):
        left += os.listdir(folder)
    return left


def clean(seconds=60):
    try:
        wait_for(lambda: (call("VM.get_all"), not left_over())[1], seconds)
    except TimeoutError:
        raise AssertionError(f"left behind: {left_over()}")


def refused(code, word, method, *args):
    try:
        call(method, *args)
    except Failure as e:
        assert e.args[0] == code, e.args
        assert word in e.args[-1], e.args
        assert "\n" not in e.args[-1]
        return
    raise AssertionError(f"{method} succeeded")


def call(method, *args):
    return CLIENT(method, *args)


def create(name, **more):
    ref = call("VM.create", record(name, **more))
    call("VM.start", ref, False)
    return ref, call("VM.get_record", ref)


# --- cases -----------------------------------------------------------------
def a_life():
    ref, r = create("life")
    domid = r["domid"]
    assert r["power_state"] == "Running" and r["name_label"] == "life"
    assert r["vcpus_max"] == 4 and len(r["vcpus"]) == 4
    assert r["memory_actual"] == 128 << 10
    assert r["disks"][0]["dev"] == "xvda"
    assert r["other_config"]["kernel"] == KERNEL
    assert len(os.listdir("/run/hot")) == 2
    read = STORE_CLIENT.read
    assert read(f"/local/domain/{domid}/name") == "life"
    with open(f"{USERDATA}/userdata-d.{domid}.{r['uuid']}.libxl-json") as f:
        config = json.loads(f.read().rstrip("\0"))
    assert config["disks"][0]["vdev"] == "xvda", config
    assert config["nics"][0]["mac"] == r["vifs"][0]["mac"], config
    assert read(f"/local/domain/{domid}/memory/target") == "131072"
    assert read(f"/local/domain/{domid}/cpu/3/availability") == "offline"
    assert read(f"/local/domain/{domid}/device/vbd/51712/state") == "1"
    assert ref in call("VM.get_all")
    assert call("VM.get_by_name_label", "life") == [ref]
    assert call("VM.get_by_domid", domid) == ref
    assert call("VM.get_by_uuid", r["uuid"]) == ref
    call("VM.pause", ref)
    brief = call("VM_metrics.get_record", ref)
    assert brief["power_state"] == "Paused" and "vcpus" not in brief
    assert call("VM_metrics.get_all_records")[ref] == brief
    assert call("VBD.list", ref)[0]["frontend_id"] == domid
    call("VM.unpause", ref)
    call("VM.clean_shutdown", ref)
    assert read(f"/local/domain/{domid}/control/shutdown") == "poweroff"
    DOMAINS.end(domid, 0)
    clean()


def memory_of_a_guest():
    """start_info and page tables, read as the guest's kernel would."""
    ref, r = create("memory")
    d = DOMAINS.all()[r["domid"]]
    with open("/run/fake/memory", "rb") as f:
        m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    l4 = d[7]

    def walk(va):
        table, pte = l4, 0
        for shift in (39, 30, 21, 12):
            pte, = struct.unpack_from("<Q", m, (table << 12) +
                                      8 * (va >> shift & 511))
            if not pte & 1:
                return None, 0
            table = (pte & 0xffffffffff000) >> 12
        return table, pte

    base, first = 0xffffffff80000000, d[5]
    info = None
    for pfn in range(0x1000, 0x8000):
        frame, pte = walk(base + (pfn << 12))
        if frame is None:
            break
        assert frame == first + pfn
        if m[frame << 12:(frame << 12) + 6] == b"xen-3.":
            info = frame << 12
    nr_pages, = struct.unpack_from("<Q", m, info + 32)
    assert nr_pages == 128 << 8
    pt_base, nr_pt, p2m = struct.unpack_from("<QQQ", m, info + 88)
    for i in range(nr_pt):
        _, pte = walk(pt_base + (i << 12))
        assert pte & 3 == 1, "a page table that can be written"
    for pfn in (0, 1, 4095, nr_pages - 1):
        frame, _ = walk(p2m + 8 * pfn)
        at = (frame << 12) + (8 * pfn & 4095)
        assert struct.unpack_from("<Q", m, at)[0] == first + pfn
    start, size = struct.unpack_from("<QQ", m, info + 112)
    with open("/run/initrd", "rb") as f:
        want = f.read()
    at = first + start << 12
    assert size == len(want) and m[at:at + size] == want
    assert m[info + 128:info + 132] == b"x=1\0"
    m.close()
    call("VM.destroy", ref)
    clean()


def policies():
    ref, r = create("boot", on_reboot="restart")
    call("VM.set_memory", ref, 100 << 10)
    call("VM.set_vcpus", ref, 1)
    call("VM.set_name_label", ref, "boat")
    call("VM.set_name_label", ref, "boot")
    DOMAINS.end(r["domid"], 1)
    wait_for(lambda: call("VM.get_record", ref)["domid"] > r["domid"])
    wait_for(lambda: call("VM.get_record", ref)["power_state"] == "Running")
    again = call("VM.get_record", ref)
    assert again["name_label"] == "boot"
    assert again["vifs"][0]["mac"] == r["vifs"][0]["mac"]
    wait_for(lambda: not DOMAINS.all().get(r["domid"]))
    DOMAINS.end(again["domid"], 3)          # crash: destroyed
    clean()
    # A name that other tools gave it and a record cannot have.
    ref, r = create("odd", on_reboot="restart")
    STORE_CLIENT.write(f"/local/domain/{r['domid']}/name", "not (a) name")
    DOMAINS.end(r["domid"], 1)
    wait_for(lambda: call("VM.get_record", ref)["domid"] > r["domid"])
    wait_for(lambda: call("VM.get_record", ref)["name_label"] == "odd")
    wait_for(lambda: try_destroy(ref))
    clean()
    ref, r = create("dump", on_crash="coredump-restart")
    DOMAINS.end(r["domid"], 3)
    wait_for(lambda: call("VM.get_record", ref)["domid"] > r["domid"])
    wait_for(lambda: try_destroy(ref))
    clean()
    ref, r = create("stay", on_poweroff="preserve")
    DOMAINS.end(r["domid"], 0)
    wait_for(lambda: call("VM.get_record", ref)["state"] == "---s--")
    time.sleep(0.2)
    assert call("VM.get_record", ref)["state"] == "---s--"
    call("VM.hard_shutdown", ref)
    clean()
    ref, r = create("stay", on_watchdog="preserve")
    DOMAINS.end(r["domid"], 4)
    wait_for(lambda: call("VM.get_record", ref)["state"] == "---sw-")
    call("VM.hard_shutdown", ref)
    clean()


def no_hurry():
    """A guest that ends as soon as it began waits for its restart."""
    for _ in range(20):
        begun = time.time()
        ref, r = create("brief", memory=16, disk=[], vif=[], ramdisk="",
                        kernel="/run/tiny", on_reboot="restart")
        ended = time.time()
        DOMAINS.end(r["domid"], 1)
        call("VM.get_all")                  # xend knows of it
        soon = time.time() - begun < 2      # or else it may go at once
        wait_for(lambda: call("VM.get_record", ref)["domid"] > r["domid"])
        took = time.time() - ended
        wait_for(lambda: try_destroy(ref))
        clean()
        if soon:
            assert took > 1.5, took
            return
    raise AssertionError("each one took two seconds to begin")


def bad_records():
    bad = "VALUE_NOT_SUPPORTED"
    refused(bad, "memory", "VM.create", record("x", memory="1"))
    refused(bad, "memory", "VM.create", record("x", memory=-1))
    refused(bad, "vcpus", "VM.create", record("x", vcpus=9))
    refused(bad, "name", "VM.create", record("a/b"))
    refused(bad, "cpus", "VM.create", record("x", cpus="1-"))
    refused(bad, "cpus", "VM.create", record("x", cpus=["0", "x"]))
    refused(bad, "cpus", "VM.create", record("x", cpus=["0", ["1"]]))
    refused(bad, "on_crash", "VM.create", record("x", on_crash="laugh"))
    refused(bad, "uuid", "VM.create", record("x", uuid="12"))
    refused(bad, "uuid", "VM.create", record("x", uuid="../../../etc"))
    refused(bad, "uuid", "VM.create", record(
        "x", uuid="01234567-89ab-cdef-0123-456789abcdef0"))
    refused(bad, "vdev", "VM.create", record("x", disk=[{"target": "/x"}]))
    refused(bad, "twice", "VM.create", record("x", disk=2 * [
        {"target": "/x", "vdev": "xvda"}]))
    refused(bad, "lists", "VM.create", record("x", disk="y"))
    refused(bad, "mac", "VM.create", record("x", vif=[{"mac": 5}]))
    refused(bad, "struct", "VM.create", 5)
    refused("MESSAGE_METHOD_UNKNOWN", "VM.fly", "VM.fly")
    refused("HANDLE_INVALID", "guest", "VM.start", "OpaqueRef:0", False)
    refused("HANDLE_INVALID", "guest", "VM.get_record", 7)
    try:
        CLIENT.raw("VM.get_all", "OpaqueRef:wrong")
        raise AssertionError("without a session")
    except Failure as e:
        assert e.args[0] == "SESSION_INVALID"
    clean()


def bad_starts():
    def start(code, word, **more):
        ref = call("VM.create", record("bad", **more))
        refused(code, word, "VM.start", ref, False)
        clean()
    error = "INTERNAL_ERROR"
    start(error, "/nosuch", kernel="/nosuch")
    start(error, "/nosuch", ramdisk="/nosuch")
    start(error, "/run/initrd", kernel="/run/initrd")
    start(error, "not a file", kernel="/run/fifo")
    start(error, "no initrd", ramdisk="/run/fifo")
    start(error, "cut short", kernel="/run/short")
    start(error, "damaged", kernel="/run/damaged")
    start("HOST_NOT_ENOUGH_FREE_MEMORY", "MiB missing", memory=100000)
    start(error, "need", memory=16)
    start(error, "/nosuch", disk=[{"target": "/nosuch", "vdev": "xvda"}])
    start(error, "bridge nosuch", vif=[{"bridge": "nosuch"}])
    start(error, "failing failed", vif=[{"script": "/run/failing"}])


def names():
    ref, r = create("first")
    refused("NAME_TAKEN", "first", "VM.create", record("first"))
    refused("UUID_TAKEN", "uuid", "VM.create",
            record("second", uuid=r["uuid"]))
    for odd in ("", "7", "a(b)", "a b", "x" * 100):
        refused("VALUE_NOT_SUPPORTED", "name", "VM.set_name_label", ref, odd)
    call("VM.set_name_label", ref, "new")
    assert call("VM.get_by_name_label", "first") == []
    assert STORE_CLIENT.read(f"/local/domain/{r['domid']}/name") == "new"
    refused("VM_BAD_POWER_STATE", "runs already", "VM.start", ref, False)
    call("VM.destroy", ref)
    refused("HANDLE_INVALID", "guest", "VM.destroy", ref)
    clean()


def changes():
    ref, r = create("change", maxmem=256)
    read = STORE_CLIENT.read
    top = f"/local/domain/{r['domid']}"
    call("VM.set_memory", ref, 100 << 10)
    assert read(f"{top}/memory/target") == str(100 << 10)
    refused("VALUE_NOT_SUPPORTED", "256 MiB", "VM.set_memory", ref, 300 << 10)
    call("VM.set_maxmem", ref, 300 << 10)
    call("VM.set_memory", ref, 300 << 10)
    call("VM.set_vcpus", ref, 3)
    assert read(f"{top}/cpu/2/availability") == "online"
    assert read(f"{top}/cpu/3/availability") == "offline"
    refused("VALUE_NOT_SUPPORTED", "maxvcpus", "VM.set_vcpus", ref, 5)
    call("VM.pin_vcpu", ref, 0, "0-2,^1", "-")
    refused("VALUE_NOT_SUPPORTED", "0-2", "VM.pin_vcpu", ref, 0, "9", "-")
    call("VM.set_sched", ref, 512, 50)
    call("VM.send_sysrq", ref, "h")
    assert read(f"{top}/control/sysrq") == "h"
    call("VBD.attach", ref, {"target": "/run/disk.img", "vdev": "xvdb",
                             "access": "ro", "script": SCRIPT})
    assert [d["dev"] for d in call("VBD.list", ref)] == ["xvda", "xvdb"]
    assert call("VBD.list", ref)[1]["access"] == "r"
    refused("INTERNAL_ERROR", "in use", "VBD.attach", ref,
            {"target": "/run/disk.img", "vdev": "xvdb", "script": SCRIPT})
    refused("INTERNAL_ERROR", "/nosuch", "VBD.attach", ref,
            {"target": "/nosuch", "vdev": "xvdc", "script": SCRIPT})
    config = call("VM.get_record", ref)["other_config"]
    assert [d["vdev"] for d in config["disk"]] == ["xvda", "xvdb"]
    call("VBD.detach", ref, "xvdb")
    config = call("VM.get_record", ref)["other_config"]
    assert [d["vdev"] for d in config["disk"]] == ["xvda"]
    refused("HANDLE_INVALID", "block-list", "VBD.detach", ref, "xvdb")
    call("VIF.attach", ref, {"bridge": "any", "script": SCRIPT})
    refused("HANDLE_INVALID", "network-list", "VIF.detach", ref, "")
    call("VIF.detach", ref, 1)
    assert len(call("VIF.list", ref)) == 1
    call("VM.destroy", ref)
    clean()


def release():
    """The script that is being held goes on."""
    wait_for(lambda: os.path.exists("/run/is-held"))
    os.unlink("/run/is-held")


def events_and_tasks():
    other = Client()
    token = other("event.from", ["vm", "task"], "", 0.0)["token"]
    for _ in range(5):
        start = time.time()
        empty = other("event.from", ["vm"], token, 0.3)
        took = time.time() - start
        assert not empty["events"] and took > 0.25
        if took < 5:
            break
    assert took < 5
    ref = call("VM.create", record("event", vif=[{"script": "/run/held"}]))
    got = other("event.from", ["vm"], token, 10)
    assert got["events"][0]["ref"] == ref, got
    assert got["events"][0]["operation"] == "add"
    task = call("Async.VM.start", ref, False)

    def halfway():
        nonlocal got
        got = other("event.from", ["task"], got["token"], 10)
        return 0 < call("task.get_record", task)["progress"] < 1
    wait_for(halfway)
    assert call("task.get_record", task)["status"] == "pending"
    release()
    while call("task.get_record", task)["status"] == "pending":
        got = other("event.from", ["task"], got["token"], 10)
    t = call("task.get_record", task)
    assert t["status"] == "success" and t["progress"] == 1, t
    call("VM.destroy", ref)
    ref = call("VM.create", record("event", kernel="/nosuch"))
    task = call("Async.VM.start", ref, False)
    wait_for(lambda: call("task.get_record", task)["status"] != "pending")
    t = call("task.get_record", task)
    assert t["status"] == "failure" and "/nosuch" in t["error_info"][1]
    clean()


def host():
    r = call("host.get_record", "OpaqueRef:host")
    assert r["nr_cpus"] == 4 and r["xen_version"] == "4.17"
    assert "a log" in call("host.dmesg", "OpaqueRef:host", False)
    assert call("VM.get_record", call("VM.get_by_domid", 0))["domid"] == 0
    refused("OPERATION_NOT_ALLOWED", "Domain-0", "VM.destroy",
            call("VM.get_by_domid", 0))


def destroyed_while_starting():
    ref = call("VM.create", record("slow", vif=[{"script": "/run/held"}]))
    call("Async.VM.start", ref, False)
    wait_for(lambda: os.path.exists("/run/is-held"))
    refused("OTHER_OPERATION_IN_PROGRESS", "slow", "VM.start", ref, False)
    body = xmlrpc.client.dumps((CLIENT.session, ref), "VM.destroy").encode()
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(SOCKET)
    s.sendall(b"POST /RPC2 HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" %
              (len(body), body))
    for _ in range(5):          # when they are answered, that one is begun
        call("VM.get_all")
    release()
    answer = b""
    while b"</methodResponse>" not in answer:
        more = s.recv(65536)
        assert more, answer
        answer += more
    assert b"Success" in answer, answer
    s.close()
    clean()


def changed_while_starting():
    """What would be lost, or half a guest would run, is refused."""
    ref = call("VM.create", record("slow", vif=[{"script": "/run/held"}]))
    task = call("Async.VM.start", ref, False)
    wait_for(lambda: os.path.exists("/run/is-held"))
    for method, *args in (
            ("VM.unpause",), ("VM.pause",), ("VM.clean_reboot",),
            ("VM.set_name_label", "other"), ("VM.set_memory", 100 << 10)):
        refused("OTHER_OPERATION_IN_PROGRESS", "slow", method, ref, *args)
    assert len(call("VBD.list", ref)) == 1
    release()
    wait_for(lambda: call("task.get_record", task)["status"] != "pending")
    t = call("task.get_record", task)
    assert t["status"] == "success", t
    r = call("VM.get_record", ref)
    assert r["name_label"] == "slow" and r["power_state"] == "Running"
    # During an attach it is as ever.
    t, _ = attach_slowly(ref)
    call("VM.set_memory", ref, 100 << 10)
    call("VM.set_name_label", ref, "quick")
    release()
    t.join()
    assert len(call("VIF.list", ref)) == 2
    assert call("VM.get_record", ref)["name_label"] == "quick"
    call("VM.destroy", ref)
    clean()


def foreign_guest():
    """Another tool's guest is seen, and can be ended."""
    with open("/run/fake/domains", "r+b") as f:
        m = mmap.mmap(f.fileno(), 0)
        struct.pack_into("<II16sQQQIIII", m, 64 + 64 * 63, 999, 0,
                         b"x" * 16, 0, 0, 0, 1, 0, 0, 0)
        m.close()
    STORE_CLIENT.write("/local/domain/999/name", "theirs")
    ref, = call("VM.get_by_name_label", "theirs")
    assert not call("VM.get_record", ref)["managed"]
    refused("NAME_TAKEN", "theirs", "VM.create", record("theirs"))
    DOMAINS.end(999, 0)
    time.sleep(0.1)
    assert call("VM.get_by_domid", 999) == ref     # not ours to act on
    call("VM.destroy", ref)
    clean()


def garbage_on_the_socket():
    def talk(data):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(SOCKET)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            return s.recv(100)
        except (ConnectionError, BrokenPipeError):
            return b""
    head = b"POST /RPC2 HTTP/1.1\r\nContent-Length: "
    assert os.stat(SOCKET).st_mode & 0o777 == 0o660     # --group
    talk(b"")
    assert b"400" in talk(b"\r\n\r\n")
    assert talk(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")[9:12] == b"404"
    assert b"4" in talk(head + b"99999999999\r\n\r\n")[9:12]
    assert b"4" in talk(b"x" * 20000)[9:12]
    talk(head + b"100\r\n\r\n<methodCall>")
    assert b"200" in talk(head + b"3\r\n\r\nabc")
    random.seed(5)
    for _ in range(200):
        n = random.randrange(60)
        body = bytes(random.randrange(256) for _ in range(n))
        talk(head + str(n).encode() + b"\r\n\r\n" + body)
    held = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for s in held:
        s.connect(SOCKET)
        s.sendall(head)
    assert call("VM.get_all")
    for s in held:
        s.close()


def descriptors():
    return len(os.listdir(f"/proc/{PROCESS.pid}/fd"))


def long_polls_that_hang_up():
    """More than there may be at a time, one after the other."""
    time.sleep(0.2)             # those of an earlier case are closed
    before = descriptors()
    token = call("event.from", ["vm"], "", 0.0)["token"]
    for _ in range(3):
        held = []
        for i in range(100):
            body = xmlrpc.client.dumps((CLIENT.session, ["vm"], token, 60.0),
                                       "event.from").encode()
            s = socket.socket(socket.AF_UNIX)
            s.connect(SOCKET)
            s.sendall(b"POST /RPC2 HTTP/1.1\r\nContent-Length: %d\r\n\r\n" %
                      len(body) + body)
            held.append(s)
        wait_for(lambda: descriptors() > before + 95)
        for s in held:
            s.close()
        wait_for(lambda: (call("VM.get_all"), descriptors() == before)[1])


def many_clients():
    """They change, end and make the same guests, and hang up."""
    end = time.time() + 8
    random.seed(7)
    odd = []

    def answers(client, *args):
        try:
            return client(*args)
        except Failure as e:
            if e.args[0] not in ("HANDLE_INVALID", "VM_BAD_POWER_STATE",
                                 "NAME_TAKEN", "OPERATION_ABORTED",
                                 "OTHER_OPERATION_IN_PROGRESS") and \
               "in use" not in e.args[-1] and "such" not in e.args[-1]:
                odd.append((args, e.args))

    def work(me):
        client = Client()
        rnd = random.Random(me)
        disk = {"target": "/run/disk.img", "vdev": "xvdb", "script": SCRIPT}
        small = {"memory": 16, "ramdisk": "", "kernel": "/run/tiny",
                 "on_reboot": "restart"}
        while time.time() < end and not odd:
            name = f"busy{rnd.randrange(2)}"
            refs = answers(client, "VM.get_by_name_label", name)
            if not refs:
                ref = answers(client, "VM.create", record(name, **small))
                if ref:
                    answers(client, "VM.start", ref, False)
                continue
            ref = refs[0]
            what = rnd.randrange(10)
            if what == 0:
                answers(client, "VM.destroy", ref)
            elif what == 1:
                r = answers(client, "VM.get_record", ref)
                if r and r["domid"] > 0:
                    DOMAINS.end(r["domid"], rnd.randrange(2))
            elif what == 2:
                r = answers(client, "VM.get_record", ref)
                if r and r["domid"] > 0 and rnd.randrange(4) == 0:
                    DOMAINS.vanish(r["domid"])
            elif what == 3:
                answers(client, "VBD.attach", ref, disk)
            elif what == 4:
                answers(client, "VBD.detach", ref, "xvdb", True)
            elif what == 5:
                answers(client, "VM.set_name_label", ref, name + "x")
                answers(client, "VM.set_name_label", ref, name)
            elif what == 6:         # goes before it is answered
                body = xmlrpc.client.dumps((client.session, ref, disk),
                                           "VBD.attach").encode()
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(SOCKET)
                    s.sendall(b"POST /RPC2 HTTP/1.1\r\nContent-Length: "
                              b"%d\r\n\r\n" % len(body) + body)
            else:
                answers(client, "VM.get_all_records")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not odd, odd
    assert PROCESS.poll() is None
    end = time.time() + 30
    while call("VM.get_all")[1:] and time.time() < end:
        for ref in call("VM.get_all"):
            if call("VM.get_record", ref)["domid"]:
                try_destroy(ref)
    clean()


def resident():
    with open(f"/proc/{PROCESS.pid}/status") as f:
        return int(re.search(r"VmRSS:\s*(\d+)", f.read())[1])


def memory_of_xend():
    before = resident()
    refs = [create(f"n{i}", memory=16, disk=[], vif=[], ramdisk="",
                   kernel="/run/tiny")[0] for i in range(50)]
    call("VM.get_all_records")
    rss = resident()
    print(f"             50 guests: xend has {rss} KiB, before {before}")
    if "plain" in XEND:         # the sanitizer needs more
        assert rss < 6144, rss
    for ref in refs:
        call("VM.destroy", ref)
    clean()


def killed_at_any_time():
    """20 random moments of creating, running and destroying."""
    global PROCESS, CLIENT
    random.seed(1)
    survivor, r = create("survivor")
    domid = r["domid"]

    def work():
        try:
            client = Client()
            while True:
                ref = client("VM.create", record("victim"))
                client("VM.start", ref, False)
                client("VM.destroy", ref)
        except (Failure, OSError, EOFError, http.client.HTTPException):
            pass

    for i in range(20):
        t = threading.Thread(target=work, daemon=True)
        t.start()
        time.sleep(random.random() * 0.8)
        PROCESS.send_signal(signal.SIGKILL)
        PROCESS.wait()
        t.join()
        PROCESS, CLIENT = start_xend()
        r = call("VM.get_record", survivor)
        assert r["domid"] == domid and r["power_state"] == "Running", r

        def only_survivor():
            for ref in call("VM.get_by_name_label", "victim"):
                try_destroy(ref)
            return set(DOMAINS.all()) == {domid}
        wait_for(only_survivor)
    call("VM.destroy", survivor)
    clean()


def killed_while_restarting():
    """A guest that reboots comes back, whenever xend is killed."""
    global PROCESS, CLIENT
    random.seed(2)
    ref, r = create("again", on_reboot="restart")
    for i in range(12):
        if i % 2:
            time.sleep(2)       # so that it is started again at once
        DOMAINS.end(r["domid"], 1)
        call("VM.get_all")
        time.sleep(random.random() * 0.5)
        PROCESS.send_signal(signal.SIGKILL)
        PROCESS.wait()
        PROCESS, CLIENT = start_xend()
        old = r["domid"]
        wait_for(lambda: call("VM.get_record", ref)["domid"] > old)
        wait_for(lambda: call("VM.get_record", ref)["power_state"] ==
                 "Running")
        wait_for(lambda: len(DOMAINS.all()) == 1)
        r = call("VM.get_record", ref)
        assert r["name_label"] == "again"
    wait_for(lambda: try_destroy(ref))
    clean()


def ended_by_others_while_xend_was_dead():
    """Then it is forgotten, and its name is free; a record that was cut
    off in the midst is removed."""
    global PROCESS, CLIENT
    ref, r = create("lost", disk=[], vif=[])
    PROCESS.send_signal(signal.SIGKILL)
    PROCESS.wait()
    with open(f"/run/xend/vm/.{r['uuid']}", "w") as f:
        f.write("<?xml")
    with open("/run/fake/domains", "r+b") as f:
        m = mmap.mmap(f.fileno(), 0)
        for i in range(64):
            struct.pack_into("<I", m, 64 + 64 * i, 0)
        m.close()
    top = f"/local/domain/{r['domid']}"
    for path in (top, f"/libxl/{r['domid']}", f"/vm/{r['uuid']}",
                 f"/local/domain/0/backend/console/{r['domid']}"):
        STORE_CLIENT.ask(13, path.encode() + b"\0")
    for name in os.listdir(USERDATA):
        os.unlink(f"{USERDATA}/{name}")
    PROCESS, CLIENT = start_xend()
    clean()


def found_again_though_the_store_was_lost():
    """What runs is not ended because the store knows nothing of it."""
    global PROCESS, CLIENT
    ref, r = create("kept", disk=[], vif=[])
    PROCESS.send_signal(signal.SIGKILL)
    PROCESS.wait()
    for path in (f"/libxl/{r['domid']}", f"/local/domain/{r['domid']}",
                 f"/vm/{r['uuid']}"):
        STORE_CLIENT.ask(13, path.encode() + b"\0")
    PROCESS, CLIENT = start_xend()
    assert call("VM.get_record", ref)["domid"] == r["domid"]
    assert list(DOMAINS.all()) == [r["domid"]]
    call("VM.destroy", ref)
    clean()


def start_xenstored():
    p = subprocess.Popen([XENSTORED, "-N", "-D", "-S", "/run/xs"],
                         stderr=LOG)
    for _ in range(3000):
        if os.path.exists(STORE):
            break
        time.sleep(0.01)
    return p


def comes_back(ref, old):
    """What wait_for() needs to know of a guest that is started again."""
    def check():
        r = call("VM.get_record", ref)
        return r["domid"] > old and r["other_config"]["phase"] == "running"
    return check


def reboots_while_backends_are_busy():
    """For longer than a detach waits."""
    ref, r = create("patient", on_reboot="restart", vif=[])
    BACKENDS.busy = True
    DOMAINS.end(r["domid"], 1)
    start = time.time()
    while time.time() - start < 14:
        call("VM.get_all_records")
        time.sleep(0.1)
    assert not comes_back(ref, r["domid"])()
    BACKENDS.busy = False
    wait_for(comes_back(ref, r["domid"]))
    assert len(call("VBD.list", ref)) == 1
    call("VM.destroy", ref)
    clean()


def reboots_while_xenstored_is_restarted():
    """At each of several moments; one is while the start is put off."""
    global STORED
    ref, r = create("store", on_reboot="restart")
    for moment in (0.05, 0.2, 1, 1.9):
        DOMAINS.end(r["domid"], 1)
        call("VM.get_all")
        time.sleep(moment)
        STORED.kill()
        STORED.wait()
        os.unlink(STORE)
        time.sleep(1.5)
        STORED = start_xenstored()
        wait_for(comes_back(ref, r["domid"]), 30)
        r = call("VM.get_record", ref)
        assert len(r["disks"]) == 1 and len(r["vifs"]) == 1, r
        wait_for(lambda: len(DOMAINS.all()) == 1)
    call("VM.destroy", ref)
    clean()


def attach_slowly(ref):
    """Until the script is released."""
    result = []

    def attach():
        try:
            result.append(Client()("VIF.attach", ref,
                                   {"script": "/run/held"}))
        except Failure as e:
            result.append(e)
    t = threading.Thread(target=attach)
    t.start()
    wait_for(lambda: os.path.exists("/run/is-held"))
    return t, result


def ends_within_an_attach():
    """It reboots, or another tool destroys it."""
    ref, r = create("within", on_reboot="restart")
    t, result = attach_slowly(ref)
    DOMAINS.end(r["domid"], 1)
    release()
    t.join()
    assert result == [""], result
    release()                   # it attaches that one again
    wait_for(comes_back(ref, r["domid"]))
    r = call("VM.get_record", ref)
    assert len(r["vifs"]) == 2 and len(r["other_config"]["vif"]) == 2
    t, result = attach_slowly(ref)
    refused("OTHER_OPERATION_IN_PROGRESS", "within", "VBD.detach", ref, "xvda")
    DOMAINS.vanish(r["domid"])
    release()
    t.join()
    clean()


def ends_within_a_detach():
    """The backend waits for a guest that is not there any more."""
    ref, r = create("within", on_reboot="restart", vif=[])
    BACKENDS.busy = True
    t = threading.Thread(target=lambda: refused(
        "INTERNAL_ERROR", "let go", "VBD.detach", ref, "xvda"))
    t.start()
    time.sleep(0.3)
    DOMAINS.end(r["domid"], 1)
    t.join()
    BACKENDS.busy = False
    wait_for(comes_back(ref, r["domid"]))
    assert len(call("VBD.list", ref)) == 1
    call("VM.destroy", ref)
    clean()


def killed_when_restarted():
    """The restart is done, and only the record does not say so yet."""
    global PROCESS, CLIENT
    ref, r = create("done")
    PROCESS.send_signal(signal.SIGKILL)
    PROCESS.wait()
    path = f"/run/xend/vm/{r['uuid']}"
    with open(path) as f:
        text = f.read()
    assert text.count(">running<") == 1, text
    with open(path, "w") as f:
        f.write(text.replace(">running<", ">restarting<"))
    PROCESS, CLIENT = start_xend()
    again = call("VM.get_record", ref)
    assert again["domid"] == r["domid"] and r["domid"] in DOMAINS.all()
    assert again["other_config"]["phase"] == "running", again
    call("VM.destroy", ref)
    clean()


def ended_while_xend_was_dead():
    global PROCESS, CLIENT
    ref, r = create("late", on_reboot="restart")
    PROCESS.send_signal(signal.SIGKILL)
    PROCESS.wait()
    DOMAINS.end(r["domid"], 1)
    PROCESS, CLIENT = start_xend()
    wait_for(lambda: call("VM.get_record", ref)["domid"] > r["domid"])
    wait_for(lambda: try_destroy(ref))
    clean()


def try_destroy(ref):
    try:
        call("VM.destroy", ref)
        return True
    except Failure:
        return False


def tiny_kernel():
    """A PV kernel of one page that does nothing."""
    def note(kind, data):
        return struct.pack("<III", 4, len(data), kind) + b"Xen\0" + data
    notes = (note(1, struct.pack("<Q", 0xffffffff80100000)) +
             note(3, struct.pack("<Q", 0xffffffff80000000)) +
             note(5, b"xen-3.0\0") + note(16, struct.pack("<Q", 1)))
    def segment(kind, offset, size, where):
        return struct.pack("<IIQQQQQQ", kind, 7, offset, where, where, size,
                           size, 4096)
    return (b"\x7fELF\2\1\1" + bytes(9) +
            struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 2,
                        0, 0, 0) +
            segment(1, 0, 256 + len(notes), 0x100000) +
            segment(4, 256, len(notes), 0)).ljust(256, b"\0") + notes


CASES = [a_life, memory_of_a_guest, policies, no_hurry, bad_records,
         bad_starts, names, changes, events_and_tasks, host,
         destroyed_while_starting, changed_while_starting, foreign_guest,
         garbage_on_the_socket, long_polls_that_hang_up, many_clients,
         memory_of_xend, killed_at_any_time, killed_while_restarting,
         reboots_while_backends_are_busy, reboots_while_xenstored_is_restarted,
         ends_within_an_attach, ends_within_a_detach, killed_when_restarted,
         ended_while_xend_was_dead, ended_by_others_while_xend_was_dead,
         found_again_though_the_store_was_lost]

own_world()
XENSTORED, XEND, KERNEL = (os.path.abspath(p) for p in sys.argv[1:4])
CHOICE = sys.argv[4:]
shutil.copy(KERNEL, "/tmp/kernel.test_xend")
for folder in ("/run", "/var"):
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
for folder in ("/run/xs", "/run/fake", "/run/hot", "/run/lock", USERDATA):
    os.makedirs(folder)
KERNEL = "/run/vmlinuz"
shutil.move("/tmp/kernel.test_xend", KERNEL)
with open(KERNEL, "rb") as f:
    image = f.read()
with open("/run/short", "wb") as f:
    f.write(image[:len(image) // 2])
middle = len(image) // 2
with open("/run/damaged", "wb") as f:
    f.write(image[:middle] + bytes(64) + image[middle + 64:])
with open("/run/tiny", "wb") as f:
    f.write(tiny_kernel())
with open("/run/initrd", "wb") as f:
    f.write(bytes(range(256)) * 5000 + b"end")
os.mkfifo("/run/fifo")
with open("/run/disk.img", "wb") as f:
    f.truncate(1 << 20)


def script(path, add):
    with open(path, "w") as f:
        f.write(f"""#!/bin/sh
f=/run/hot/$(echo "$XENBUS_PATH" | tr / _)
case $1 in
add|online) {add} ;;
remove|offline) rm -f "$f" ;;
esac
""")
    os.chmod(path, 0o755)


script(SCRIPT, 'touch "$f"')
script("/run/failing", "exit 1")
script("/run/held", '''touch /run/is-held
    while [ -e /run/is-held ]; do sleep 0.02; done''')
os.environ["XENSTORED_SOCKET"] = STORE
LOG = open("/run/xend.log", "wb")
STORED = start_xenstored()
STORE_CLIENT = Store()
STORE_CLIENT.write("/local/domain/0/name", "Domain-0")
DOMAINS = Domains()
BACKENDS = Backends()
BACKENDS.start()
PROCESS, CLIENT = start_xend()
passed = failed = 0
for case in CASES:
    if CHOICE and case.__name__ not in CHOICE:
        continue
    try:
        case()
        passed += 1
    except Exception:
        failed += 1
        print(f"FAIL {case.__name__}")
        traceback.print_exc(file=sys.stdout)
BACKENDS.stop = True
PROCESS.kill()
STORED.kill()
if failed:
    with open("/run/xend.log") as f:
        print(f.read()[-4000:])
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
