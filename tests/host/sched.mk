SRCS_sched := $(XEN)/sched/sched.c $(XEN)/sched/credit.c \
	$(XEN)/sched/schedop.c $(XEN)/sched/timer.c
