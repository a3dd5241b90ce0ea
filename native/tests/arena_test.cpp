#include "core/arena.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

using namespace rlscout;

TEST_CASE("chunks do not overlap, keep what is written to them, and come again") {
  Arena arena(3 * Arena::kChunk / Arena::kQuarters);  // fewer than will be: it must grow
  std::vector<std::uint32_t> chunks;
  constexpr std::size_t kBytes = Arena::kChunk * Arena::kQuarter;
  for (int i = 0; i < 40; ++i) {
    const std::uint32_t chunk = chunks.emplace_back(arena.take());
    CHECK(reinterpret_cast<std::uintptr_t>(arena.at(chunk)) % sizeof(Arena::Line) == 0);
    std::memset(arena.at(chunk), i, kBytes);
  }
  int changed = 0;
  for (int i = 0; i < 40; ++i)
    changed += std::count(arena.at(chunks[i]), arena.at(chunks[i]) + kBytes, static_cast<std::byte>(i)) != kBytes;
  CHECK(changed == 0);
  arena.give_back(chunks[7]);
  arena.give_back(chunks[3]);
  CHECK(arena.take() == chunks[3]);
  CHECK(arena.take() == chunks[7]);
  CHECK(std::find(chunks.begin(), chunks.end(), arena.take()) == chunks.end());
}

TEST_CASE("an arena that is full says how much it holds, and goes on with what is given back") {
  constexpr std::size_t kLines = (1u << 20) / sizeof(Arena::Line);
  Arena arena(0, kLines);
  constexpr std::size_t kChunks = kLines * Arena::kQuarters / Arena::kChunk;
  for (std::size_t i = 0; i < kChunks; ++i) CHECK(arena.take() == i * Arena::kChunk);
  try {
    arena.take();
    FAIL("nothing was thrown");
  } catch (const std::bad_alloc& error) {
    CHECK(std::string(error.what()).find("1 MiB of 1 MiB") != std::string::npos);
  }
  arena.give_back(3 * Arena::kChunk);
  CHECK(arena.take() == 3 * Arena::kChunk);
}
