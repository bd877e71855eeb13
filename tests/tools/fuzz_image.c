// SPDX-License-Identifier: GPL-2.0
/* Kernel files: whatever is accepted lies inside the file. */
#include <stdlib.h>
#include "../../dom0-tools/builder/builder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_part part;
	unsigned int i = 0;
	uint64_t n = 0;
	uint8_t *out;
	struct image im;
	struct layout l;

	/* The size a payload claims is memory to be had. */
	if (size >= 4 && !data[size - 1] && data[size - 2] < 0x10 &&
	    !kernel_unpack(data, size, &out, &n))
		free(out);
	if (image_parse(&im, data, size))
		return 0;
	while (image_part(&im, &i, &part))
		if (part.data < data || part.data > data + size ||
		    part.file_size > (uint64_t)(data + size - part.data) ||
		    part.va < im.start || part.size > im.end - part.va)
			abort();
	layout_compute(&l, &im, 32768, size);
	return 0;
}
