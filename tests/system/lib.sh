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
# guest NAME [LINE...]: writes /tmp/NAME.cfg
guest_cfg() {
	local name=$1
	shift
	{
		echo "name='$name'"
		echo "kernel='/guest/vmlinuz'"
		echo "ramdisk='/guest/initrd'"
		for line in "$@"; do echo "$line"; done
	} > "/tmp/$name.cfg"
}
guest_log() { cat "/var/log/xen/console/guest-$1.log" 2>/dev/null; }
# wait_log NAME PATTERN SECONDS
wait_log() {
	local i
	for i in $(seq $(($3 * 2))); do
		guest_log "$1" | grep -q "$2" && return 0
		sleep 0.5
	done
	return 1
}
# wait_gone NAME SECONDS: until xl does not know it.
wait_gone() {
	local i
	for i in $(seq $(($2 * 2))); do
		xl domid "$1" >/dev/null 2>&1 || return 0
		sleep 0.5
	done
	return 1
}
free_kb() { xl info | sed -n 's/^free_memory *: *//p'; }
