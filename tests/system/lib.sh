# SPDX-License-Identifier: GPL-2.0
# Sourced by Dom0's init before a test script: verdicts and guests.
pass() { echo "XTEST-PASS $1"; }
fail() {	# and what the daemons said
	echo "XTEST-FAIL $*"
	tail -n 5 /var/log/messages
}
# check NAME COMMAND...: passes if the command succeeds.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		pass "$name"
	else
		fail "$name: '$*' says: $(echo "$out" | tail -2 | tr '\n' ' ')"
	fi
}
# within SECONDS COMMAND...: tries until it succeeds.
within() {
	local i
	for i in $(seq $(($1 * 2))); do
		"${@:2}" && return 0
		sleep 0.5
	done
	return 1
}
# soon NAME COMMAND...: passes if the command succeeds before long.
soon() {
	local name=$1
	shift
	check "$name" within 30 "$@"
}
# steady COMMAND...: what it prints, once that is the same for two seconds.
steady() {
	local i last='' now same=0
	for i in $(seq 120); do
		now=$("$@")
		[ "$now" = "$last" ] || same=0
		last=$now
		[ $((same += 1)) -gt 4 ] && break
		sleep 0.5
	done
	echo "$last"
}
# console_says COMMAND N: the shell behind a console command answers; it has
# ten seconds, and three tries.
console_says() {
	local i
	for i in 1 2 3; do
		rm -f /tmp/con
		(sleep 3; echo "echo CON-\$((40+$2))"; sleep 3) |
			timeout 10 script -qc "$1" /tmp/con >/dev/null 2>&1
		grep -q "CON-$((40 + $2))" /tmp/con && return 0
	done
	return 1
}
# killed PIDFILE SIGNAL: the process has got it, and is gone.
killed() {
	local pid
	pid=$(cat "$1")
	kill "$2" "$pid"
	within 20 sh -c "! readlink /proc/$pid/exe >/dev/null 2>&1"
}
# refused NAME COMMAND...: passes if it fails with one clear line.
refused() {
	local name=$1
	shift
	if "$@" >/tmp/out 2>&1; then
		fail "$name: '$*' succeeded"
	else
		pass "$name"
	fi
}
test_end() { sync; echo XTEST-END; }
# unpack_kernel: from now on guest_cfg names the ELF file in the stock kernel's
# image, which xl need not unpack for each guest.
unpack_kernel() {
	local image=/guest/vmlinuz
	at() { od -An -j "$1" -N "$2" -t "u$2" $image | tr -d ' '; }
	# Behind the setup sectors; payload_offset; without the size at its end.
	tail -c +$((($(at 497 1) + 1) * 512 + $(at 584 4) + 1)) $image |
		head -c $(($(at 588 4) - 4)) | xz -dc > /tmp/vmlinux
	guest_kernel=/tmp/vmlinux
}
# guest NAME [LINE...]: writes /tmp/NAME.cfg
guest_kernel=/guest/vmlinuz
guest_cfg() {
	local name=$1
	shift
	{
		echo "name='$name'"
		echo "kernel='$guest_kernel'"
		echo "ramdisk='/guest/initrd'"
		for line in "$@"; do echo "$line"; done
	} > "/tmp/$name.cfg"
}
guest_log() { cat "/var/log/xen/console/guest-$1.log" 2>/dev/null; }
guest_said() { guest_log "$1" | grep -q "$2"; }
# wait_log NAME PATTERN SECONDS
wait_log() {
	within "$3" guest_said "$1" "$2"
}
unknown() { ! xl domid "$1" >/dev/null 2>&1; }
# wait_gone NAME SECONDS: until xl does not know it.
wait_gone() {
	within "$2" unknown "$1"
}
free_kb() { xl info | sed -n 's/^free_memory *: *//p'; }
