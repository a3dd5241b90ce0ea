// Threads that the system may refuse.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace rlscout {

// Starts work(1) .. work(threads - 1) into `started`; the caller is the first of the `threads`. Where the system grants fewer:
// end(), which ends and joins those started, then std::invalid_argument: fewer are allowed.
template <class Work, class End>
void start_threads(std::vector<std::thread>& started, int threads, const Work& work, const End& end) {
  int part = 1;
  try {
    for (; part < threads; ++part) started.emplace_back(work, part);
  } catch (const std::exception& error) {
    end();
    throw std::invalid_argument("thread " + std::to_string(part + 1) + " of " + std::to_string(threads) +
                                " cannot be started: " + error.what());
  }
}

}  // namespace rlscout
