SRCS_evgrantsmp := $(XEN)/event/evtchn.c \
	$(XEN)/grant/table.c $(XEN)/grant/map.c $(XEN)/grant/copy.c \
	$(XEN)/lib/spinlock.c
CFLAGS_evgrantsmp := -DDEBUG -O2
LIBS_evgrantsmp := -lpthread
