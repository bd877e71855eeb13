SRCS_evtchn := $(XEN)/event/evtchn.c $(XEN)/event/deliver.c
