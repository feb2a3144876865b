/* See address.h. */
#include "broker/net/address.h"

#include "common/error.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	memset(ret_address, 0, sizeof *ret_address);
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		memcpy(ret_address, &in, sizeof in);
		return 0;
	}
	if (*host && inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
		return ERR_INVALID;
	memcpy(ret_address, &in6, sizeof in6);
	return 0;
}

socklen_t address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

uint16_t address_port(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
}

void address_set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET)
		((struct sockaddr_in *)address)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

void address_host(const struct sockaddr_storage *address, char ret_host[INET6_ADDRSTRLEN])
{
	const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, ret_host, INET6_ADDRSTRLEN);
	else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6))
		inet_ntop(AF_INET, in6->s6_addr + 12, ret_host, INET6_ADDRSTRLEN);
	else if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, in6, ret_host, INET6_ADDRSTRLEN);
	else
		snprintf(ret_host, INET6_ADDRSTRLEN, "local");
}
