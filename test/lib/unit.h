/*
 * What every unit test shares. A test file defines its cases with START_TEST/END_TEST and ends with
 *
 *     UNIT_MAIN("folder/module", case_one, case_two)
 *
 * which makes one suite of one program.
 */
#ifndef KLAMM_TEST_LIB_UNIT_H
#define KLAMM_TEST_LIB_UNIT_H

#include <check.h>

/* Runs the cases as a suite in order; returns the exit status of the program. */
int unit_run(const char *name, const TTest *const *cases, int n_cases);

/* A new empty folder that is removed with all its contents when the program ends; the text belongs to the library. */
const char *unit_temp_dir(void);

/* The root of the source tree, for golden files. */
const char *unit_source_dir(void);

#define UNIT_MAIN(name, ...)                                                                          \
	int main(void)                                                                                \
	{                                                                                             \
		const TTest *const cases[] = {__VA_ARGS__};                                           \
		return unit_run(name, cases, (int)(sizeof cases / sizeof cases[0]));                  \
	}

#endif
