// The words of CUDA that tower.cu uses, for a CPU: each thread of a block is a fiber, and what a warp does together is done when
// its last lane has come. Slow, exact, and independent of any GPU. Variables are static: inline ones would be one for all
// libraries that a process loads.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)

using std::min;

struct Place {
  int x;
};
static Place threadIdx, blockIdx;
alignas(128) static unsigned char shared[SHARED_BYTES];

namespace fibers {

constexpr int kThreads = 32 * WARPS;

struct Warp {
  u32 words[32][8];
  float left[16][32], right[32][8];
  int here = 0, generation = 0;
};
struct Fiber {
  std::unique_ptr<char[]> stack;
  ucontext_t begin;
  jmp_buf resume;
  bool begun = false, over = false;
};
static Warp warps[WARPS];
static Fiber all[kThreads];
static int running, block_here, block_generation;
static ucontext_t scheduler;
static jmp_buf back;

inline void yield() {
  if (_setjmp(all[running].resume) == 0) _longjmp(back, 1);
  threadIdx.x = running;
}

inline Warp& warp() { return warps[threadIdx.x / 32]; }

inline void meet(int& here, int& generation, int of) {
  const int mine = generation;
  if (++here == of)
    here = 0, ++generation;
  else
    while (generation == mine) yield();
}
inline void meet_warp() { meet(warp().here, warp().generation, 32); }

inline float single_of(u32 half) {
  const auto bits = static_cast<u16>(half);
  _Float16 value;
  std::memcpy(&value, &bits, 2);
  return static_cast<float>(value);
}

static void (*body)();
inline void entry() {
  body();
  all[running].over = true;
  for (;;) _longjmp(back, 1);
}

// Runs a block of threads to its end; what a block finds in shared memory is noise.
inline void run_block(void (*job)()) {
  body = job;
  std::memset(shared, 0x7d, sizeof(shared));
  for (auto& fiber : all) {
    fiber.begun = fiber.over = false;
    if (!fiber.stack) fiber.stack = std::make_unique<char[]>(1 << 16);
    getcontext(&fiber.begin);
    fiber.begin.uc_stack.ss_sp = fiber.stack.get();
    fiber.begin.uc_stack.ss_size = 1 << 16;
    fiber.begin.uc_link = nullptr;
    makecontext(&fiber.begin, entry, 0);
  }
  for (volatile bool left = true; left;) {
    left = false;
    for (volatile int i = 0; i < kThreads; i = i + 1) {
      if (all[i].over) continue;
      left = true;
      running = threadIdx.x = i;
      if (_setjmp(back) != 0) continue;
      if (all[i].begun) _longjmp(all[i].resume, 1);
      all[i].begun = true;
      setcontext(&all[i].begin);
    }
  }
}

}  // namespace fibers

inline void __syncwarp() { fibers::meet_warp(); }
inline void __syncthreads() { fibers::meet(fibers::block_here, fibers::block_generation, fibers::kThreads); }

inline float __shfl_xor_sync(u32, float value, int mask) {
  auto& warp = fibers::warp();
  const int lane = threadIdx.x % 32;
  std::memcpy(&warp.words[lane][0], &value, 4);
  fibers::meet_warp();
  std::memcpy(&value, &warp.words[lane ^ mask][0], 4);
  fibers::meet_warp();
  return value;
}

// Eight lanes at a time fetch 16 bytes each, at once if no two need different words of a bank.
extern "C" int bank_conflicts;
int bank_conflicts;

inline void load_matrices(u32 (&to)[4], u32 offset) {
  auto& warp = fibers::warp();
  const int lane = threadIdx.x % 32;
  warp.words[lane][0] = offset;
  fibers::meet_warp();
  for (int other = lane & ~7; other < lane; ++other) {
    const u32 from = warp.words[other][0];
    bank_conflicts += from != offset && from % 128 == offset % 128;
  }
  for (int i = 0; i < 4; ++i) std::memcpy(&to[i], shared + warp.words[8 * i + lane / 4][0] + 4 * (lane % 4), 4);
  fibers::meet_warp();
}

namespace fibers {

// A word holds `count` numbers of consecutive inputs, which `left_of` and `right_of` read.
template <int count, class Sum>
void multiply(Sum (&sum)[4], const u32 (&left)[4], const u32 (&right)[2], auto left_of, auto right_of) {
  Warp& mine = warp();
  const int group = threadIdx.x % 32 / 4, pair = threadIdx.x % 4;
  for (int number = 0; number < count; ++number) {
    const int input = count * pair + number, shift = 32 / count * number;
    for (int i = 0; i < 4; ++i) mine.left[group + 8 * (i & 1)][input + 4 * count * (i >> 1)] = left_of(left[i] >> shift);
    for (int i = 0; i < 2; ++i) mine.right[input + 4 * count * i][group] = right_of(right[i] >> shift);
  }
  meet_warp();
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 8 * count; ++k)
      sum[i] += static_cast<Sum>(mine.left[group + 8 * (i >> 1)][k] * mine.right[k][2 * pair + (i & 1)]);
  meet_warp();
}

}  // namespace fibers

inline void multiply(float (&sum)[4], const u32 (&left)[4], u32 right0, u32 right1) {
  fibers::multiply<2>(sum, left, {right0, right1}, fibers::single_of, fibers::single_of);
}
inline void multiply(int (&sum)[4], const u32 (&left)[4], u32 right0, u32 right1) {
  fibers::multiply<4>(
      sum, left, {right0, right1}, [](u32 word) { return static_cast<unsigned char>(word); },
      [](u32 word) { return static_cast<signed char>(word); });
}

inline u32 halves(float low, float high) {
  const _Float16 both[2] = {static_cast<_Float16>(low), static_cast<_Float16>(high)};
  u32 made;
  std::memcpy(&made, both, 4);
  return made;
}
inline u32 relu_halves(float low, float high) { return halves(std::fmax(low, 0.0f), std::fmax(high, 0.0f)); }
inline float single(u16 half) { return fibers::single_of(half); }
inline float single(u32 half) { return fibers::single_of(half); }
inline float __expf(float x) { return std::exp(x); }
inline float __saturatef(float x) { return std::fmin(std::fmax(x, 0.0f), 1.0f); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline u32 __float_as_uint(float x) { return std::bit_cast<u32>(x); }
inline u32 __byte_perm(u32 low, u32 high, u32 selector) {
  const u64 both = static_cast<u64>(high) << 32 | low;
  u32 made = 0;
  for (int i = 0; i < 4; ++i) made |= static_cast<u32>(both >> (selector >> 4 * i & 7) * 8 & 0xff) << 8 * i;
  return made;
}

// A copy arrives when it is waited for, and not before: until then its place holds noise.
struct Copy {
  u32 to;
  const void* from;
};
static std::vector<Copy> under_way[fibers::kThreads];
inline void copy_ahead(u32 to, const void* from) {
  std::memset(shared + to, 0x7b, 16);
  under_way[threadIdx.x].push_back({to, from});
}
inline void end_copies() {}
inline void await_copies() {
  for (const Copy& copy : under_way[threadIdx.x]) std::memcpy(shared + copy.to, copy.from, 16);
  under_way[threadIdx.x].clear();
}
