SRCS_timer := $(XEN)/sched/timer.c
