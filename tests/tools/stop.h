/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tests: the event loop, which never returns, until loop_stop() is called
 * from a function that it runs.
 */
#pragma once

#include <setjmp.h>

static jmp_buf loop_out;

static void loop_stop(void)
{
	longjmp(loop_out, 1);
}

static void loop_until_stop(void)
{
	if (!setjmp(loop_out))
		loop_run();
}
