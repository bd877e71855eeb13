# SPDX-License-Identifier: GPL-2.0
"""An emulated PC that boots a hypervisor, its Dom0 kernel and an initramfs
through GRUB, and talks over its serial line.  Used by `make run`, the tests
and the benchmarks."""
import os
import re
import select
import shutil
import subprocess
import tempfile
import time

DISKS = {  # how QEMU offers one raw image to Dom0
    "ahci": "-drive if=none,id=d0,format=raw,file={} "
            "-device ide-hd,drive=d0,bus=ide.1",
    "nvme": "-drive if=none,id=d0,format=raw,file={} "
            "-device nvme,drive=d0,serial=x1",
    "virtio": "-drive if=none,id=d0,format=raw,file={} "
              "-device virtio-blk-pci,drive=d0",
}


def make_iso(path, hypervisor, kernel, initrd=None, hv_args="",
             kernel_args="", mb1=False):
    """A GRUB CD image that boots hypervisor (None: the kernel alone)."""
    top = tempfile.mkdtemp()
    boot = top + "/boot"
    os.makedirs(boot + "/grub")
    multiboot, module = (("multiboot", "module") if mb1 else
                         ("multiboot2", "module2"))
    lines = []
    if kernel:
        shutil.copy(kernel, boot + "/vmlinuz")
    if initrd:
        shutil.copy(initrd, boot + "/initrd")
    if hypervisor:
        shutil.copy(hypervisor, boot + "/xen.gz")
        lines.append(f"{multiboot} /boot/xen.gz {hv_args}")
        if kernel:
            lines.append(f"{module} /boot/vmlinuz {kernel_args}")
        if initrd:
            lines.append(f"{module} --nounzip /boot/initrd")
    else:
        lines.append(f"linux /boot/vmlinuz {kernel_args}")
        if initrd:
            lines.append("initrd /boot/initrd")
    with open(boot + "/grub/grub.cfg", "w") as f:
        f.write("set timeout=0\nserial --unit=0 --speed=115200\n"
                "terminal_input serial console\n"
                "terminal_output serial console\n"
                "menuentry Xenolith {\n" + "\n".join(lines) + "\n}\n")
    try:
        subprocess.run(["grub-mkrescue", "-o", path, top], check=True,
                       capture_output=True)
    finally:
        shutil.rmtree(top)


def qemu_args(iso=None, cpus=2, mem=4096, cpu="max,-smap,-la57",
              icount=False, uefi=False, disk=None, disk_model="ahci",
              nic=None, kernel=None, initrd=None, append="", extra=()):
    """The command line.  kernel/initrd: QEMU's own multiboot loader."""
    args = ["qemu-system-x86_64", "-machine", "q35", "-cpu", cpu,
            "-m", str(mem), "-no-reboot", "-display", "none",
            "-serial", "stdio", "-monitor", "none"]
    if icount:
        args += ["-smp", "1", "-icount", "shift=0,sleep=off"]
    else:
        args += ["-smp", str(cpus)]
        if cpus > 1:
            args += ["-accel", "tcg,thread=multi"]
    if uefi:
        args += ["-bios", "/usr/share/ovmf/OVMF.fd"]
    if iso:
        args += ["-cdrom", iso, "-boot", "d"]
    if kernel:
        args += ["-kernel", kernel, "-initrd", initrd, "-append", append]
    if disk:
        args += DISKS[disk_model].format(disk).split()
    args += ["-nic", f"user,model={nic}" if nic else "none"]
    return args + list(extra)


class Machine:
    """One run of QEMU.  Everything it prints goes to `log` as well."""

    def __init__(self, log, **options):
        self.iso = None
        boot = {k: options.pop(k) for k in
                ("hypervisor", "dom0", "dom0_initrd", "hv_args",
                 "kernel_args", "mb1") if k in options}
        if boot:
            fd, self.iso = tempfile.mkstemp(suffix=".iso")
            os.close(fd)
            make_iso(self.iso, boot.get("hypervisor"), boot.get("dom0"),
                     boot.get("dom0_initrd"), boot.get("hv_args", ""),
                     boot.get("kernel_args", ""), boot.get("mb1", False))
            options["iso"] = self.iso
        self.log = open(log, "wb")
        self.text = b""
        self.pos = 0            # where expect() goes on
        self.ended = False
        self.process = subprocess.Popen(
            qemu_args(**options), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _read(self, seconds):
        out = self.process.stdout
        if not select.select([out], [], [], seconds)[0]:
            return
        data = out.read()
        if data == b"":
            self.ended = True
        elif data:
            self.text += data
            self.log.write(data)
            self.log.flush()

    def expect(self, pattern, timeout):
        """Waits for a regular expression; the match, or None on time-out or
        when QEMU ends."""
        regex = re.compile(pattern.encode(), re.M)
        end = time.time() + timeout
        while True:
            m = regex.search(self.text, self.pos)
            if m:
                self.pos = m.end()
                return m
            if self.ended or time.time() > end:
                return None
            self._read(min(0.5, max(0.01, end - time.time())))

    def wait_end(self, timeout):
        """True if QEMU ends by itself within timeout seconds."""
        end = time.time() + timeout
        while not self.ended and time.time() < end:
            self._read(0.5)
        return self.ended

    def send(self, text):
        """Types text, slowly enough for an emulated serial line."""
        for i in range(0, len(text), 8):
            self.process.stdin.write(text[i:i + 8].encode())
            self.process.stdin.flush()
            self._read(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._read(0)
        self.log.close()
        if self.iso:
            os.unlink(self.iso)
