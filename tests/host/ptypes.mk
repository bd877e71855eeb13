SRCS_ptypes := $(addprefix $(XEN)/mm/,frames.c pages.c ptypes.c l1.c recount.c) \
	$(XEN)/lib/spinlock.c
CFLAGS_ptypes := -DDEBUG_BUILD=1 -O2 -include meanwhile.h
LIBS_ptypes := -lpthread
