SRCS_schedsmp := $(XEN)/sched/sched.c $(XEN)/sched/credit.c \
	$(XEN)/sched/schedop.c $(XEN)/sched/timer.c $(XEN)/lib/spinlock.c
CFLAGS_schedsmp := -DDEBUG -O2
LIBS_schedsmp := -lpthread
