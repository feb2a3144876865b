# Rules that a machine keeps; each script is a test of `make check`. lint_test tests the others.
EXTRA_DIST += test/lint/README.md test/lint/includes.txt test/lint/pure.txt test/lint/source.py
lint_scripts = test/lint/check_includes test/lint/check_lengths test/lint/check_purity test/lint/lint_test test/lint/schemas
dist_check_SCRIPTS += $(lint_scripts)
lint_tests += $(lint_scripts)
