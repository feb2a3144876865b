/* Rows of the APIs; see api.h. */
#include "proto/api.h"

#include "common/check.h"

#include <strings.h>

const struct api *api_find(int key)
{
	int low = 0, high = api_table_n;

	while (low < high) {
		int middle = (low + high) / 2;

		if (api_table[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < api_table_n && api_table[low].key == key ? &api_table[low] : NULL;
}

const struct api *api_find_name(const char *name)
{
	for (int i = 0; i < api_table_n; i++) {
		if (strcasecmp(api_table[i].name, name) == 0 || strcmp(api_table[i].snake_name, name) == 0)
			return &api_table[i];
	}
	return NULL;
}

int api_count(void)
{
	return api_table_n;
}

const struct api *api_at(int index)
{
	CHECK(index >= 0 && index < api_table_n);
	return &api_table[index];
}

int api_record_count(void)
{
	return api_record_table_n;
}

const struct message_schema *api_record_at(int index)
{
	CHECK(index >= 0 && index < api_record_table_n);
	return api_record_table[index];
}
