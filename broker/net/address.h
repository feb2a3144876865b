/* Numeric socket addresses: text to struct and back. Names are resolved by those who may block. */
#ifndef KLAMM_BROKER_NET_ADDRESS_H
#define KLAMM_BROKER_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* "1.2.3.4", "::1", or "" for all addresses (IPv6 that takes IPv4 too); ERR_INVALID for anything else. */
int address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret_address);

socklen_t address_len(const struct sockaddr_storage *address);

uint16_t address_port(const struct sockaddr_storage *address);

void address_set_port(struct sockaddr_storage *address, uint16_t port);

/* The host alone; an IPv4 address mapped into IPv6 in its own form. */
void address_host(const struct sockaddr_storage *address, char ret_host[INET6_ADDRSTRLEN]);

#endif
