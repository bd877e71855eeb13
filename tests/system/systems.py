# SPDX-License-Identifier: GPL-2.0
"""Whole systems in QEMU: stock Debian kernels, Debian's Xen tools.  The parts
that run inside Dom0 are the shell scripts beside this file."""
import os
import re
import time

BUILD = os.environ["BUILD"]


def disk_image(name, mib):
    """A disk for Dom0 with known contents (a new one at each run)."""
    path = f"{BUILD}/{name}.img"
    with open(path, "wb") as f:
        for i in range(mib):
            f.write(bytes((i * 37 + j * 11) & 255 for j in range(256)) * 4096)
    return path


def dom0(cpus):
    def test(t):
        t.script("dom0", cpus=cpus,
                 kernel_args=f"want_cpus={cpus}")
    return test


def disk(model):
    def test(t):
        t.script("disk", disk=disk_image(f"disk-{model}", 16),
                 disk_model=model)
    return test


def nic(model):
    def test(t):
        t.script("nic", nic=model)
    return test


def poweroff(t):
    with t.machine(kernel_args="xtest=none.sh quiet") as m:
        t.verdict("ends-the-machine", m.wait_end(120),
                  "QEMU still runs after Dom0's poweroff")


def uefi(t):
    t.script("dom0", uefi=True, kernel_args="want_cpus=2")


def multiboot1(t):
    t.script("dom0", mb1=True, kernel_args="want_cpus=2")


def refused_boot(t, name, pattern, **options):
    """The hypervisor says in one line what is wrong, and stops."""
    hv_args = "noreboot " + options.pop("hv_args", "")
    with t.machine(hv_args=hv_args, mem=1024, **options) as m:
        hit = m.expect(r"\(XEN\) .*" + pattern, 60)
        stopped = hit and m.expect(r"\(XEN\) Stopped", 60)
        t.verdict(name, stopped, f"no line matches '{pattern}'")


def bad_boot(t):
    refused_boot(t, "not-pv", "Dom0: .*(Xen|PV|note|kernel)", dom0="/bin/true")
    refused_boot(t, "not-a-kernel", "not a kernel",
                 dom0=os.path.abspath(__file__))
    with open(BUILD + "/vmlinuz", "rb") as f:
        kernel = bytearray(f.read())
    kernel[len(kernel) // 2] ^= 0x55
    with open(BUILD + "/vmlinuz-corrupt", "wb") as f:
        f.write(kernel)
    refused_boot(t, "corrupt-kernel", "Dom0: ",
                 dom0=BUILD + "/vmlinuz-corrupt")
    refused_boot(t, "too-little-memory", "Dom0: .*(memory|dom0_mem|MiB)",
                 hv_args="dom0_mem=16M")
    refused_boot(t, "no-kernel", "No Dom0 kernel", dom0=None,
                 dom0_initrd=None)
    with t.machine(hv_args="nosuchoption=1 dom0_mem=rubbish "
                   "dom0_max_vcpus=banana") as m:
        up = m.expect(r"Dom0 starts", 60)
        text = m.text.decode(errors="replace")
        t.verdict("unknown-option", up and re.search(
            r"\(XEN\).*nosuchoption", text), "not reported")
        t.verdict("malformed-option", up and re.search(
            r"\(XEN\).*dom0_mem.*rubbish|\(XEN\).*rubbish", text),
            "not reported")


def newcomer(t):
    """What `make run` shows: the demo guest, its console, disk and net."""
    with t.machine(kernel_args="quiet", disk=BUILD + "/demo.img",
                   nic="e1000e", extra=["-snapshot"]) as m:
        t.verdict("ready", m.expect(r"dom0: .*ready", 400))
        t.verdict("banner", m.expect(r"xm list  ", 30) and
                  m.expect(r"dom0# ", 30))
        m.send("xm list\n")
        t.verdict("list", m.expect(r"^Domain-0 +0 .*\n.*^demo +1 +384", 30))
        time.sleep(20)
        m.send("xm console demo\n")
        m.send("\n")
        t.verdict("login", m.expect(r"login:", 120))
        m.send("root\n")
        t.verdict("shell", m.expect(r"[#$] ", 60))
        m.send("echo GUEST-$((40+2)); mount | grep xvda\n")
        t.verdict("guest", m.expect(r"GUEST-42", 30) and
                  m.expect(r"/dev/xvda on / ", 30))
        m.send("\x1d")
        m.expect(r"dom0# ", 30)     # keys typed earlier are the console's
        m.send("until ping -c1 -W2 10.77.0.10; do sleep 1; done; "
               "ping -c 3 10.77.0.10\n")
        t.verdict("ping", m.expect(r"[23] packets received", 120))
        m.send("xm shutdown -w demo; xm list; echo END-$((1+1))\n")
        t.verdict("shutdown", m.expect(r"END-2", 120) and
                  b"demo" not in m.text[m.text.rfind(b"Domain-0"):])
        m.send("poweroff\n")
        t.verdict("poweroff", m.wait_end(60))


TESTS = {
    "dom0-1cpu": dom0(1),
    "dom0-2cpu": dom0(2),
    "dom0-4cpu": dom0(4),
    "multiboot1": multiboot1,
    "uefi": uefi,
    "poweroff": poweroff,
    "cycles": lambda t: t.script("cycles"),
    "big-disk": lambda t: t.script("bigdisk", mem=3072,
                                   hv_args="dom0_mem=1536M,max:1536M"),
    "kill-daemons": lambda t: t.script("kill", kernel_args="tools=own"),
    "tools": lambda t: t.script("tools", kernel_args="tools=own"),
    "disk-ahci": disk("ahci"),
    "disk-nvme": disk("nvme"),
    "disk-virtio": disk("virtio"),
    "nic-e1000e": nic("e1000e"),
    "nic-virtio": nic("virtio-net-pci"),
    "domu": lambda t: t.script("domu"),
    "oxenstored": lambda t: t.script("oxen"),
    "xl": lambda t: t.script("xl"),
    "two-guests": lambda t: t.script("pair"),
    "guest-policy": lambda t: t.script("policy"),
    "bad-boot": bad_boot,
    "newcomer": newcomer,
    "xm": lambda t: t.script("xm", kernel_args="tools=own"),
    "xm-and-xl": lambda t: t.script("xm-and-xl", kernel_args="tools=own"),
    "own-daemons": lambda t: t.script("own", kernel_args="tools=own"),
    "xl-more": lambda t: t.script("xl-more"),
}
