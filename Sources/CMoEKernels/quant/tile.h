/* How a matrix product is cut up, for every format and level alike.
 *
 * A format gives one tile function: the products of one weight row with 1 to 4 tokens over all
 * columns. It is inlined with the count as a constant, so each count becomes a kernel with its sums
 * in registers. Each sums in the same order, which makes the whole product batch invariant: how it
 * is cut up decides only when something is computed. (The K formats have panel.h for vectors.)
 *
 * Rows are taken one by one: two rows at once make two streams that break off at each row's end,
 * and on a Zen 4 processor a Q8_0 product then read a third as fast from memory. */
#ifndef MOE_QUANT_TILE_H
#define MOE_QUANT_TILE_H

#include "format.h"

enum { MOE_TILE_TOKENS_MAX = 4 };

/* The arguments of a product (moe_matmul_fn), or of one tile of it. */
typedef struct {
  const uint8_t *w;
  size_t w_stride;
  const uint8_t *x;
  size_t x_stride, columns;
  float *y;
  size_t y_stride;
} moe_tile;

/* The product of one row with one token, in the portable variants. */
typedef float (*moe_value_fn)(const uint8_t *w, const uint8_t *x, size_t columns);

MOE_ALWAYS_INLINE void moe_matmul_by_value(moe_value_fn value, const moe_tile *all, size_t rows,
                                           size_t tokens) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t token = 0; token < tokens; token++) {
      all->y[token * all->y_stride + row] =
          value(all->w + row * all->w_stride, all->x + token * all->x_stride, all->columns);
    }
  }
}

/* y of one row and 1 to 4 tokens, a constant where it is inlined. */
typedef void (*moe_tile_fn)(const moe_tile *tile, int tokens);

MOE_ALWAYS_INLINE void moe_tiled_row(moe_tile_fn compute, const moe_tile *all, size_t row,
                                     size_t token, size_t token_end) {
  moe_tile tile = *all;
  tile.w = all->w + row * all->w_stride;
  for (; token < token_end; token += MOE_TILE_TOKENS_MAX) {
    tile.x = all->x + token * all->x_stride;
    tile.y = all->y + token * all->y_stride + row;
    switch (token_end - token) {
      case 1: compute(&tile, 1); break;
      case 2: compute(&tile, 2); break;
      case 3: compute(&tile, 3); break;
      default: compute(&tile, 4);
    }
  }
}

/* A multiple of 4, at least 4, of which `bytes` hold as many as fit. */
MOE_ALWAYS_INLINE size_t moe_block_count(size_t bytes, size_t bytes_each) {
  size_t count = bytes / (bytes_each + 1) / 4 * 4;
  return count < 4 ? 4 : count;
}

/* Blocks of tokens whose activations stay in the first-level cache pass over blocks of rows that
 * stay in the second, so that each weight comes from memory once for all tokens. */
MOE_ALWAYS_INLINE void moe_tiled_matmul(moe_tile_fn compute, const moe_tile *all, size_t rows,
                                        size_t tokens) {
  size_t token_step = moe_block_count(20 << 10, all->x_stride);
  size_t row_step = moe_block_count(256 << 10, all->w_stride);
  for (size_t row_block = 0; row_block < rows; row_block += row_step) {
    size_t row_end = rows - row_block < row_step ? rows : row_block + row_step;
    for (size_t token = 0; token < tokens; token += token_step) {
      size_t token_end = tokens - token < token_step ? tokens : token + token_step;
      for (size_t row = row_block; row < row_end; row++) {
        moe_tiled_row(compute, all, row, token, token_end);
      }
    }
  }
}

#endif
