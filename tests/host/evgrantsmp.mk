SRCS_evgrantsmp := $(XEN)/event/evtchn.c \
	$(XEN)/grant/table.c $(XEN)/grant/map.c $(XEN)/grant/copy.c \
	$(XEN)/lib/spinlock.c
CFLAGS_evgrantsmp := -DDEBUG_BUILD=1 -O2
LIBS_evgrantsmp := -lpthread
