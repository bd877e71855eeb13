SRCS_sched := $(XEN)/sched/schedop.c $(XEN)/sched/timer.c
