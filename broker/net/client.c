/* See client.h; what the hub does with a released client stands in acceptor.c. */
#include "broker/net/client.h"

#include "broker/net/address.h"

#include <stdio.h>
#include <string.h>

const struct principal principal_anonymous = {.type = "User", .name = "ANONYMOUS"};

const char *security_protocol_name(enum security_protocol protocol)
{
	static const char *const names[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

	return names[protocol];
}

void client_describe(struct client *client)
{
	address_host(&client->address, client->host);
	client->port = client->address.ss_family == AF_UNIX ? 0 : address_port(&client->address);
	snprintf(client->address_text, sizeof client->address_text, strchr(client->host, ':') ? "[%s]:%u" : "%s:%u",
		 client->host, client->port);
}
