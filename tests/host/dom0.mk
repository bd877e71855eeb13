SRCS_dom0 := $(addprefix $(XEN)/,domain/dom0.c domain/elf.c lib/decompress.c \
	lib/unxz.c lib/unzstd.c lib/unlz4.c lib/ungzip.c)
CFLAGS_dom0 := -Iinclude -I$(XEN) -I$(XEN)/include -I$(TOP)
NOHOST_dom0 := y
