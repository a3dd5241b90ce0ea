#include "core/pages.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

using namespace rlscout;

TEST_CASE("small and large arrays lie where they must and begin empty") {
  struct alignas(64) Line {
    std::uint64_t words[8];
  };
  using Pages = PageAllocator<Line>;
  for (const std::size_t bytes : {sizeof(Line), Pages::kHugePage, 2 * Pages::kHugePage + sizeof(Line)}) {
    std::vector<Line, Pages> lines(bytes / sizeof(Line));
    const auto address = reinterpret_cast<std::uintptr_t>(lines.data());
    CHECK(address % (bytes >= Pages::kHugePage ? Pages::kHugePage : alignof(Line)) == 0);
    CHECK(std::all_of(lines.begin(), lines.end(),
                      [](const Line& line) { return line.words[0] == 0 && line.words[7] == 0; }));
  }
}
