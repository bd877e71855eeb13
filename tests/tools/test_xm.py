#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""test_xm.py XM RPC_ECHO: the wire code of lib/rpc.c against Python's
xmlrpc.client, and xm - its domain files, tables and exit codes - against a
xend played by Python's own XML-RPC server."""
import http.client
import json
import os
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import tty
import xmlrpc.client
import xmlrpc.server

xm, echo = sys.argv[1:3]
top = tempfile.mkdtemp()
passed = failed = 0


def check(name, ok, why=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print(f"FAILED {name}: {why}")


def equal(name, got, want):
    check(name, got == want, f"got {got!r}, want {want!r}")


class UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def make_connection(self, host):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.path)
        return connection


def wait_for(path):
    for _ in range(600):
        if os.path.exists(path):
            return
        time.sleep(0.05)


# The wire.
path = top + "/echo"
server = subprocess.Popen([echo, path])
wait_for(path)
proxy = xmlrpc.client.ServerProxy("http://x", UnixTransport(path),
                                  allow_none=True)
for v in (0, -1, 2**31 - 1, True, False, 1.5, -1e300, "", "text", " \t\n x ",
          "<&>\"'", "äöü €", "\U0001f600", [], [1, [2, ["3"]]], {},
          {"a": 1, "b": {"c": [None]}, "<": "&"}, None, "x" * 300000):
    equal(f"echo of {str(v)[:20]!r}", proxy.echo(v), v)
equal("failure", proxy.fail(), {"Status": "Failure", "ErrorDescription": [
    "CODE", "because"]})


def raw(data, part=0):
    """What the server answers to these bytes."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    if part:
        for i in range(0, len(data), part):
            s.sendall(data[i:i + part])
            time.sleep(0.001)
    else:
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    out = b""
    try:
        while more := s.recv(65536):
            out += more
    except ConnectionError:
        pass
    return out


def post(body, head=b""):
    return (b"POST /RPC2 HTTP/1.1\r\n" + head + b"Content-Length: %d\r\n\r\n"
            % len(body) + body)


def call(value):
    return (b"<?xml version='1.0'?><methodCall><methodName>echo</methodName>"
            b"<params><param><value>" + value +
            b"</value></param></params></methodCall>")


check("in pieces", b"<int>7</int>" in raw(post(call(b"<i4>7</i4>")), 3))
check("i8", b"<i8>1099511627776</i8>" in
      raw(post(call(b"<i8>1099511627776</i8>"))))
check("bare string", b"<string>bare</string>" in raw(post(call(b"bare"))))
for name, body in {
        "no xml": b"hello", "empty": b"", "cut": call(b"<int>1")[:-20],
        "bad number": call(b"<int>1x</int>"), "no number": call(b"<int/>"),
        "huge number": call(b"<i8>99999999999999999999</i8>"),
        "unknown type": call(b"<date/>"), "other root": b"<a/>",
        "deep": call(b"<array><data><value>" * 40 +
                     b"</value></data></array>" * 40),
        "very deep": call(b"<array><data><value>" * 9000),
        "entity": b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + call(b"&a;"),
        "laughs": b"<!DOCTYPE x [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]>" +
                  call(b"&b;"),
        "file": b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" + call(b"1"),
        "member": call(b"<struct><member><name>x</name></member></struct>"),
}.items():
    check(name, b"<fault>" in raw(post(body)), raw(post(body))[:200])
for name, data in {
        "no length": b"POST /RPC2 HTTP/1.1\r\n\r\n",
        "length no number": b"POST /RPC2 HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "too long": b"POST /RPC2 HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n",
        "two lengths": post(b"ab", b"Content-Length: 9\r\n"),
        "chunked": post(b"ab", b"Transfer-Encoding: chunked\r\n"),
        "endless head": b"POST /RPC2 HTTP/1.1\r\nX: " + b"y" * 20000,
        "nul": b"POST /RPC2 HTTP/1.1\r\nX\0: 1\r\n\r\n",
}.items():
    check(name, raw(data).startswith(b"HTTP/1.1 400"), raw(data)[:80])
check("get", raw(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
      .startswith(b"HTTP/1.1 404"))
equal("still there", proxy.echo(1), 1)
check("no memory error", server.poll() is None)
server.kill()
server.wait()


# Domain files: `xm create -n` prints the record that xend would get.
def run(*args, **env):
    r = subprocess.run([xm, *args], capture_output=True, text=True,
                       stdin=subprocess.DEVNULL,
                       env={**os.environ, "XEND_SOCKET": top + "/xend", **env})
    return r.returncode, r.stdout, r.stderr


def record(text, *args, file="d.cfg"):
    with open(f"{top}/{file}", "w") as f:
        f.write(text)
    return run("create", "-n", f"{top}/{file}", *args)


BASE = "name='g'\nkernel='/k'\n"


def accepted(name, text, want, *args, file="d.cfg", note=""):
    code, out, err = record(text, *args, file=file)
    got = json.loads(out) if not code else {}
    check(name, code == 0 and all(got.get(k) == v for k, v in want.items())
          and note in err, f"{code} {got} {err}")


def refused(name, text, want, *args, file="d.cfg"):
    code, out, err = record(text, *args, file=file)
    check(name, code == 1 and want in err and err.count("\n") == 1,
          f"{code} {err}")


accepted("plain", BASE + "memory=64\nvcpus = 2", {
    "name": "g", "kernel": "/k", "memory": 64, "vcpus": 2})
accepted("comments", "# a\n\n" + BASE + "  memory = \"0x40\" # hex ; \n"
         "vcpus=1;maxvcpus=3 ; ", {"memory": 64, "vcpus": 1, "maxvcpus": 3})
accepted("default memory", BASE, {"memory": 128})
accepted("escapes", BASE + r"extra='a\'b\\c'", {"cmdline": r"a'b\c"})
accepted("root and extra", BASE + "root='/dev/xvda ro'\nextra=\"quiet\"",
         {"cmdline": "root=/dev/xvda ro quiet"})
accepted("cmdline wins", BASE + "extra='b'\ncmdline='a'", {"cmdline": "a"},
         note="extra ignored")
accepted("unknown key", BASE + "nosuch = [ 'x', 'y' ]\nmemory=64",
         {"memory": 64}, note="d.cfg:3: unknown key 'nosuch' ignored")
accepted("later wins", BASE + "memory=64\nmemory=32", {"memory": 32})
accepted("command line", BASE + "memory=64",
         {"name": "other", "memory": 32, "vif": [{}]}, "name=other",
         "memory=32", "vif=['']")
accepted("cpus list", BASE + "cpus = ['0', '1']", {"cpus": ["0", "1"]})
accepted("cpus", BASE + "cpus = '0-2,^1'", {"cpus": "0-2,^1"})
DISK = {"target": "/dev/vg/g", "format": "raw", "vdev": "xvda",
        "access": "rw"}
for spec in ("phy:/dev/vg/g,xvda,w", "/dev/vg/g,raw,xvda,rw",
             "/dev/vg/g,,xvda", "file:/dev/vg/g,xvda,w", "phy:vg/g,xvda,rw",
             "format=raw, vdev=xvda, access=rw, target=/dev/vg/g",
             "vdev=xvda,target=/dev/vg/g", "/dev/vg/g,vdev=xvda,access=w",
             "raw:/dev/vg/g,xvda,w"[4:].replace("g,xvda", "g,raw,xvda")):
    accepted(spec, BASE + f"disk=['{spec}']", {"disk": [DISK]})
accepted("read-only", BASE + "disk=['phy:/dev/vg/g,xvda,r']",
         {"disk": [{**DISK, "access": "ro"}]})
accepted("two disks", BASE + "disk = [\n 'phy:/a,xvda,w', # one\n\n"
         "'phy:/b,xvdb1,w',\n]\nmemory=32",
         {"disk": [{**DISK, "target": "/a"},
                   {**DISK, "target": "/b", "vdev": "xvdb1"}], "memory": 32})
accepted("target with comma", BASE + "disk=['vdev=xvda,target=/a,b=c']",
         {"disk": [{**DISK, "target": "/a,b=c"}]})
accepted("vif", BASE + "vif=['mac=00:16:3e:00:00:01, bridge=xenbr0','']",
         {"vif": [{"mac": "00:16:3e:00:00:01", "bridge": "xenbr0"}, {}]})
accepted("vif key", BASE + "vif=['model=e1000']", {"vif": [{}]},
         note="d.cfg:3: vif: unknown key 'model' ignored")
accepted("actions", BASE + "on_crash='coredump-restart'\non_reboot='restart'",
         {"on_crash": "coredump-restart", "on_reboot": "restart"})
accepted("pv", BASE + "type='pv'\nbuilder='generic'", {"name": "g"})
for name, text, want in (
        ("no name", "kernel='/k'", "d.cfg: no name"),
        ("no kernel", "name='g'", "no kernel"),
        ("not a number", BASE + "\nmemory='12x'", "d.cfg:4: memory: 12x"),
        ("string wanted", BASE + "kernel=['/k']", "d.cfg:3: kernel: a path"),
        ("too many", BASE + "vcpus=1000", "d.cfg:3: vcpus: 1000"),
        ("zero", BASE + "memory=0", "memory: 0"),
        ("number name", BASE + "name='12'", "d.cfg:3: name"),
        ("long name", BASE + f"name='{100 * 'x'}'", "d.cfg:3: name"),
        ("odd name", BASE + "name='a(b)'", "d.cfg:3: name"),
        ("ports", BASE + "max_event_channels=4096", "d.cfg:3: max_event"),
        ("long line", BASE + f"cmdline='{1024 * 'x'}'", "d.cfg:3: cmdline"),
        ("uuid", BASE + "uuid='12'", "d.cfg:3: uuid"),
        ("open string", BASE + "extra='abc\n", "d.cfg:3: a string without"),
        ("open list", BASE + "disk=[ 'a'\n\n", "d.cfg:5: "),
        ("no value", BASE + "vcpus=\n", "d.cfg:3: "),
        ("no equals", BASE + "vcpus 2\n", "d.cfg:3: KEY = VALUE"),
        ("rubbish", "\x01\x02", "d.cfg:1: "),
        ("more behind", BASE + "vcpus=2 3", "d.cfg:3: nothing"),
        ("action", BASE + "on_crash='explode'", "d.cfg:3: on_crash"),
        ("hvm", BASE + "type='hvm'", "only PV"),
        ("maxmem", BASE + "memory=64\nmaxmem=32", "maxmem is less"),
        ("qcow2", BASE + "disk=['/a,qcow2,xvda,w']", "format: raw, an image or block device, is wanted, not 'qcow2'"),
        ("vdev", BASE + "disk=['/a,raw,foo,w']", "vdev: one like xvda is wanted, not 'foo'"),
        ("no vdev", BASE + "disk=['/a']", "vdev: one like xvda is wanted, not ''"),
        ("no target", BASE + "disk=['vdev=xvda']", "no target"),
        ("disk twice", BASE + "disk=['/a,,xvda','/b,,xvda']", "xvda twice"),
        ("access", BASE + "disk=['/a,raw,xvda,x']", "access: rw or ro is wanted, not 'x'"),
        ("too much", BASE + "disk=['/a,raw,xvda,w,z']", "'z' is one"),
        ("cpus", BASE + "cpus='1-'", "d.cfg:3: cpus: a string like"),
        ("cpus item", BASE + "cpus=['0', 'x']", "d.cfg:3: cpus: a string"),
        ("cpus number", BASE + "cpus=['0', 1]", "d.cfg:3: cpus: strings"),
        ("mac", BASE + "vif=['mac=1:2']", "wanted, not '1:2'"),
        ("group mac", BASE + "vif=['mac=01:16:3e:00:00:01']", "wanted, not '01"),
        ("vif word", BASE + "vif=['foo']", "'foo' is one too many, or not"),
        ("list of numbers", BASE + "vif=[1]", "strings are wanted")):
    refused(name, text, want)
code, out, err = run("create", "-n", top + "/nosuch")
check("missing file", code == 1 and "nosuch: No such file" in err, err)

XML = """<domain type='xen'>
  <name>g</name>
  <uuid>01234567-89ab-cdef-0123-456789abcdef</uuid>
  <memory unit='MiB'>256</memory>
  <currentMemory>131072</currentMemory>
  <vcpu cpuset='0-1' current='1'>2</vcpu>
  <os>
    <type>linux</type><kernel>/k</kernel><initrd>/i</initrd>
    <cmdline> console=hvc0 </cmdline>
  </os>
  <on_crash>restart</on_crash>
  <devices>
    <disk type='file'><driver name='file' type='raw'/>
      <source file='/a'/><target dev='xvda'/></disk>
    <disk type='block'><source dev='/b'/><target dev='xvdb'/><readonly/></disk>
    <interface type='bridge'><source bridge='xenbr0'/>
      <mac address='00:16:3e:00:00:01'/></interface>
    <console type='pty'/><graphics type='vnc'/>
  </devices>
</domain>
"""
accepted("libvirt", XML, {
    "name": "g", "uuid": "01234567-89ab-cdef-0123-456789abcdef",
    "memory": 128, "maxmem": 256, "vcpus": 1, "maxvcpus": 2, "cpus": "0-1",
    "kernel": "/k", "ramdisk": "/i", "cmdline": "console=hvc0",
    "on_crash": "restart",
    "disk": [{**DISK, "target": "/a"},
             {**DISK, "target": "/b", "vdev": "xvdb", "access": "ro"}],
    "vif": [{"mac": "00:16:3e:00:00:01", "bridge": "xenbr0"}]},
    file="g.xml", note="device 'graphics' ignored")
for name, old, new, want in (
        ("xml hvm", "linux", "hvm", "g.xml:8: type: \"pv\", since only PV"),
        ("xml vdev", "'xvdb'", "'foo'", "g.xml:15: disk: vdev"),
        ("xml memory", ">256<", ">lots<", "g.xml:4: memory"),
        ("xml cut", "</domain>", "", "g.xml:"),
        ("xml root", "<domain ", "<!DOCTYPE x><domain ", "document type"),
        ("xml mac", "00:16:3e:00:00:01", "x,y", "','")):
    refused(name, XML.replace(old, new), want, file="g.xml")


# xm against a xend in Python.
VMS = {
    f"OpaqueRef:{u}": {
        "uuid": u, "name_label": n, "domid": d, "state": s,
        "power_state": "Running", "memory_actual": m << 10,
        "memory_dynamic": 1 << 10,
        "memory_static_max": m << 10, "vcpus_online": len(c),
        "vcpus_max": len(c), "cpu_time": t, "start_time": 1000,
        "console_tty": "", "vcpus": [
            {"vcpu": i, "cpu": i, "online": True, "state": x, "time": 1.25,
             "affinity_hard": "all", "affinity_soft": "0-1"}
            for i, x in enumerate(c)],
        "weight": 256, "cap": 0, "disks": [], "vifs": [],
        "other_config": {"kernel": "/k"}}
    for u, n, d, s, m, c, t in (
        ("0" * 8, "Domain-0", 0, "r-----", 768, ["r--", "-b-"], 12.34),
        ("1" * 8, "demo", 5, "-b----", 384, ["-b-"], 1.0))}
calls = []
after = {}              # method: what all say once it was called
refuses = set()


class Xend:
    def _dispatch(self, method, params):
        calls.append((method,) + params[1:])
        if method == "session.login_with_password":
            return {"Status": "Success", "Value": "OpaqueRef:session"}
        if params[0] != "OpaqueRef:session":
            return {"Status": "Failure", "ErrorDescription": [
                "SESSION_INVALID", "no session"]}
        if "all" in after:
            return {"Status": "Failure", "ErrorDescription": after["all"]}
        if method in after:
            after["all"] = after[method]
        try:
            return {"Status": "Success", "Value": self.answer(
                method, *params[1:])}
        except KeyError as e:
            return {"Status": "Failure", "ErrorDescription": [
                "HANDLE_INVALID", f"there is no {e.args[0]}"]}

    def answer(self, method, *p):
        if method == "VM_metrics.get_all_records":
            return {ref: {k: v for k, v in r.items() if k not in
                          ("vcpus", "disks", "vifs", "weight", "start_time")}
                    for ref, r in reversed(list(VMS.items()))}
        if method == "VM.get_all_records":
            return dict(reversed(list(VMS.items())))
        if method == "VM.get_record":
            return VMS[p[0]]
        if method in ("VM.get_by_domid", "VM.get_by_name_label"):
            for ref, r in VMS.items():
                if p[0] in (r["domid"], r["name_label"]):
                    return ref
            raise KeyError(p[0])
        if method == "host.get_record":
            return {"host": "h", "nr_cpus": 2, "xen_version": "4.17.0"}
        if method == "host.dmesg":
            return "(XEN) one\n(XEN) two\n"
        if method in refuses:
            raise KeyError("shutdown")
        if method == "VM.create":
            return "OpaqueRef:11111111"
        if method == "VM.start" and VMS[p[0]]["domid"] != 5:
            raise KeyError("x")
        if method == "VBD.list":
            return [{"vdev": 51712, "backend_id": 0, "handle": 1, "state": 4,
                     "frontend_id": 5, "evtchn": 17, "ring_ref": 8, "backend": "/local/b"}]
        if method == "VIF.list":
            return [{"devid": 0, "backend_id": 0, "handle": 0, "state": 4,
                     "mac": "00:16:3e:00:00:01", "evtchn": 18,
                     "tx_ring_ref": 1, "rx_ring_ref": 2, "backend": "/b"}]
        return ""


class Handler(xmlrpc.server.SimpleXMLRPCRequestHandler):
    wbufsize = -1
    disable_nagle_algorithm = False

    def address_string(self):
        return "unix"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer,
             xmlrpc.server.SimpleXMLRPCDispatcher):
    daemon_threads = True
    logRequests = False
    _send_traceback_header = False

    def __init__(self, where):
        xmlrpc.server.SimpleXMLRPCDispatcher.__init__(self, allow_none=True)
        socketserver.UnixStreamServer.__init__(self, where, Handler)
        self.register_instance(Xend())


code, out, err = run("list")
check("no xend", code == 1 and ("xend does not run" in err or
                                "not a control domain" in err), err)
fake = Server(top + "/xend")
threading.Thread(target=fake.serve_forever, daemon=True).start()


def prints(args, want, code=0):
    c, out, err = run(*args.split())
    check("xm " + args, c == code and out == want, f"{c} {out!r} {err!r}")


def does(args, *want, code=0, says=""):
    calls.clear()
    c, out, err = run(*args.split())
    got = [x for x in calls if not x[0].startswith(
        ("session.", "VM.get_", "VM_metrics.get_"))]
    check("xm " + args, c == code and got == list(want) and
          says in out + err, f"{c} {got} {out!r} {err!r}")


DEMO = "OpaqueRef:11111111"
HEAD = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
ROW0 = "Domain-0                                     0   768     2     r-----      12.3\n"
ROW5 = "demo                                         5   384     1     -b----       1.0\n"
prints("list", HEAD + ROW0 + ROW5)
prints("list demo", HEAD + ROW5)
prints("list 5 0", HEAD + ROW5 + ROW0)
does("list nosuch", code=1, says="xm: no domain 'nosuch'")
does("list 77", code=1, says="xm: no domain '77'")
prints("vcpu-list demo",
       "Name                                ID  VCPU   CPU State   Time(s) "
       "Affinity (Hard / Soft)\n"
       "demo                                 5     0     0  -b-       1.2  "
       "all / 0-1\n".replace("  -b-       1.2", "   -b-       1.2"))
prints("domid demo", "5\n")
prints("domname 5", "demo\n")
prints("info", "host                   : h\nnr_cpus                : 2\n"
       "xen_version            : 4.17.0\n")
prints("info nr_cpus", "2\n")
prints("dmesg", "(XEN) one\n(XEN) two\n")
prints("sched-credit -d demo", "Name                                ID "
       "Weight  Cap\ndemo                                 5    256    0\n"
       .replace("                                ID", " " * 32 + "ID")
       .replace("Name" + " " * 32 + "ID", "%-33s %4s" % ("Name", "ID"))
       .replace("demo                                 5",
                "%-33s %4d" % ("demo", 5)))
prints("block-list demo", "Vdev  BE  handle state evt-ch ring-ref BE-path"
       + " " * 23 + "\n" + "%-5d %-3d %-6d %-5d %-6d %-8d %-30s\n" %
       (51712, 0, 5, 4, 17, 8, "/local/b"))
prints("network-list demo", "%-3s %-2s %-17s %-6s %-5s %-6s %5s/%-5s %-30s\n"
       % ("Idx", "BE", "Mac Addr.", "handle", "state", "evt-ch", "tx-",
          "rx-ring-ref", "BE-path") + "%-3d %-2d %s%6d %5d %6d %5d/%-11d "
       "%-30s\n" % (0, 0, "00:16:3e:00:00:01", 0, 4, 18, 1, 2, "/b"))
for args, pick in (("list", lambda j: j[1]["name_label"] == "demo"),
                   ("list -l demo",
                    lambda j: j[0]["config"]["c_info"]["name"] == "demo"),
                   ("vcpu-list demo", lambda j: j[0]["vcpus"][0]["vcpu"] == 0),
                   ("domid demo", lambda j: j == 5),
                   ("domname 5", lambda j: j == "demo"),
                   ("info", lambda j: j["nr_cpus"] == 2),
                   ("dmesg", lambda j: "two" in j),
                   ("uptime demo", lambda j: j[0]["uptime"] > 1000),
                   ("top", lambda j: len(j) == 2),
                   ("sched-credit", lambda j: j[0]["weight"] == 256),
                   ("block-list demo", lambda j: j[0]["vdev"] == 51712),
                   ("network-list demo", lambda j: j[0]["devid"] == 0)):
    for words in (args.split() + ["--json"], ["--json"] + args.split()):
        c, out, err = run(*words)
        check("--json " + args, c == 0 and pick(json.loads(out)), out + err)
does("pause demo", ("VM.pause", DEMO))
does("unpause 5", ("VM.unpause", DEMO))
does("destroy demo", ("VM.destroy", DEMO))
does("destroy nosuch", code=1, says="no domain 'nosuch'")
does("rename demo other", ("VM.set_name_label", DEMO, "other"))
does("shutdown demo", ("VM.clean_shutdown", DEMO),
     says="Shutting down domain 5")
does("shutdown -a", ("VM.clean_shutdown", DEMO))
does("shutdown", code=1, says="-a")
after["VM.clean_shutdown"] = ["HANDLE_INVALID", "no guest has this domid"]
does("shutdown -w demo", ("VM.clean_shutdown", DEMO))
after = {"VM.clean_shutdown": ["INTERNAL_ERROR", "not now"]}
does("shutdown -w demo", ("VM.clean_shutdown", DEMO), code=1, says="not now")
after = {"VM_metrics.get_all_records": ["HANDLE_INVALID", "no guest now"]}
does("shutdown -a -w", code=1, says="no guest now")
after = {}
refuses.add("VM.clean_shutdown")
does("shutdown -w demo", ("VM.clean_shutdown", DEMO), code=1,
     says="there is no shutdown")       # and is not waited for
refuses.clear()
does("reboot demo", ("VM.clean_reboot", DEMO))
does("mem-set demo 256", ("VM.set_memory", DEMO, 256 << 10))
does("mem-set demo 1g", ("VM.set_memory", DEMO, 1 << 20))
does("mem-set demo 8192k", ("VM.set_memory", DEMO, 8192))
does("mem-set demo 4194304b", ("VM.set_memory", DEMO, 4096))
does("mem-set demo x", code=1, says="size 'x'")
does("mem-max demo 512m", ("VM.set_maxmem", DEMO, 512 << 10))
does("vcpu-set demo 2", ("VM.set_vcpus", DEMO, 2))
does("vcpu-set demo two", code=1, says="count 'two'")
does("vcpu-pin demo 0 1-2", ("VM.pin_vcpu", DEMO, 0, "1-2", "-"))
does("vcpu-pin demo all all 0", ("VM.pin_vcpu", DEMO, -1, "all", "0"))
does("sched-credit -d demo -w 512", ("VM.set_sched", DEMO, 512, -1))
does("sched-credit --domain=demo -c 50", ("VM.set_sched", DEMO, -1, 50))
does("sched-credit -w 512", code=1, says="-d")
does("sysrq demo s", ("VM.send_sysrq", DEMO, "s"))
does("debug-keys q", ("host.send_debug_keys", "OpaqueRef:host", "q"))
does("dmesg -c", ("host.dmesg", "OpaqueRef:host", True))
does("block-attach demo /a,raw,xvdb,w", ("VBD.attach", DEMO, {
    "target": "/a", "format": "raw", "vdev": "xvdb", "access": "rw"}))
does("block-attach demo vdev=xvdb target=/a", ("VBD.attach", DEMO, {
    "target": "/a", "format": "raw", "vdev": "xvdb", "access": "rw"}))
does("block-attach demo foo", code=1, says="vdev")
does("block-detach demo xvdb", ("VBD.detach", DEMO, "xvdb", False))
does("block-detach -f demo 51728", ("VBD.detach", DEMO, 51728, True))
does("network-attach demo bridge=b",
     ("VIF.attach", DEMO, {"bridge": "b"}))
does("network-detach demo 1", ("VIF.detach", DEMO, 1))
with open(top + "/d.cfg", "w") as f:
    f.write(BASE + "memory=64\n")
G = {"name": "g", "kernel": "/k", "memory": 64}
does(f"create {top}/d.cfg", ("VM.create", G), ("VM.start", DEMO, False))
does(f"create -p {top}/d.cfg name=h",
     ("VM.create", {**G, "name": "h"}), ("VM.start", DEMO, True))
VMS[DEMO]["domid"] = 6
does(f"create {top}/d.cfg", ("VM.create", G), ("VM.start", DEMO, False),
     ("VM.destroy", DEMO), code=1, says="xm: there is no x")
VMS[DEMO]["domid"] = 5
does("nosuch", code=1, says="no command 'nosuch'")
does("vcpu", code=1, says="may be")
does("vcpu-l demo")
does("list -x", code=2)
does("list --help", says="usage: xm list")
does("create --json", code=2)
does("rename demo", code=1, says="usage: xm rename")
does("help", says="vcpu-pin")
does("console 0", code=1, says="Domain-0 has no console")

# A console on a pty of ours.
master, slave = os.openpty()
tty.setraw(slave)
VMS[DEMO]["console_tty"] = os.ttyname(slave)
p = subprocess.Popen([xm, "console", "demo"], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE,
                     env={**os.environ, "XEND_SOCKET": top + "/xend"})
os.write(master, b"login: ")
equal("console shows", p.stdout.read(7), b"login: ")
p.stdin.write(b"root\r")
p.stdin.flush()
equal("console types", os.read(master, 100), b"root\r")
p.stdin.write(b"\x1d")
p.stdin.flush()
equal("console leaves", p.wait(60), 0)

print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
