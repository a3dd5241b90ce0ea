// The network in one kernel: packed positions in, legal moves' probabilities and values out. Compiled at run time for one
// architecture (fused.py names the macros and lays out the weights).
//
// A warp has one position. Its activations stay in shared memory from the first layer to the last, in half precision, and a
// convolution is nine products on the tensor cores, one for each tap: a row of the left matrix is a square's neighbour, which
// ldmatrix fetches from wherever it lies (off the board, from a line of zeros), so that nothing is ever laid out anew. Sums are
// single precision. All warps of a block work on the same layer and share its weights, which come through a ring of two stages.
//
// With 8 bits, the blocks multiply whole numbers (whole.py): activations 0 .. 255 by weights -127 .. 127, which takes half the
// time and half the memory. What the blocks add to stays in half precision, and beside it lies its copy in bytes.
//
//   shared memory:  ring 2 x stage | zeros | a position a warp | logits | hidden
//   a position:     16 bits: tower [squares, channels] | inside [squares, channels]
//                    8 bits: tower [squares, channels] | the same in bytes | inside in bytes

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long long u64;

constexpr int kWarps = WARPS;  // positions a block; at most 8, the rows of a product of the dense layers
constexpr int kSquares = ROWS * COLUMNS;
constexpr int kRowTiles = (kSquares + 15) / 16;
constexpr int kPairs = CHANNELS / 16;  // of column tiles
constexpr int kStemSteps = 2;          // 27 inputs: 3 planes of 3x3
constexpr bool kWhole = BITS == 8;
constexpr int kSteps = CHANNELS * BITS / 256;  // of a tap: 32 bytes of each row
constexpr int kTapBytes = kSteps * kPairs * 512;
constexpr int kStageBytes = 3 * kTapBytes > kStemSteps * kPairs * 512 ? 3 * kTapBytes : kStemSteps * kPairs * 512;
constexpr int kStages = 1 + 6 * BLOCKS;  // the stem, then a row of taps at a time
constexpr int kTerms = kWhole ? 3 : 1;   // rows of numbers for the channels of a layer: bias; then scale, full (see store)
constexpr int kHalfLine = 128, kByteLine = 64;         // bytes of a square
constexpr int kLine = kWhole ? kByteLine : kHalfLine;  // of a square as the blocks' convolutions read it
constexpr int kPlaneBytes = (kSquares + 1) / 2 * 2 * kHalfLine;  // of halves; two of bytes are as large
constexpr int kPositionBytes = 2 * kPlaneBytes + 16;             // 16: positions begin at different banks
constexpr int kZeroBytes = 256;                                  // a line for each warp, at the banks of its position
constexpr int kHeadTiles = (POLICY_CHANNELS + VALUE_CHANNELS + 7) / 8;
constexpr int kPolicyInputs = (POLICY_CHANNELS * kSquares + 15) / 16 * 16;
constexpr int kValueInputs = (VALUE_CHANNELS * kSquares + 15) / 16 * 16;
constexpr int kLogits = (kSquares + 7) / 8 * 8;
constexpr int kHidden = (VALUE_HIDDEN + 7) / 8 * 8;

constexpr int kZeros = 2 * kStageBytes;
constexpr int kPositions = kZeros + kZeroBytes;
constexpr int kLogitsAt = kPositions + kWarps * kPositionBytes;
constexpr int kHiddenAt = kLogitsAt + kWarps * kLogits * 4;
static_assert(kHiddenAt + kWarps * kHidden * 4 == SHARED_BYTES, "fused.py counts otherwise");
static_assert((kPolicyInputs + kValueInputs) * 2 <= kPlaneBytes, "the heads' planes lie where a block's inside lay");
static_assert((kWhole || BITS == 16) && CHANNELS * BITS % 256 == 0 && CHANNELS <= 64 && kSquares <= 64 && kWarps <= 8,
              "see fused.py");

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

// sum += left [16, 16] * right [16, 8]; of bytes, left [16, 32] * right [32, 8]
__device__ __forceinline__ void multiply(float (&sum)[4], const u32 (&left)[4], u32 right0, u32 right1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
}

__device__ __forceinline__ void multiply(int (&sum)[4], const u32 (&left)[4], u32 right0, u32 right1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right0), "r"(right1));
}

__device__ __forceinline__ u32 halves(float low, float high) {
  u32 both;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}
__device__ __forceinline__ u32 relu_halves(float low, float high) {
  u32 both;
  asm("cvt.rn.relu.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
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
struct alignas(16) Floats4 {
  float number[4];
};

template <class T>
__device__ __forceinline__ T& at(u32 offset) {
  return *reinterpret_cast<T*>(shared + offset);
}

// Of products of halves, floats; of bytes, integers. A lane's columns of two tiles are four channels in a row (fused.py).
template <class T>
using Sums = T[kRowTiles][2 * kPairs][4];
#if BITS == 8
using BlockSums = Sums<int>;
#else
using BlockSums = Sums<float>;
#endif

// What a lane knows of its place: rows of a tile are squares.
struct Lane {
  int lane, group, pair;  // of the lane: a sum has rows group and group + 8, columns 2 * pair and 2 * pair + 1
  u32 position, zeros;    // where the warp's activations lie, and its line of zeros
  __device__ __forceinline__ u32 tower() const { return position; }
  __device__ __forceinline__ u32 heads() const { return position + kPlaneBytes; }
  __device__ __forceinline__ u32 tower_as_read() const { return kWhole ? position + kPlaneBytes : position; }
  __device__ __forceinline__ u32 inside() const { return position + kPlaneBytes + (kWhole ? kPlaneBytes / 2 : 0); }
};

__device__ __forceinline__ void ask_for_stage(const Words4* stages, int stage) {
  if (stage < kStages) {
    const Words4* from = stages + stage * (kStageBytes / 16) + threadIdx.x;
    const u32 to = (stage & 1) * kStageBytes + 16 * threadIdx.x;
#pragma unroll
    for (int i = 0; i < kStageBytes / 16; i += 32 * kWarps)
      if (i + threadIdx.x < kStageBytes / 16) copy_ahead(to + 16 * i, from + i);
  }
  end_copies();
}

// The stage is there, every warp is done with the one before it, and the next is on its way.
__device__ __forceinline__ u32 next_stage(const Words4* stages, int& stage) {
  await_copies();
  __syncthreads();
  ask_for_stage(stages, stage + 1);
  return (stage++ & 1) * kStageBytes;
}

// Of a row of terms, those of the lane's channels.
__device__ __forceinline__ Floats4 four(const float* terms, int pair, const Lane& my) {
  return *reinterpret_cast<const Floats4*>(terms + 16 * pair + 4 * my.pair);
}

__device__ __forceinline__ void begin(Sums<float>& sums, const float* bias, const Lane& my) {
#pragma unroll
  for (int pair = 0; pair < kPairs; ++pair) {
    const Floats4 begin = four(bias, pair, my);
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
      for (int j = 0; j < 8; ++j) sums[i][2 * pair + j / 4][j % 4] = begin.number[j / 4 * 2 + j % 2];
  }
}
__device__ __forceinline__ float value(float sum, float, float) { return sum; }

// The bits of 1.5 * 2^23: a sum within 22 bits that begins there is, read as a float, greater by so much. The chip converts
// integers slowly; the bias makes up for it (whole.py).
__device__ __forceinline__ void begin(Sums<int>& sums, const float*, const Lane&) {
#pragma unroll
  for (auto& row : sums)
#pragma unroll
    for (auto& tile : row)
#pragma unroll
      for (int& sum : tile) sum = 0x4b400000;
}
__device__ __forceinline__ float value(int sum, float scale, float bias) { return fmaf(__int_as_float(sum), scale, bias); }

// sums += left * the weights of one step, which lie in the order of the lanes that use them.
template <class T>
__device__ __forceinline__ void multiply_step(Sums<T>& sums, const u32 (&left)[kRowTiles][4], u32 weights, const Lane& my) {
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

// The 16-byte chunk c of a square lies at chunk c ^ chunk_mask: at other banks for each of eight squares in a row (ldmatrix), and
// of halves two chunks together for each of four (store).
template <int kBytes>
__device__ __forceinline__ u32 chunk_mask(int square) {
  return kBytes == kHalfLine ? (square ^ 2 * square) & 7 : square >> 1 & 3;
}

template <class T>
__device__ __forceinline__ void convolve_row(Sums<T>& sums, u32 planes, int down, u32 weights, const Lane& my) {
#pragma unroll
  for (int tap = 0; tap < 3; ++tap) {
    const int right = tap - 1, neighbour = (my.lane & 15) + down * COLUMNS + right;  // in the first tile; 16 on, all is the same
    const u32 there = planes + neighbour * kLine, zeros = my.zeros + (neighbour * kLine & 127);
    const u32 mask = chunk_mask<kLine>(neighbour);
    u32 line[kRowTiles];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      const int square = 16 * i + (my.lane & 15), row = square / COLUMNS + down, column = square % COLUMNS + right;
      const bool on_board = square < kSquares && row >= 0 && row < ROWS && column >= 0 && column < COLUMNS;
      line[i] = on_board ? there + 16 * i * kLine : zeros;
    }
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      u32 left[kRowTiles][4];
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i)
        load_matrices(left[i], line[i] + ((2 * step + (my.lane >> 4)) ^ mask) * 16);
      multiply_step(sums, left, weights + tap * kTapBytes + step * kPairs * 512, my);
    }
  }
}

// Four numbers that are cut to 0 .. 1, in 255ths. To add 2^23 rounds a float to a whole number, in its last bits.
__device__ __forceinline__ u32 bytes(const float (&x)[4]) {
  u32 whole[4];
#pragma unroll
  for (int j = 0; j < 4; ++j) whole[j] = __float_as_uint(fmaf(__saturatef(x[j]), 255.0f, 8388608.0f));
  return __byte_perm(__byte_perm(whole[0], whole[1], 0x0040), __byte_perm(whole[2], whole[3], 0x0040), 0x5410);
}

// relu of a layer's values, plus what is in the tower already where `add` says so, into the tower or inside. In bytes, 1 / `full` is
// what 255 stands for in the tower; an inside's scale and bias have that in them.
template <bool kTower, class T>
__device__ __forceinline__ void store(const Sums<T>& sums, const float* terms, bool add, const Lane& my) {
#pragma unroll
  for (int pair = 0; pair < kPairs; ++pair) {
    const Floats4 bias = four(terms, pair, my), scale = kWhole ? four(terms + CHANNELS, pair, my) : bias;
    const Floats4 full = kWhole && kTower ? four(terms + 2 * CHANNELS, pair, my) : bias;
#pragma unroll
    for (int i = 0; i < 2 * kRowTiles; ++i) {
      const int square = 8 * i + my.group;
      if (kSquares % 16 != 0 && square >= kSquares) continue;
      float x[4];
#pragma unroll
      for (int j = 0; j < 4; ++j)
        x[j] = value(sums[i / 2][2 * pair + j / 2][i % 2 * 2 + j % 2], scale.number[j], bias.number[j]);
      if constexpr (kTower || !kWhole) {
        const u32 chunk = (2 * pair + my.pair / 2) ^ chunk_mask<kHalfLine>(square);
        auto& there =
            at<Words2>((kTower ? my.tower() : my.inside()) + square * kHalfLine + 16 * chunk + 8 * (my.pair & 1));
        if (add)
          for (int j = 0; j < 4; ++j) x[j] += single(there.word[j / 2] >> j % 2 * 16 & 0xffff);
        there = {relu_halves(x[0], x[1]), relu_halves(x[2], x[3])};
      }
      if constexpr (kWhole) {
        if constexpr (kTower)
          for (int j = 0; j < 4; ++j) x[j] *= full.number[j];
        const u32 chunk = pair ^ chunk_mask<kByteLine>(square);
        at<u32>((kTower ? my.tower_as_read() : my.inside()) + square * kByteLine + 16 * chunk + 4 * my.pair) = bytes(x);
      }
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
__device__ __forceinline__ void stem(Sums<float>& sums, const u64 (&boards)[3], u32 weights, const Lane& my) {
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

// The 1x1 convolutions of both heads: relu, laid out as the dense layers read them, behind the warp's tower.
__device__ __forceinline__ void head_planes(const Words2* weights, const float* bias, const Lane& my) {
  float sums[kRowTiles][kHeadTiles][4];
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile)
#pragma unroll
      for (int j = 0; j < 4; ++j) sums[i][tile][j] = bias[8 * tile + 2 * my.pair + (j & 1)];
#pragma unroll
  for (int step = 0; step < CHANNELS / 16; ++step) {
    u32 left[kRowTiles][4];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      const int square = 16 * i + (my.lane & 15);
      load_matrices(left[i], (square < kSquares ? my.tower() + square * kHalfLine : my.zeros) +
                                 ((2 * step + (my.lane >> 4)) ^ chunk_mask<kHalfLine>(square)) * 16);
    }
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile) {
      const Words2 right = weights[(step * kHeadTiles + tile) * 32 + my.lane];
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) multiply(sums[i][tile], left[i], right.word[0], right.word[1]);
    }
  }
  const u32 policy = my.heads(), value = policy + 2 * kPolicyInputs;
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i)
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int square = 16 * i + my.group + 8 * (j >> 1), plane = 8 * tile + 2 * my.pair + (j & 1);
        const u16 half = static_cast<u16>(relu_halves(sums[i][tile][j], 0.0f));
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
          const Words2* hidden_weights, const float* terms, u16* policy, float* value) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first = blockIdx.x * kWarps;
  const Lane my = {lane, lane / 4, lane % 4, static_cast<u32>(kPositions + warp * kPositionBytes), kZeros + 16u * warp};
  const bool there = first + warp < count;
  int stage = 0;
  ask_for_stage(stages, 0);
  const int row = there ? first + warp : 0;
  const u64 boards[3] = {positions[2 * row], positions[2 * row + 1], legal[row]};
  for (u32 i = threadIdx.x; i < kZeroBytes / 4; i += 32 * kWarps) at<u32>(kZeros + 4 * i) = 0;

  {
    Sums<float> sums;
    begin(sums, terms, my);
    stem(sums, boards, next_stage(stages, stage), my);
    store<true>(sums, terms, false, my);
  }
#pragma unroll 1
  for (int layer = 0; layer < 2 * BLOCKS; ++layer) {
    const bool second = layer & 1;
    terms += kTerms * CHANNELS;
    BlockSums sums;
    begin(sums, terms, my);
#pragma unroll 1
    for (int down = -1; down <= 1; ++down) {
      const u32 weights = next_stage(stages, stage);
      convolve_row(sums, second ? my.inside() : my.tower_as_read(), down, weights, my);
    }
    if (second)
      store<true>(sums, terms, true, my);
    else
      store<false>(sums, terms, false, my);
  }
  __syncwarp();

  const float* bias = terms + kTerms * CHANNELS;
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
