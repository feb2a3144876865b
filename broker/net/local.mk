# Sources and unit tests of broker/net/ (see ../Makefile.am for the lists).
klamm_sources += broker/net/budget.h broker/net/client.h broker/net/listener.h broker/net/net.h broker/net/peer.h \
	broker/net/receiver.h broker/net/request.h broker/net/send_list.h broker/net/transport.h
