// Counts what C++ code of this program takes from the heap, on all threads, so that tests can see
// that a run takes nothing.
#ifndef MYELIN_TESTS_ALLOCATIONS_H_
#define MYELIN_TESTS_ALLOCATIONS_H_

#include <cstdint>

namespace myelin::test {

// How often memory has been asked for so far; always 0 under a sanitizer, whose own operator new
// stays in place.
int64_t allocations();

}  // namespace myelin::test

#endif  // MYELIN_TESTS_ALLOCATIONS_H_
