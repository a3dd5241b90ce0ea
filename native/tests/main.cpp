// The native tests: one *_test.cpp per header of core and search, in one program. All run under AddressSanitizer with
// UndefinedBehaviorSanitizer; *_threads_test.cpp also under ThreadSanitizer, in a program of their own.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
