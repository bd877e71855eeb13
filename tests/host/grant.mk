SRCS_grant := $(XEN)/grant/table.c $(XEN)/grant/map.c $(XEN)/grant/copy.c
