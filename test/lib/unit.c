/* main() of the unit tests; see unit.h. */
#include "test/lib/unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMP_DIRS_MAX 256

static char temp_dirs[TEMP_DIRS_MAX][64];
static int n_temp_dirs;
static pid_t owner;

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static void remove_temp_dirs(void)
{
	/* Check forks a child for each case; every process removes what it made itself. */
	if (getpid() != owner)
		return;
	for (int i = 0; i < n_temp_dirs; i++)
		nftw(temp_dirs[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	n_temp_dirs = 0;
}

const char *unit_temp_dir(void)
{
	char *path;

	if (owner != getpid()) {
		owner = getpid();
		n_temp_dirs = 0;
		atexit(remove_temp_dirs);
	}
	ck_assert_int_lt(n_temp_dirs, TEMP_DIRS_MAX);
	path = temp_dirs[n_temp_dirs];
	snprintf(path, sizeof temp_dirs[0], "/tmp/klamm-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	n_temp_dirs++;
	return path;
}

const char *unit_source_dir(void)
{
	const char *dir = getenv("KLAMM_SRCDIR");

	return dir ? dir : ".";
}

int unit_run(const char *name, const TTest *const *cases, int n_cases)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	for (int i = 0; i < n_cases; i++)
		tcase_add_test(tcase, cases[i]);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
