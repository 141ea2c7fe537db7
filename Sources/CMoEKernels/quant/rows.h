/* Products of blocks with one token, row by row.
 *
 * Columns are the lanes of a vector, a block's lanes are added up as integers, and the sums over
 * the blocks, each waiting for the one before, are made for eight rows at a time. panel.h says why
 * the same value comes out where many tokens are multiplied. */
#ifndef MOE_QUANT_ROWS_H
#define MOE_QUANT_ROWS_H

#include "tile.h"
#include "x86.h"

#if defined(__x86_64__)

enum {
  /* Blocks of one row whose lanes are added up together. */
  MOE_ROW_BLOCKS = 4,
  /* Rows whose blocks are then summed side by side: of fewer, blocks of 32 columns would wait for
   * each other for a quarter of the time. */
  MOE_ROWS = 8,
  /* Columns of a row whose values and activations are kept meanwhile, in the first-level cache. */
  MOE_ROW_CHUNK_COLUMNS = 8192,
  MOE_ROW_CHUNK_BLOCKS_MAX = MOE_ROW_CHUNK_COLUMNS / MOE_Q8_0_ELEMENTS,
};
_Static_assert(MOE_ROW_BLOCKS == 4 && MOE_ROWS == 8,
               "four values of four rows and four more are transposed at a time");

/* 1 to MOE_ROW_BLOCKS blocks of one row and one token. */
typedef struct {
  const uint8_t *w;
  const int8_t *x_quants;
  const int16_t *x_sums;
} moe_row_step;

/* The step's values, before the scales of activations; a constant number of blocks. */
typedef __m128 (*moe_row_step_fn)(moe_row_step step, int blocks);

/* Activations of a chunk in another order, and right behind them their sizes, without signs. */
typedef struct {
  _Alignas(64) int8_t quants[MOE_ROW_CHUNK_COLUMNS];
  _Alignas(64) uint8_t sizes[MOE_ROW_CHUNK_COLUMNS];
  _Alignas(64) int16_t sums[MOE_ROW_CHUNK_COLUMNS / MOE_Q8_SUM_ELEMENTS];
} moe_row_room;

/* Activations as steps want them, which may be in `room`: each block's in the place that is the
 * block's in x, or of its step's blocks. */
typedef moe_q8_row (*moe_row_order_fn)(moe_q8_row x, size_t blocks, moe_row_room *room);

MOE_ALWAYS_INLINE moe_q8_row moe_row_as_it_is(moe_q8_row x, size_t blocks,
                                              moe_row_room *room) {
  (void)blocks, (void)room;
  return x;
}

/* What a format gives for rows at a level. */
typedef struct {
  size_t block_bytes, elements; /* of a block, which has one scale of activations */
  moe_row_order_fn order;
  moe_row_step_fn step;
} moe_row_kernels;

/* The values of some blocks of one row. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_row_values(moe_row_kernels kernels, moe_row_step step,
                                                      size_t blocks, float *values) {
  for (; blocks >= MOE_ROW_BLOCKS; blocks -= MOE_ROW_BLOCKS) {
    moe_prefetch_ahead(step.w, MOE_ROW_BLOCKS * kernels.block_bytes);
    _mm_store_ps(values, kernels.step(step, MOE_ROW_BLOCKS));
    values += MOE_ROW_BLOCKS;
    step.w += MOE_ROW_BLOCKS * kernels.block_bytes;
    step.x_quants += MOE_ROW_BLOCKS * kernels.elements;
    step.x_sums += MOE_ROW_BLOCKS * kernels.elements / MOE_Q8_SUM_ELEMENTS;
  }
  moe_prefetch_ahead(step.w, blocks * kernels.block_bytes);
  switch (blocks) {
    case 1: _mm_store_ps(values, kernels.step(step, 1)); break;
    case 2: _mm_store_ps(values, kernels.step(step, 2)); break;
    case 3: _mm_store_ps(values, kernels.step(step, 3)); break;
    default: break;
  }
}

/* Values of some rows' blocks. */
typedef struct {
  _Alignas(16) float of_row[MOE_ROWS][MOE_ROW_CHUNK_BLOCKS_MAX];
} moe_row_block_values;

/* Lane r: sums[r] + values[r][0] * scales[0], + values[r][1] * scales[1], ... of four rows. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128
moe_chain_blocks(__m128 sums, const float (*values)[MOE_ROW_CHUNK_BLOCKS_MAX], const float *scales,
                 size_t i, size_t blocks) {
  __m128 v0 = _mm_load_ps(values[0] + i), v1 = _mm_load_ps(values[1] + i);
  __m128 v2 = _mm_load_ps(values[2] + i), v3 = _mm_load_ps(values[3] + i);
  _MM_TRANSPOSE4_PS(v0, v1, v2, v3);
  sums = _mm_fmadd_ps(v0, _mm_set1_ps(scales[i]), sums);
  if (i + 1 < blocks) sums = _mm_fmadd_ps(v1, _mm_set1_ps(scales[i + 1]), sums);
  if (i + 2 < blocks) sums = _mm_fmadd_ps(v2, _mm_set1_ps(scales[i + 2]), sums);
  if (i + 3 < blocks) sums = _mm_fmadd_ps(v3, _mm_set1_ps(scales[i + 3]), sums);
  return sums;
}

/* The same of all rows. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_chain_rows(float sums[MOE_ROWS],
                                                      const moe_row_block_values *values,
                                                      const float *scales, size_t blocks) {
  __m128 first = _mm_load_ps(sums), second = _mm_load_ps(sums + 4);
  for (size_t i = 0; i < blocks; i += 4) {
    first = moe_chain_blocks(first, values->of_row, scales, i, blocks);
    second = moe_chain_blocks(second, values->of_row + 4, scales, i, blocks);
  }
  _mm_store_ps(sums, first);
  _mm_store_ps(sums + 4, second);
}

/* A chunk of up to MOE_ROWS rows; y has their sums before it, if it is not the first one. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_some_rows(moe_row_kernels kernels, const uint8_t *w,
                                                     size_t w_stride, moe_q8_row x,
                                                     size_t blocks, int is_first, float *y,
                                                     size_t rows) {
  moe_row_block_values values;
  _Alignas(16) float sums[MOE_ROWS] = {0};
  for (size_t r = rows; r < MOE_ROWS; r++) memset(values.of_row[r], 0, blocks * sizeof(float));
  for (size_t r = 0; r < rows; r++, w += w_stride) {
    moe_row_values(kernels, (moe_row_step){w, x.quants, x.sums}, blocks, values.of_row[r]);
  }
  if (!is_first) memcpy(sums, y, rows * sizeof *y);
  moe_chain_rows(sums, &values, x.scales, blocks);
  memcpy(y, sums, rows * sizeof *y);
}

/* Rows go through memory one after the other; only the sums over their blocks, of which each must
 * wait for the one before, are made for some rows at a time. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_row_products(moe_row_kernels kernels,
                                                        const moe_tile *tile, size_t rows) {
  moe_row_room room;
  size_t blocks = tile->columns / kernels.elements;
  size_t chunk_max = MOE_ROW_CHUNK_COLUMNS / kernels.elements;
  for (size_t first = 0; first < blocks; first += chunk_max) {
    size_t chunk = blocks - first < chunk_max ? blocks - first : chunk_max;
    moe_q8_row x = moe_q8_row_at(tile->x, tile->columns, kernels.elements);
    x.quants += first * kernels.elements;
    x.sums += first * kernels.elements / MOE_Q8_SUM_ELEMENTS;
    x.scales += first;
    x = kernels.order(x, chunk, &room);
    const uint8_t *w = tile->w + first * kernels.block_bytes;
    float *y = tile->y;
    size_t rest = rows;
    for (; rest >= MOE_ROWS; rest -= MOE_ROWS, w += MOE_ROWS * tile->w_stride, y += MOE_ROWS) {
      moe_some_rows(kernels, w, tile->w_stride, x, chunk, first == 0, y, MOE_ROWS);
    }
    if (rest > 0) moe_some_rows(kernels, w, tile->w_stride, x, chunk, first == 0, y, rest);
  }
}

/* Lane i of each half: the sum of that half's lanes of v[i]. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_sum_half_lanes_avx2(const __m256i v[4]) {
  __m256i v01 = _mm256_add_epi32(_mm256_unpacklo_epi32(v[0], v[1]),
                                 _mm256_unpackhi_epi32(v[0], v[1]));
  __m256i v23 = _mm256_add_epi32(_mm256_unpacklo_epi32(v[2], v[3]),
                                 _mm256_unpackhi_epi32(v[2], v[3]));
  return _mm256_add_epi32(_mm256_unpacklo_epi64(v01, v23), _mm256_unpackhi_epi64(v01, v23));
}

/* Lane i: the sum of the lanes of v[i]. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128i moe_sum_lanes_4_avx2(const __m256i v[4]) {
  __m256i two = moe_sum_half_lanes_avx2(v);
  return _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128i moe_sum_lanes_avx512(const __m512i v[4]) {
  __m512i v01 = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]),
                                 _mm512_unpackhi_epi32(v[0], v[1]));
  __m512i v23 = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]),
                                 _mm512_unpackhi_epi32(v[2], v[3]));
  __m512i four =
      _mm512_add_epi32(_mm512_unpacklo_epi64(v01, v23), _mm512_unpackhi_epi64(v01, v23));
  __m256i two = _mm256_add_epi32(_mm512_castsi512_si256(four), _mm512_extracti64x4_epi64(four, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

#endif

#endif
