#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/random.h"
#include "tests/table_entries.h"

using namespace rlscout;

namespace {

// Positions that differ in their first word alone, as those of 8x8 Othello never do in the last: a torn entry, the data of
// one beside the words of another, looks like that of either.
constexpr std::uint32_t kPositions = 6;
template <int kWords>
TableKey<kWords> alike(std::uint32_t number) {
  TableKey<kWords> key{};
  key[0] = combine(number, 1);
  return key;
}

}  // namespace

TEST_CASE_TEMPLATE("readers and writers of one small table never see a torn entry", Width,
                   std::integral_constant<int, 2>, std::integral_constant<int, 3>, std::integral_constant<int, 8>) {
  constexpr int kWords = Width::value;
  TranspositionTable<kWords> table(0);  // one bucket: everybody meets in it
  const auto store = [&](std::uint32_t number) { table.store(alike<kWords>(number), entry_of(number)); };
  for (std::uint32_t i = 0; i < kPositions; ++i) store(i);
  std::atomic<int> torn{0}, readers{2};
  std::vector<std::thread> threads;
  for (std::uint64_t stream = 0; stream < 2; ++stream)
    threads.emplace_back([&, stream] {
      for (Random random(1, stream); readers > 0;) store(random.below(kPositions));
    });
  // A writer may lose its processor inside the bucket: then nothing is found until it has it again.
  threads.emplace_back([&] {
    for (std::uint32_t hits = 0, i = 0; hits < 5000; ++i) {
      const auto entry = table.probe(alike<kWords>(i % kPositions));
      if (!entry && i % 64 == 0) std::this_thread::yield();
      if (!entry) continue;
      ++hits;
      if (!same(*entry, entry_of(i % kPositions))) ++torn;
    }
    --readers;
  });
  threads.emplace_back([&] {
    for (std::uint32_t visits = 0, i = 0; visits < 5000; ++i) {
      if (i % 64 == 0) std::this_thread::yield();
      table.for_each([&](TableKey<kWords> stored) {
        ++visits;
        const TableEntry entry = table_data::unpack(stored[kWords - 1]);
        stored[kWords - 1] &= ~table_data::kMask;
        bool whole = false;
        for (std::uint32_t n = 0; n < kPositions; ++n) whole |= stored == alike<kWords>(n) && same(entry, entry_of(n));
        if (!whole) ++torn;
      });
    }
    --readers;
  });
  for (std::thread& thread : threads) thread.join();
  CHECK(torn == 0);
}
