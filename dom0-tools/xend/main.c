// SPDX-License-Identifier: GPL-2.0
#include <string.h>
#include "worker.h"

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--worker"))
		return worker_main(argc - 2, argv + 2);
	return 1;
}
