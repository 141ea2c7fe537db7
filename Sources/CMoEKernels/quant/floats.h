/* Products of weights that widen to floats one by one: F32, F16, BF16. */
#ifndef MOE_QUANT_FLOATS_H
#define MOE_QUANT_FLOATS_H

#include "neon.h"
#include "tile.h"
#include "x86.h"

/* One weight at any address, as a float. */
typedef float (*moe_load_1_fn)(const uint8_t *weight);

/* Summed in double: what is left is the rounding of the result. */
MOE_ALWAYS_INLINE float moe_floats_value_scalar(moe_load_1_fn load, size_t weight_bytes,
                                                const uint8_t *w, const uint8_t *x_row,
                                                size_t columns) {
  const float *x = (const float *)x_row;
  double sum = 0;
  for (size_t c = 0; c < columns; c++) {
    sum += (double)load(w + c * weight_bytes) * (double)x[c];
  }
  return (float)sum;
}

/* Columns at a time: per token two vectors of 8 sums, so that one row's additions need not wait for
 * each other. */
enum { MOE_FLOATS_STEP = 16 };

/* The last columns of a tile, where they are fewer than a step, and zeros after them: nothing
 * behind the end of a row may be touched. */
typedef struct {
  uint8_t w[MOE_FLOATS_STEP * sizeof(float)];
  float x[MOE_TILE_TOKENS_MAX][MOE_FLOATS_STEP];
} moe_floats_rest;

MOE_ALWAYS_INLINE moe_floats_rest moe_floats_rest_of(const moe_tile *tile, size_t weight_bytes,
                                                     int tokens) {
  moe_floats_rest copies = {{0}, {{0}}};
  size_t rest = tile->columns % MOE_FLOATS_STEP, whole = tile->columns - rest;
  memcpy(copies.w, tile->w + whole * weight_bytes, rest * weight_bytes);
  for (int t = 0; t < tokens; t++) {
    const uint8_t *row = tile->x + (size_t)t * tile->x_stride;
    memcpy(copies.x[t], row + whole * sizeof(float), rest * sizeof(float));
  }
  return copies;
}

#if defined(__x86_64__)

/* 8 weights at any address, as floats. */
typedef __m256 (*moe_load_8_fn)(const uint8_t *weights);

/* sums[t] += w * x for 16 columns of each token; x: the first token's, x_stride bytes apart. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_floats_step_avx2(moe_load_8_fn load,
                                                            size_t weight_bytes, const uint8_t *w,
                                                            const uint8_t *x, size_t x_stride,
                                                            int tokens, __m256 sums[][2]) {
  __m256 w0 = load(w), w1 = load(w + 8 * weight_bytes);
  for (int t = 0; t < tokens; t++) {
    const float *values = (const float *)(x + (size_t)t * x_stride);
    sums[t][0] = _mm256_fmadd_ps(w0, _mm256_loadu_ps(values), sums[t][0]);
    sums[t][1] = _mm256_fmadd_ps(w1, _mm256_loadu_ps(values + 8), sums[t][1]);
  }
}

/* Lane i of 16 sums the products of columns i, i + 16, i + 32, ... in that order. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_floats_tile_avx2(moe_load_8_fn load,
                                                            size_t weight_bytes,
                                                            const moe_tile *tile, int tokens) {
  __m256 sums[MOE_TILE_TOKENS_MAX][2];
  for (int t = 0; t < tokens; t++) sums[t][0] = sums[t][1] = _mm256_setzero_ps();
  size_t whole = tile->columns / MOE_FLOATS_STEP * MOE_FLOATS_STEP;
  for (size_t c = 0; c < whole; c += MOE_FLOATS_STEP) {
    moe_floats_step_avx2(load, weight_bytes, tile->w + c * weight_bytes,
                         tile->x + c * sizeof(float), tile->x_stride, tokens, sums);
  }
  if (whole < tile->columns) {
    moe_floats_rest rest = moe_floats_rest_of(tile, weight_bytes, tokens);
    moe_floats_step_avx2(load, weight_bytes, rest.w, (const uint8_t *)rest.x, sizeof rest.x[0],
                         tokens, sums);
  }
  for (int t = 0; t < tokens; t++) {
    tile->y[(size_t)t * tile->y_stride] =
        moe_sum_lanes_avx2(_mm256_add_ps(sums[t][0], sums[t][1]));
  }
}

#elif defined(__aarch64__)

/* 8 weights at any address, as floats. */
typedef float32x4x2_t (*moe_load_8_fn)(const uint8_t *weights);

/* sums[t] += w * x for 16 columns of each token; x: the first token's, x_stride bytes apart. */
MOE_ALWAYS_INLINE void moe_floats_step_neon(moe_load_8_fn load, size_t weight_bytes,
                                            const uint8_t *w, const uint8_t *x, size_t x_stride,
                                            int tokens, float32x4x2_t sums[][2]) {
  float32x4x2_t w0 = load(w), w1 = load(w + 8 * weight_bytes);
  for (int t = 0; t < tokens; t++) {
    const float *values = (const float *)(x + (size_t)t * x_stride);
    sums[t][0] = moe_fma_8_neon(sums[t][0], w0, moe_load_8_neon(values));
    sums[t][1] = moe_fma_8_neon(sums[t][1], w1, moe_load_8_neon(values + 8));
  }
}

/* Lane i of 16 sums the products of columns i, i + 16, i + 32, ... in that order. */
MOE_ALWAYS_INLINE void moe_floats_tile_neon(moe_load_8_fn load, size_t weight_bytes,
                                            const moe_tile *tile, int tokens) {
  float32x4x2_t sums[MOE_TILE_TOKENS_MAX][2];
  for (int t = 0; t < tokens; t++) sums[t][0] = sums[t][1] = moe_broadcast_8_neon(0);
  size_t whole = tile->columns / MOE_FLOATS_STEP * MOE_FLOATS_STEP;
  for (size_t c = 0; c < whole; c += MOE_FLOATS_STEP) {
    moe_floats_step_neon(load, weight_bytes, tile->w + c * weight_bytes,
                         tile->x + c * sizeof(float), tile->x_stride, tokens, sums);
  }
  if (whole < tile->columns) {
    moe_floats_rest rest = moe_floats_rest_of(tile, weight_bytes, tokens);
    moe_floats_step_neon(load, weight_bytes, rest.w, (const uint8_t *)rest.x, sizeof rest.x[0],
                         tokens, sums);
  }
  for (int t = 0; t < tokens; t++) {
    tile->y[(size_t)t * tile->y_stride] =
        moe_sum_lanes_neon(moe_add_8_neon(sums[t][0], sums[t][1]));
  }
}

#endif

#endif
