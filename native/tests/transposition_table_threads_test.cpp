#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/random.h"
#include "tests/table_entries.h"

using namespace rlscout;

TEST_CASE_TEMPLATE("readers and writers of one small table never see a torn entry", Width,
                   std::integral_constant<int, 2>, std::integral_constant<int, 8>) {
  constexpr int kWords = Width::value;
  TranspositionTable<kWords> table(0);  // one bucket: everybody meets in it
  std::atomic<int> torn{0}, hits{0};
  std::vector<std::thread> threads;
  for (std::uint64_t stream = 0; stream < 4; ++stream)
    threads.emplace_back([&, stream] {
      Random random(1, stream);
      for (int i = 0; i < 50000; ++i) {
        const std::uint32_t stored = random.below(16), probed = random.below(16);
        table.store(key_of<kWords>(stored), entry_of(stored));
        if (const auto entry = table.probe(key_of<kWords>(probed))) {
          ++hits;
          if (!same(*entry, entry_of(probed))) ++torn;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(torn == 0);
  CHECK(hits > 0);
}
