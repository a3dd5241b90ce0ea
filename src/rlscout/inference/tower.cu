// The network in one kernel: packed positions in, legal moves' probabilities and values out. Compiled at run time for one
// architecture (fused.py names the macros and lays out the weights).
//
// A warp has one position. Its activations stay in shared memory from the first layer to the last, in half precision, and a
// convolution is nine products on the tensor cores, one for each tap: a row of the left matrix is a square's neighbour, which
// ldmatrix fetches from wherever it lies (off the board, from a line of zeros), so that nothing is ever laid out anew. Sums are
// single precision. All warps of a block work on the same layer and share its weights, which come through a ring of two stages.
//
//   shared memory:  ring 2 x stage | zeros | a position a warp: tower [squares, channels], inside [squares, channels] | logits | hidden

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long long u64;

constexpr int kWarps = WARPS;  // positions a block; at most 8, the rows of a product of the dense layers
constexpr int kSquares = ROWS * COLUMNS;
constexpr int kRowTiles = (kSquares + 15) / 16;
constexpr int kSteps = CHANNELS / 16;
constexpr int kPairs = CHANNELS / 16;  // of column tiles
constexpr int kStemSteps = 2;          // 27 inputs: 3 planes of 3x3
constexpr int kTapBytes = kSteps * kPairs * 512;
constexpr int kStageBytes = 3 * kTapBytes > kStemSteps * kPairs * 512 ? 3 * kTapBytes : kStemSteps * kPairs * 512;
constexpr int kStages = 1 + 6 * BLOCKS;  // the stem, then a row of taps at a time
constexpr int kLine = 128;               // bytes of a square; 16-byte chunks lie at chunk ^ (square & 7): no bank conflicts
constexpr int kPlaneBytes = kSquares * kLine;
constexpr int kPositionBytes = 2 * kPlaneBytes + 16;  // 16: positions begin at different banks
constexpr int kHeadTiles = (POLICY_CHANNELS + VALUE_CHANNELS + 7) / 8;
constexpr int kPolicyInputs = (POLICY_CHANNELS * kSquares + 15) / 16 * 16;
constexpr int kValueInputs = (VALUE_CHANNELS * kSquares + 15) / 16 * 16;
constexpr int kLogits = (kSquares + 7) / 8 * 8;
constexpr int kHidden = (VALUE_HIDDEN + 7) / 8 * 8;

constexpr int kZeros = 2 * kStageBytes;
constexpr int kPositions = kZeros + kLine;
constexpr int kLogitsAt = kPositions + kWarps * kPositionBytes;
constexpr int kHiddenAt = kLogitsAt + kWarps * kLogits * 4;
static_assert(kHiddenAt + kWarps * kHidden * 4 == SHARED_BYTES, "fused.py counts otherwise");
static_assert((kPolicyInputs + kValueInputs) * 2 <= kPlaneBytes, "the heads' planes lie where a block's inside lay");
static_assert(CHANNELS % 16 == 0 && CHANNELS <= 64 && kSquares <= 64 && kWarps <= 8, "see fused.py");

#ifdef __CUDACC__
extern __shared__ __align__(128) unsigned char shared[];

__device__ __forceinline__ u32 shared_address(u32 offset) {
  return static_cast<u32>(__cvta_generic_to_shared(shared)) + offset;
}

// Four 8x8 matrices of halves; the eight lanes 8i .. 8i + 7 say where the rows of matrix i lie.
__device__ __forceinline__ void load_matrices(u32 (&to)[4], u32 offset) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(offset))
               : "memory");
}

// sum += left [16, 16] * right [16, 8]
__device__ __forceinline__ void multiply(float (&sum)[4], const u32 (&left)[4], u32 right0, u32 right1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
}

__device__ __forceinline__ u32 halves(float low, float high) {
  u32 both;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}
__device__ __forceinline__ float single(u16 half) {
  float made;
  asm("cvt.f32.f16 %0, %1;" : "=f"(made) : "h"(half));
  return made;
}

__device__ __forceinline__ void copy_ahead(u32 to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
}
__device__ __forceinline__ void end_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
__device__ __forceinline__ void await_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }
#else
#include "cuda_on_cpu.h"  // the same words for a CPU, for tests
#endif

struct alignas(16) Words4 {
  u32 word[4];
};
struct alignas(8) Words2 {
  u32 word[2];
};

template <class T>
__device__ __forceinline__ T& at(u32 offset) {
  return *reinterpret_cast<T*>(shared + offset);
}

using Sums = float[kRowTiles][2 * kPairs][4];

// What a lane knows of its place: rows of a tile are squares.
struct Lane {
  int lane, group, pair;  // of the lane: a sum has rows group and group + 8, columns 2 * pair and 2 * pair + 1
  u32 position;           // where the warp's activations lie
  __device__ __forceinline__ u32 tower() const { return position; }
  __device__ __forceinline__ u32 inside() const { return position + kPlaneBytes; }
};

__device__ __forceinline__ void ask_for_stage(const Words4* stages, int stage) {
  if (stage < kStages)
    for (int i = threadIdx.x; i < kStageBytes / 16; i += 32 * kWarps)
      copy_ahead((stage & 1) * kStageBytes + 16 * i, stages + stage * (kStageBytes / 16) + i);
  end_copies();
}

// The stage is there, every warp is done with the one before it, and the next is on its way.
__device__ __forceinline__ u32 next_stage(const Words4* stages, int& stage) {
  await_copies();
  __syncthreads();
  ask_for_stage(stages, stage + 1);
  return (stage++ & 1) * kStageBytes;
}

__device__ __forceinline__ void begin_sums(Sums& sums, const float* bias, const Lane& my) {
#pragma unroll
  for (int tile = 0; tile < 2 * kPairs; ++tile) {
    const float low = bias[8 * tile + 2 * my.pair], high = bias[8 * tile + 2 * my.pair + 1];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      sums[i][tile][0] = sums[i][tile][2] = low;
      sums[i][tile][1] = sums[i][tile][3] = high;
    }
  }
}

// sums += left * the weights of one step of 16 inputs, which lie in the order of the lanes that use them.
__device__ __forceinline__ void multiply_step(Sums& sums, const u32 (&left)[kRowTiles][4], u32 weights, const Lane& my) {
#pragma unroll
  for (int pair = 0; pair < kPairs; ++pair) {
    const Words4 right = at<Words4>(weights + pair * 512 + my.lane * 16);
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      multiply(sums[i][2 * pair], left[i], right.word[0], right.word[1]);
      multiply(sums[i][2 * pair + 1], left[i], right.word[2], right.word[3]);
    }
  }
}

// Where chunk 0 of `square` is, as ldmatrix asks; `mask` is what its chunks are permuted by.
__device__ __forceinline__ u32 line_of(u32 planes, int square, bool on_board) {
  return on_board ? planes + square * kLine : kZeros;
}

__device__ __forceinline__ void convolve_row(Sums& sums, u32 planes, int down, u32 weights, const Lane& my) {
#pragma unroll
  for (int tap = 0; tap < 3; ++tap) {
    const int right = tap - 1;
    u32 line[kRowTiles], mask[kRowTiles];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      const int square = 16 * i + (my.lane & 15), row = square / COLUMNS + down, column = square % COLUMNS + right;
      const bool on_board = square < kSquares && row >= 0 && row < ROWS && column >= 0 && column < COLUMNS;
      const int neighbour = square + down * COLUMNS + right;
      line[i] = line_of(planes, neighbour, on_board);
      mask[i] = neighbour & 7;
    }
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      u32 left[kRowTiles][4];
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i)
        load_matrices(left[i], line[i] + ((2 * step + (my.lane >> 4)) ^ mask[i]) * 16);
      multiply_step(sums, left, weights + tap * kTapBytes + step * kPairs * 512, my);
    }
  }
}

// relu of the sums, plus what is there already where `add` says so.
__device__ __forceinline__ void store(const Sums& sums, u32 planes, bool add, const Lane& my) {
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int square = 16 * i + 8 * half + my.group;
      if (kSquares % 16 != 0 && square >= kSquares) continue;
#pragma unroll
      for (int tile = 0; tile < 2 * kPairs; ++tile) {
        u32& both = at<u32>(planes + square * kLine + ((tile ^ (square & 7)) * 16) + 4 * my.pair);
        float low = sums[i][tile][2 * half], high = sums[i][tile][2 * half + 1];
        if (add) low += single(both & 0xffff), high += single(both >> 16);
        both = halves(fmaxf(low, 0.0f), fmaxf(high, 0.0f));
      }
    }
}

// Bit `square` of the result: the bit of its neighbour `down` rows and `right` columns away; 0 off the board.
__device__ __forceinline__ u64 shifted(u64 board, int down, int right) {
  u64 first_column = 0;
#pragma unroll
  for (int row = 0; row < ROWS; ++row) first_column |= u64{1} << (row * COLUMNS);
  if (right < 0) board &= ~(first_column << (COLUMNS - 1));
  if (right > 0) board &= ~first_column;
  const int by = down * COLUMNS + right;
  return by >= 0 ? board >> by : board << -by;
}

// The planes of the position as left matrices, straight from its boards: input 9 * plane + 3 * row + column of the tap.
__device__ __forceinline__ void stem(Sums& sums, const u64 (&boards)[3], u32 weights, const Lane& my) {
#pragma unroll
  for (int step = 0; step < kStemSteps; ++step) {
    u64 plane[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int input = 16 * step + 2 * my.pair + (j & 1) + 8 * (j >> 1), tap = input % 9;
      const u64 board = input < 9 ? boards[0] : input < 18 ? boards[1] : input < 27 ? boards[2] : 0;
      plane[j] = shifted(board, tap / 3 - 1, tap % 3 - 1);
    }
    u32 left[kRowTiles][4];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        const int square = 16 * i + my.group + 8 * (part & 1);
        const u64 low = plane[2 * (part >> 1)], high = plane[2 * (part >> 1) + 1];
        left[i][part] = 0x3c00u * (static_cast<u32>(low >> square) & 1) + 0x3c000000u * (static_cast<u32>(high >> square) & 1);
      }
    multiply_step(sums, left, weights + step * kPairs * 512, my);
  }
}

// The 1x1 convolutions of both heads: relu, laid out as the dense layers read them, over the warp's inside.
__device__ __forceinline__ void head_planes(const Words2* weights, const float* bias, const Lane& my) {
  float sums[kRowTiles][kHeadTiles][4];
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile)
#pragma unroll
      for (int j = 0; j < 4; ++j) sums[i][tile][j] = bias[8 * tile + 2 * my.pair + (j & 1)];
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    u32 left[kRowTiles][4];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      const int square = 16 * i + (my.lane & 15);
      load_matrices(left[i],
                    line_of(my.tower(), square, square < kSquares) + ((2 * step + (my.lane >> 4)) ^ (square & 7)) * 16);
    }
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile) {
      const Words2 right = weights[(step * kHeadTiles + tile) * 32 + my.lane];
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) multiply(sums[i][tile], left[i], right.word[0], right.word[1]);
    }
  }
  const u32 policy = my.inside(), value = policy + 2 * kPolicyInputs;
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int square = 16 * i + my.group + 8 * (j >> 1), plane = 8 * tile + 2 * my.pair + (j & 1);
        const u16 half = static_cast<u16>(halves(fmaxf(sums[i][tile][j], 0.0f), 0.0f));
        if (square < kSquares && plane < POLICY_CHANNELS)
          at<u16>(policy + 2 * (plane * kSquares + square)) = half;
        else if (square < kSquares && plane < POLICY_CHANNELS + VALUE_CHANNELS)
          at<u16>(value + 2 * ((plane - POLICY_CHANNELS) * kSquares + square)) = half;
      }
  if (my.lane < kPolicyInputs - POLICY_CHANNELS * kSquares) at<u16>(policy + 2 * (POLICY_CHANNELS * kSquares + my.lane)) = 0;
  if (my.lane < kValueInputs - VALUE_CHANNELS * kSquares) at<u16>(value + 2 * (VALUE_CHANNELS * kSquares + my.lane)) = 0;
}

// Outputs 8 * tile .. 8 * tile + 7 of a dense layer for all positions of the block: row `group`, columns 2 * pair and one more.
__device__ __forceinline__ void dense(float (&out)[2], u32 inputs, int steps, const Words2* weights, int tiles, int tile,
                                      const float* bias, const Lane& my) {
  float sums[2][4] = {};
  const u32 row = kPositions + min(my.group, kWarps - 1) * kPositionBytes + inputs + 4 * my.pair;
#pragma unroll 8
  for (int step = 0; step < steps; ++step) {
    const u32 left[4] = {at<u32>(row + 32 * step), 0, at<u32>(row + 32 * step + 16), 0};
    const Words2 right = weights[(step * tiles + tile) * 32 + my.lane];
    multiply(sums[step & 1], left, right.word[0], right.word[1]);
  }
  for (int j = 0; j < 2; ++j) out[j] = sums[0][j] + sums[1][j] + bias[8 * tile + 2 * my.pair + j];
}

// positions [count, 2]: own stones, the opponent's; legal [count]. policy [count, squares] in half precision: 0 where not legal. value [count].
extern "C" __global__ void __launch_bounds__(32 * kWarps, 1)
    tower(const u64* positions, const u64* legal, int count, const Words4* stages, const Words2* planes, const Words2* policy_weights,
          const Words2* hidden_weights, const float* biases, u16* policy, float* value) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first = blockIdx.x * kWarps;
  const Lane my = {lane, lane / 4, lane % 4, static_cast<u32>(kPositions + warp * kPositionBytes)};
  const bool there = first + warp < count;
  int stage = 0;
  ask_for_stage(stages, 0);
  const int row = there ? first + warp : 0;
  const u64 boards[3] = {positions[2 * row], positions[2 * row + 1], legal[row]};
  if (threadIdx.x < kLine / 4) at<u32>(kZeros + 4 * threadIdx.x) = 0;

  Sums sums;
  begin_sums(sums, biases, my);
  stem(sums, boards, next_stage(stages, stage), my);
  store(sums, my.tower(), false, my);
#pragma unroll 1
  for (int layer = 0; layer < 2 * BLOCKS; ++layer) {
    const bool second = layer & 1;
    begin_sums(sums, biases + (1 + layer) * CHANNELS, my);
#pragma unroll 1
    for (int down = -1; down <= 1; ++down) {
      const u32 weights = next_stage(stages, stage);
      convolve_row(sums, second ? my.inside() : my.tower(), down, weights, my);
    }
    store(sums, second ? my.tower() : my.inside(), second, my);
  }
  __syncwarp();

  const float* bias = biases + (1 + 2 * BLOCKS) * CHANNELS;
  head_planes(planes, bias, my);
  __syncthreads();
  bias += 8 * kHeadTiles;
  for (int tile = warp; tile < kLogits / 8; tile += kWarps) {
    float out[2];
    dense(out, kPlaneBytes, kPolicyInputs / 16, policy_weights, kLogits / 8, tile, bias, my);
    for (int j = 0; j < 2 && my.group < kWarps; ++j) at<float>(kLogitsAt + 4 * (my.group * kLogits + 8 * tile + 2 * my.pair + j)) = out[j];
  }
  bias += kLogits;
  for (int tile = warp; tile < kHidden / 8; tile += kWarps) {
    float out[2];
    dense(out, kPlaneBytes + 2 * kPolicyInputs, kValueInputs / 16, hidden_weights, kHidden / 8, tile, bias, my);
    for (int j = 0; j < 2 && my.group < kWarps; ++j) {
      const int unit = 8 * tile + 2 * my.pair + j;
      at<float>(kHiddenAt + 4 * (my.group * kHidden + unit)) = fmaxf(out[j], 0.0f) * bias[kHidden + unit];
    }
  }
  __syncthreads();
  if (!there) return;

  float sum = lane == 0 ? bias[2 * kHidden] : 0.0f;
  for (int unit = lane; unit < kHidden; unit += 32) sum += at<float>(kHiddenAt + 4 * (warp * kHidden + unit));
  float logit[2], highest = -3.4e38f, total = 0.0f;
  for (int i = 0; i < 2; ++i) {
    const int square = lane + 32 * i;
    const bool allowed = square < kSquares && (boards[2] >> square & 1);
    logit[i] = allowed ? at<float>(kLogitsAt + 4 * (warp * kLogits + square)) : -3.4e38f;
    highest = fmaxf(highest, logit[i]);
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, distance));
  }
  for (int i = 0; i < 2; ++i) {
    logit[i] = logit[i] > -3.3e38f ? __expf(logit[i] - highest) : 0.0f;
    total += logit[i];
  }
  for (int distance = 16; distance > 0; distance /= 2) total += __shfl_xor_sync(0xffffffffu, total, distance);
  const float scale = total > 0.0f ? 1.0f / total : 0.0f;
  for (int i = 0; i < 2; ++i) {
    const int square = lane + 32 * i;
    if (square < kSquares)
      policy[static_cast<u64>(first + warp) * kSquares + square] = static_cast<u16>(halves(logit[i] * scale, 0.0f));
  }
  if (lane == 0) value[first + warp] = 1.0f - 2.0f / (__expf(2.0f * sum) + 1.0f);
}
