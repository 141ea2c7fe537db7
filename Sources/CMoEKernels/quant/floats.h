/* Products of weights that widen to floats one by one: F32, F16, BF16. */
#ifndef MOE_QUANT_FLOATS_H
#define MOE_QUANT_FLOATS_H

#include "avx2.h"
#include "tile.h"

/* One weight at any address, as a float. */
typedef float (*moe_load_1_fn)(const uint8_t *weight);

MOE_ALWAYS_INLINE void moe_floats_matmul_scalar(moe_load_1_fn load, size_t weight_bytes,
                                                const moe_tile *all, size_t rows, size_t tokens) {
  for (size_t row = 0; row < rows; row++) {
    const uint8_t *w = all->w + row * all->w_stride;
    for (size_t token = 0; token < tokens; token++) {
      const float *x = (const float *)(all->x + token * all->x_stride);
      double sum = 0;
      for (size_t c = 0; c < all->columns; c++) {
        sum += (double)load(w + c * weight_bytes) * (double)x[c];
      }
      all->y[token * all->y_stride + row] = (float)sum;
    }
  }
}

#if defined(__x86_64__)

/* 8 weights at any address, as floats. */
typedef __m256 (*moe_load_8_fn)(const uint8_t *weights);

/* Lane i sums the products of columns i, i + 8, i + 16, ... in that order. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_floats_tile_avx2(moe_load_8_fn load,
                                                            size_t weight_bytes,
                                                            const moe_tile *tile, int rows,
                                                            int tokens) {
  __m256 sums[MOE_TILE_ROWS_MAX][MOE_TILE_TOKENS_MAX];
  for (int r = 0; r < rows; r++) {
    for (int t = 0; t < tokens; t++) sums[r][t] = _mm256_setzero_ps();
  }
  size_t columns = tile->columns;
  size_t whole = columns / 8 * 8;
  for (size_t c = 0; c < whole; c += 8) {
    __m256 w[MOE_TILE_ROWS_MAX];
    for (int r = 0; r < rows; r++) {
      w[r] = load(tile->w + (size_t)r * tile->w_stride + c * weight_bytes);
    }
    for (int t = 0; t < tokens; t++) {
      __m256 x = _mm256_loadu_ps((const float *)(tile->x + (size_t)t * tile->x_stride) + c);
      for (int r = 0; r < rows; r++) sums[r][t] = _mm256_fmadd_ps(w[r], x, sums[r][t]);
    }
  }
  if (whole < columns) {
    /* The rest goes through zero-filled copies: nothing behind the row's end may be touched. */
    size_t rest = columns - whole;
    __m256 w[MOE_TILE_ROWS_MAX];
    for (int r = 0; r < rows; r++) {
      uint8_t copy[8 * sizeof(float)] = {0};
      memcpy(copy, tile->w + (size_t)r * tile->w_stride + whole * weight_bytes,
             rest * weight_bytes);
      w[r] = load(copy);
    }
    for (int t = 0; t < tokens; t++) {
      float copy[8] = {0};
      memcpy(copy, (const float *)(tile->x + (size_t)t * tile->x_stride) + whole,
             rest * sizeof(float));
      __m256 x = _mm256_loadu_ps(copy);
      for (int r = 0; r < rows; r++) sums[r][t] = _mm256_fmadd_ps(w[r], x, sums[r][t]);
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int t = 0; t < tokens; t++) {
      tile->y[(size_t)t * tile->y_stride + (size_t)r] = moe_sum_lanes_avx2(sums[r][t]);
    }
  }
}

#endif

#endif
