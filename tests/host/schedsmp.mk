SRCS_schedsmp := $(XEN)/sched/schedop.c $(XEN)/sched/timer.c $(XEN)/lib/spinlock.c
CFLAGS_schedsmp := -DDEBUG_BUILD=1 -O2
LIBS_schedsmp := -lpthread
