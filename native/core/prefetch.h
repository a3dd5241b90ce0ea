// Memory asked for ahead of time.
#pragma once

namespace rlscout {

// The cache line of this address, which need not be one's own. The empty statement is there because GCC takes a function that does
// nothing but ask for memory for one that does nothing, and drops its calls where it does not inline them.
inline void prefetch(const void* address) {
  __builtin_prefetch(address);
  asm volatile("");
}

}  // namespace rlscout
