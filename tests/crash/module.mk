# tests/crash: the crash-consistency harness
CRASH_TESTS += tests/crash/crash
tests_crash_crash_SOURCES = tests/crash/crash.h tests/crash/judge.c tests/crash/journal.c tests/crash/main.c \
	tests/crash/ops.c tests/crash/prepare.c tests/crash/prepare.h tests/crash/trace.c tests/crash/trace.h \
	tests/crash/tree.c tests/crash/tree.h tests/crash/verify.c
tests_crash_crash_LDADD = $(STORAGE_LIBS) $(SECCOMP_LIBS)

CRASH_TESTS += tests/crash/scripts
tests_crash_scripts_SOURCES = tests/crash/scripts.c tests/crash/journal.c tests/crash/trace.c tests/crash/trace.h \
	tests/crash/tree.c tests/crash/tree.h
tests_crash_scripts_LDADD = $(FILTER_LIBS) $(SECCOMP_LIBS)
