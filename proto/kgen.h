/* What the parts of kgen share: the schemas in memory. See kgen.c. */
#ifndef KLAMM_PROTO_KGEN_H
#define KLAMM_PROTO_KGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define NONE_SINCE 32767 /* INT16_MAX: no version */
#define DEPTH_MAX 16

struct list {
	void **items;
	int n;
};

struct range {
	int since, until; /* until -1 while reading: open */
	bool given;
};

enum shape { SHAPE_BOOL, SHAPE_INT, SHAPE_F64, SHAPE_UUID, SHAPE_SLICE, SHAPE_RECORDS, SHAPE_STRUCT };

/* A type of the language that is not a struct. */
struct builtin {
	const char *name;
	const char *kind; /* FIELD_... without the prefix */
	const char *c_type;
	const char *meaning; /* MEANING_... without the prefix */
	enum shape shape;
	int wire_bytes;     /* of numbers; 0 for what has a length */
	long long min, max; /* of SHAPE_INT */
};

struct field {
	const char *name;
	const char *type; /* as written, without [] */
	bool array;
	const struct builtin *builtin; /* NULL for structs */
	struct def *sub;               /* NULL for builtins */
	bool declares;                 /* sub stands below this line */
	struct range versions;
	bool has_versions; /* of its own, in the file */
	struct range nullable;
	bool is_nullable;
	int tag; /* -1 = none */
	struct range tag_versions;
	const char *value; /* the default as written, NULL = none; texts keep their quotes */
	bool lossy;
	int limit;
	const char *comment; /* "" = none */
	int line;
};

/* A struct: of a whole message, or one declared within it. */
struct def {
	const char *name;   /* as written; NULL for the message itself */
	const char *c_name; /* fetch_request_topic */
	struct list fields; /* in the order of the file */
	struct list tagged; /* by tag; filled by the check */
	int line;
	int state;           /* 1 while the check is in it, 2 after */
	struct range parent; /* versions of the field that declares it */
};

struct section {
	const char *schema_name; /* FetchRequest */
	const char *c_name;      /* fetch_request */
	struct def *root;
	struct list defs; /* all declared ones, the root last after the check (children before parents) */
};

/* One file. */
struct unit {
	const char *path;
	const char *name;  /* Fetch */
	const char *snake; /* fetch */
	const char *comment;
	bool record;
	int key;
	int line;
	struct range versions;
	int flexible; /* first version, NONE_SINCE = none */
	struct section sections[2];
	int n_sections;
};

void refuse(const struct unit *unit, int line, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));
void *get_memory(size_t len);
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
void list_add(struct list *list, void *item);
bool in_range(struct range range, int version);
char *snake_of(const char *name);
char *file_read(const char *path);

struct unit *unit_read(const char *path);

const struct builtin *builtin_find(const char *name);
void units_check(const struct list *units);

void write_header(FILE *out, const struct list *units, const struct unit *unit);
void write_keys(FILE *out, const struct list *units, const struct unit *unit);
void write_tables(FILE *out, const struct list *units, const struct unit *unit);

#endif
