/*
 * ApiVersions: what this broker serves, computed from the table of handlers.
 *
 * An unknown version is answered in version 0 with UNSUPPORTED_VERSION and the one entry that tells what would be understood
 * (KIP-511). From version 3 on the client's name and version must be words of letters, digits, '-' and '.'.
 */
#include "broker/api/api.h"
#include "proto/kafka/api_versions.gen.h"
#include "proto/kafka_error.h"

#include <ctype.h>

#define VERSION_WITH_SOFTWARE 3

/* A letter or digit at both ends, and '-' and '.' between. */
static bool is_software_word(struct slice word)
{
	if (word.len == 0 || !isalnum(word.data[0]) || !isalnum(word.data[word.len - 1]))
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (!isalnum(word.data[i]) && word.data[i] != '-' && word.data[i] != '.')
			return false;
	return true;
}

static void add_row(struct api_versions_response *response, const struct net_api *row)
{
	struct api_versions_response_api_version *entry = &response->api_keys[response->n_api_keys++];

	entry->api_key = row->key;
	entry->min_version = row->since;
	entry->max_version = row->until;
}

void api_versions_handle(struct request *request)
{
	const struct api_versions_request *body = request->body;
	struct api_versions_response response = api_versions_response_default;
	int n;
	const struct net_api *rows = served_apis(&n);

	response.api_keys = message_array(&request->arena, &api_versions_response_api_version_struct, (size_t)n);
	response.n_api_keys = 0;
	if (!body) {
		response.error_code = KAFKA_UNSUPPORTED_VERSION;
		add_row(&response, request->api);
		request_answer_version(request, 0, &response);
		return;
	}
	/* The version of /feature, which Klamm's controller writes once. */
	response.finalized_features_epoch = 0;
	if (request->header.api_version >= VERSION_WITH_SOFTWARE &&
	    (!is_software_word(body->client_software_name) || !is_software_word(body->client_software_version))) {
		response.error_code = KAFKA_INVALID_REQUEST;
	} else {
		for (int i = 0; i < n; i++)
			add_row(&response, &rows[i]);
	}
	request_answer(request, &response);
}
