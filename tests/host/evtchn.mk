SRCS_evtchn := $(XEN)/event/evtchn.c
