// Memory that many small things share which grow and go at different times: cache lines, taken and given back by the chunk.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "core/pages.h"

namespace rlscout {

// For one thread. Lines are known by their numbers; their memory may move when a chunk is taken.
class Arena {
 public:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  static constexpr std::uint32_t kChunk = 64;                          // lines
  static constexpr std::uint32_t kMostLines = std::uint32_t{1} << 29;  // 32 GiB

  // Address space for `lines` is set aside, so that they stay where they are, or for as many as the system grants; memory is taken as
  // chunks are.
  explicit Arena(std::size_t lines) {
    for (lines = std::min<std::size_t>(lines, kMostLines); lines > 0; lines /= 2) {
      try {
        lines_.reserve(lines);
        return;
      } catch (const std::bad_alloc&) {
      }
    }
  }

  // The first of kChunk lines.
  std::uint32_t take() {
    if (!free_.empty()) {
      const std::uint32_t chunk = free_.back();
      free_.pop_back();
      return chunk;
    }
    const std::size_t chunk = lines_.size(), size = chunk + kChunk;
    if (size > kMostLines) throw std::bad_alloc();
    if (size > lines_.capacity()) lines_.reserve(size + size / 8);
    lines_.resize(size);
    return static_cast<std::uint32_t>(chunk);
  }
  void give_back(std::uint32_t chunk) { free_.push_back(chunk); }

  std::byte* at(std::uint32_t line) { return lines_[line].bytes; }
  const std::byte* at(std::uint32_t line) const { return lines_[line].bytes; }

 private:
  std::vector<Line, PageAllocator<Line>> lines_;
  std::vector<std::uint32_t> free_;  // chunks; the one given back last is taken first, while caches hold it
};

}  // namespace rlscout
