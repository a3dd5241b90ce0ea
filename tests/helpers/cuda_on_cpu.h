// The words of CUDA that tower.cu uses, for a CPU: each thread of a block is a fiber, and what a warp does together is done when
// its last lane has come. Slow, exact, and independent of any GPU.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
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
inline Place threadIdx, blockIdx;
alignas(128) inline unsigned char shared[SHARED_BYTES];

namespace fibers {

constexpr int kThreads = 32 * WARPS;

struct Warp {
  u32 words[32][8];
  float left[16][16], right[16][8];
  int here = 0, generation = 0;
};
struct Fiber {
  std::unique_ptr<char[]> stack;
  ucontext_t begin;
  jmp_buf resume;
  bool begun = false, over = false;
};
inline Warp warps[WARPS];
inline Fiber all[kThreads];
inline int running, block_here, block_generation;
inline ucontext_t scheduler;
inline jmp_buf back;

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

inline void (*body)();
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

inline void load_matrices(u32 (&to)[4], u32 offset) {
  auto& warp = fibers::warp();
  const int lane = threadIdx.x % 32;
  warp.words[lane][0] = offset;
  fibers::meet_warp();
  for (int i = 0; i < 4; ++i) std::memcpy(&to[i], shared + warp.words[8 * i + lane / 4][0] + 4 * (lane % 4), 4);
  fibers::meet_warp();
}

inline void multiply(float (&sum)[4], const u32 (&left)[4], u32 right0, u32 right1) {
  auto& warp = fibers::warp();
  const int group = threadIdx.x % 32 / 4, pair = threadIdx.x % 4;
  const u32 right[2] = {right0, right1};
  for (int half = 0; half < 2; ++half) {
    for (int i = 0; i < 4; ++i)
      warp.left[group + 8 * (i & 1)][2 * pair + 8 * (i >> 1) + half] = fibers::single_of(left[i] >> (16 * half));
    for (int i = 0; i < 2; ++i) warp.right[2 * pair + 8 * i + half][group] = fibers::single_of(right[i] >> (16 * half));
  }
  fibers::meet_warp();
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 16; ++k) sum[i] += warp.left[group + 8 * (i >> 1)][k] * warp.right[k][2 * pair + (i & 1)];
  fibers::meet_warp();
}

inline u32 halves(float low, float high) {
  const _Float16 both[2] = {static_cast<_Float16>(low), static_cast<_Float16>(high)};
  u32 made;
  std::memcpy(&made, both, 4);
  return made;
}
inline float single(u16 half) { return fibers::single_of(half); }
inline float single(u32 half) { return fibers::single_of(half); }
inline float __expf(float x) { return std::exp(x); }

// A copy arrives when it is waited for, and not before: until then its place holds noise.
struct Copy {
  u32 to;
  const void* from;
};
inline std::vector<Copy> under_way[fibers::kThreads];
inline void copy_ahead(u32 to, const void* from) {
  std::memset(shared + to, 0x7b, 16);
  under_way[threadIdx.x].push_back({to, from});
}
inline void end_copies() {}
inline void await_copies() {
  for (const Copy& copy : under_way[threadIdx.x]) std::memcpy(shared + copy.to, copy.from, 16);
  under_way[threadIdx.x].clear();
}
