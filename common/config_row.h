/*
 * Words for writing rows of a configuration table; included only by files that hold one, after
 *
 *     #define ROW_STRUCT struct broker_config       the typed struct that FIELD() refers to
 *
 *     ROW("socket.request.max.bytes", INT, "104857600", AT_LEAST(1), HIGH, STATIC, FIELD(socket_request_max_bytes),
 *         "Largest request that is taken."),
 */
#ifndef KLAMM_COMMON_CONFIG_ROW_H
#define KLAMM_COMMON_CONFIG_ROW_H

#include "common/config_table.h"

/* clang-format off */
/* Checks. */
#define ANY .check = CHECK_ANY
#define AT_LEAST(least) .check = CHECK_AT_LEAST, .min = (least)
#define BETWEEN(least, most) .check = CHECK_BETWEEN, .min = (least), .max = (most)
#define LEVEL(least, most) .check = CHECK_LEVEL, .min = (least), .max = (most)
#define RATIO .check = CHECK_RATIO
#define ONE_OF(words) .check = CHECK_ONE_OF, .allowed = (words)
#define LIST_OF(words) .check = CHECK_LIST_OF, .allowed = (words)
#define NOT_EMPTY .check = CHECK_NOT_EMPTY
#define VERSION .check = CHECK_VERSION
#define THROTTLED .check = CHECK_THROTTLED

/* Use: a field of ROW_STRUCT; a default of topics; nothing; nothing here, but the controller's file has it. */
#define FIELD(field) .offset = offsetof(ROW_STRUCT, field)
#define TOPIC .offset = CONFIG_NO_FIELD
#define UNUSED .offset = CONFIG_NO_FIELD, .no_effect = true
#define CONTROLLER .offset = CONFIG_NO_FIELD, .of_controller = true

#define ROW(name_, type_, fallback_, check_, importance_, scope_, use_, doc_) \
	{.name = (name_), .type = CONFIG_##type_, .fallback = (fallback_), check_, .importance = CONFIG_##importance_, \
	 .scope = CONFIG_##scope_, use_, .doc = (doc_)}

/* A key that is read but not listed, as Kafka does with its internal ones. */
#define HIDDEN(name_, type_, fallback_, check_, importance_, scope_, use_, doc_) \
	{.name = (name_), .type = CONFIG_##type_, .fallback = (fallback_), check_, .importance = CONFIG_##importance_, \
	 .scope = CONFIG_##scope_, use_, .doc = (doc_), .internal = true}
/* clang-format on */

#endif
