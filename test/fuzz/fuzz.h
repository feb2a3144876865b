/*
 * What a fuzz target is: one function in test/fuzz/<name>_fuzz.c that takes any bytes and must come back.
 *
 * It is linked with libFuzzer (./configure CC=clang --enable-fuzz), and in every build with replay.c, which feeds it the files
 * of test/fuzz/corpus/<name>/ and damaged copies of them. See README.md.
 */
#ifndef KLAMM_TEST_FUZZ_FUZZ_H
#define KLAMM_TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
