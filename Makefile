# SPDX-License-Identifier: GPL-2.0
#
# make            the hypervisor: build/xenolith.gz
# make run        everything needed, then an emulated PC on this terminal
# make run-uefi   the same through UEFI firmware
# make qemu-gdb   the same, stopped, waiting for gdb on port 1234
# make test       all tests; ends with "N passed, N failed"
# make bench      primitives and kernels, beside Debian's Xen in the same run
BUILD ?= $(CURDIR)/build
export BUILD

all: deps-build $(BUILD)/xenolith.gz

deps-build:
	@command -v cc >/dev/null || scripts/deps

deps:
	@scripts/deps

$(BUILD)/xenolith.gz: FORCE
	@mkdir -p $(BUILD)
	@$(MAKE) --no-print-directory -C xen BUILD=$(BUILD)

$(BUILD)/.unpacked: | deps
	@mkdir -p $(BUILD)
	@scripts/debs $(BUILD)

$(BUILD)/guest.cpio.zst: $(BUILD)/.unpacked \
		$(wildcard config/guest/*) scripts/mkinitramfs
	@echo "  INITRAMFS $(@F)"
	@scripts/mkinitramfs config/guest/manifest $(BUILD)/root $@

$(BUILD)/dom0.cpio.zst: $(BUILD)/guest.cpio.zst $(BUILD)/bench.cpio.zst \
		$(wildcard config/dom0/*) $(wildcard tests/system/*.sh) \
		scripts/mkinitramfs $(BUILD)/.tools
	@echo "  INITRAMFS $(@F)"
	@TOOLS=$(BUILD)/tools VMLINUZ=$(BUILD)/vmlinuz \
		GUEST_INITRD=$(BUILD)/guest.cpio.zst \
		BENCH_INITRD=$(BUILD)/bench.cpio.zst scripts/mkinitramfs \
		config/dom0/manifest $(BUILD)/root $@

# The control domain's programs; the file is as new as the newest of them.
$(BUILD)/.tools: FORCE | deps
	@$(MAKE) -s --no-print-directory -C dom0-tools BUILD=$(BUILD)
	@[ $(BUILD)/tools/store-bench -nt tests/bench/tools/store.c ] || $(CC) -O2 \
		-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -I. tests/bench/tools/store.c \
		$(BUILD)/tools/obj/lib.a -o $(BUILD)/tools/store-bench
	@touch -r "$$(ls -t $(BUILD)/tools/x* | head -1)" $@

$(BUILD)/demo.img: | deps
	@mkdir -p $(BUILD)
	@scripts/mkdemo $@

$(BUILD)/bench.cpio.zst: $(wildcard tests/bench/kernel/*) | deps
	@mkdir -p $(BUILD)
	@$(CC) -O2 -static -Wall -Wextra -o $(BUILD)/figures \
		tests/bench/kernel/figures.c
	@FIGURES=$(BUILD)/figures scripts/mkinitramfs \
		tests/bench/kernel/manifest / $@

images: $(BUILD)/dom0.cpio.zst
run-files: deps $(BUILD)/xenolith.gz images $(BUILD)/demo.img

run: run-files
	@scripts/run
run-uefi: run-files
	@scripts/run --uefi
qemu-gdb: run-files
	@scripts/run --gdb

test: deps images $(BUILD)/demo.img
	@$(MAKE) --no-print-directory -C xen BUILD=$(BUILD)/debug DEBUG=y
	@tests/run

bench: deps $(BUILD)/xenolith.gz images
	@$(MAKE) -s --no-print-directory -C tests/guests BUILD=$(BUILD)
	@tests/bench/run

clean:
	rm -rf $(BUILD)

FORCE:
.PHONY: all deps deps-build images run-files run run-uefi qemu-gdb test bench \
	clean FORCE
