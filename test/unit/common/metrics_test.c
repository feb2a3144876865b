/* metrics: the text format, what is escaped, what does not fit. */
#include "test/lib/unit.h"

#include "common/error.h"
#include "common/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void check_text(const struct metrics *metrics, const char *expected)
{
	struct slice text;
	char got[2048];

	ck_assert_int_eq(metrics_text(metrics, &text), 0);
	snprintf(got, sizeof got, "%.*s", SLICE_ARGS(text));
	ck_assert_str_eq(got, expected);
}

START_TEST(a_family_is_help_type_and_samples)
{
	struct metrics metrics;

	metrics_init(&metrics, 4096);
	metrics_one(&metrics, "klamm_frames_total", METRIC_COUNTER, "Frames that came.", INT64_MAX);
	metrics_family(&metrics, "klamm_lag", METRIC_GAUGE, "Records.");
	metrics_value_of(&metrics, "topic", SLICE_LITERAL("a"), 0);
	metrics_value_of(&metrics, "topic", SLICE_LITERAL("b"), -1);
	check_text(&metrics, "# HELP klamm_frames_total Frames that came.\n"
			     "# TYPE klamm_frames_total counter\n"
			     "klamm_frames_total 9223372036854775807\n"
			     "# HELP klamm_lag Records.\n"
			     "# TYPE klamm_lag gauge\n"
			     "klamm_lag{topic=\"a\"} 0\n"
			     "klamm_lag{topic=\"b\"} -1\n");
	metrics_fini(&metrics);
}
END_TEST

static void check_label(struct slice value, const char *expected)
{
	struct metrics metrics;
	char text[256];

	metrics_init(&metrics, 4096);
	metrics_family(&metrics, "x", METRIC_GAUGE, "X.");
	metrics_value_of(&metrics, "l", value, 1);
	snprintf(text, sizeof text, "# HELP x X.\n# TYPE x gauge\nx{l=\"%s\"} 1\n", expected);
	check_text(&metrics, text);
	metrics_fini(&metrics);
}

START_TEST(label_values_are_escaped)
{
	check_label(SLICE_LITERAL(""), "");
	check_label(SLICE_LITERAL("say \"x\\y\"\nz"), "say \\\"x\\\\y\\\"\\nz");
	check_label(SLICE_LITERAL("Gr\xc3\xbc\xc3\x9f""e \xe2\x82\xac \xf0\x9f\x98\x80"), "Gr\xc3\xbc\xc3\x9f""e \xe2\x82\xac \xf0\x9f\x98\x80");
}
END_TEST

START_TEST(what_is_not_utf8_is_replaced)
{
	/* Alone, cut off, overlong, a surrogate, beyond the last character. */
	check_label(SLICE_LITERAL("a\xff""b"), "a\xef\xbf\xbd""b");
	check_label(SLICE_LITERAL("a\xe2\x82"), "a\xef\xbf\xbd\xef\xbf\xbd");
	check_label(SLICE_LITERAL("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
	check_label(SLICE_LITERAL("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_label(SLICE_LITERAL("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_label(SLICE_LITERAL("\xe0\x80\""), "\xef\xbf\xbd\xef\xbf\xbd\\\"");
}
END_TEST

START_TEST(more_than_the_bound_is_refused_and_never_kept)
{
	struct slice text;

	/* At every bound below what is needed: whole lines stay, and it is said that something is missing. */
	for (size_t bytes_max = 0; bytes_max < 100; bytes_max++) {
		struct metrics metrics;

		metrics_init(&metrics, bytes_max);
		metrics_one(&metrics, "aaaa", METRIC_GAUGE, "Help.", 1);
		metrics_one(&metrics, "bbbb", METRIC_GAUGE, "Help.", 22);
		metrics_one(&metrics, "c", METRIC_GAUGE, "H.", 3);
		ck_assert_uint_le(metrics.len, bytes_max);
		ck_assert(metrics.len == 0 || metrics.text[metrics.len - 1] == '\n');
		if (metrics_text(&metrics, &text) == 0)
			ck_assert_uint_eq(text.len, strlen("# HELP aaaa Help.\n# TYPE aaaa gauge\naaaa 1\n"
							   "# HELP bbbb Help.\n# TYPE bbbb gauge\nbbbb 22\n"
							   "# HELP c H.\n# TYPE c gauge\nc 3\n"));
		else
			ck_assert_int_eq(metrics_text(&metrics, &text), ERR_TOO_LARGE);
		metrics_fini(&metrics);
	}
}
END_TEST

UNIT_MAIN("common/metrics", a_family_is_help_type_and_samples, label_values_are_escaped, what_is_not_utf8_is_replaced,
	  more_than_the_bound_is_refused_and_never_kept)
