# The judge is a program of its own (test/compat/run); it goes into the distribution as it is. Named one by one: the folder itself would
# take what was built there along.
EXTRA_DIST += test/compat/README.md test/compat/conftest.py test/compat/dump_log.py test/compat/ledger.py test/compat/load.py \
	test/compat/log4j.properties test/compat/pom.xml test/compat/run test/compat/test_judge.py test/compat/test_judge_groups.py test/compat/znodes.py
