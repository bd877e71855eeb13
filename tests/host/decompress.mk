SRCS_decompress := $(addprefix $(XEN)/lib/,decompress.c unxz.c unzstd.c \
	unlz4.c ungzip.c)
NOHOST_decompress := y
CFLAGS_decompress := -I$(XEN) -I$(XEN)/include -I$(TOP)
