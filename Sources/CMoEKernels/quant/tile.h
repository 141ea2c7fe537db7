/* How a matrix product is cut up, for every format and level alike.
 *
 * A format gives one tile function: the products of 1 or 2 weight rows with 1 to 4 tokens over all
 * columns. It is inlined with the two counts as constants, so each shape becomes a kernel with its
 * sums in registers. In each shape a tile sums in the same order, which makes the whole product
 * batch invariant: how it is cut up decides only when something is computed. */
#ifndef MOE_QUANT_TILE_H
#define MOE_QUANT_TILE_H

#include "format.h"

enum { MOE_TILE_ROWS_MAX = 2, MOE_TILE_TOKENS_MAX = 4 };

/* The arguments of a product (moe_matmul_fn), or of one tile of it. */
typedef struct {
  const uint8_t *w;
  size_t w_stride;
  const uint8_t *x;
  size_t x_stride, columns;
  float *y;
  size_t y_stride;
} moe_tile;

/* y of rows x tokens; both are constants where it is inlined. */
typedef void (*moe_tile_fn)(const moe_tile *tile, int rows, int tokens);

MOE_ALWAYS_INLINE void moe_tile_row_group(moe_tile_fn compute, const moe_tile *all, size_t row,
                                          int rows, size_t token, size_t token_end) {
  moe_tile tile = *all;
  tile.w = all->w + row * all->w_stride;
  while (token < token_end) {
    tile.x = all->x + token * all->x_stride;
    tile.y = all->y + token * all->y_stride + row;
    size_t left = token_end - token;
    if (left >= 4) {
      compute(&tile, rows, 4);
      token += 4;
    } else {
      if (left == 3) compute(&tile, rows, 3);
      if (left == 2) compute(&tile, rows, 2);
      if (left == 1) compute(&tile, rows, 1);
      token = token_end;
    }
  }
}

/* Blocks of tokens whose activations stay in the first-level cache pass over blocks of rows that
 * stay in the second: each weight comes from memory once for all tokens. */
MOE_ALWAYS_INLINE void moe_tiled_matmul(moe_tile_fn compute, int tile_rows, const moe_tile *all,
                                        size_t rows, size_t tokens) {
  enum { X_BLOCK_BYTES = 20 << 10, W_BLOCK_BYTES = 256 << 10 };
  size_t token_step = X_BLOCK_BYTES / (all->x_stride + 1) / 4 * 4;
  if (token_step < 4) token_step = 4;
  size_t row_step = W_BLOCK_BYTES / (all->w_stride + 1) / 2 * 2;
  if (row_step < 2) row_step = 2;
  for (size_t row_block = 0; row_block < rows; row_block += row_step) {
    size_t row_end = rows - row_block < row_step ? rows : row_block + row_step;
    for (size_t token = 0; token < tokens; token += token_step) {
      size_t token_end = tokens - token < token_step ? tokens : token + token_step;
      size_t row = row_block;
      if (tile_rows == 2) {
        for (; row + 2 <= row_end; row += 2) {
          moe_tile_row_group(compute, all, row, 2, token, token_end);
        }
      }
      for (; row < row_end; row++) {
        moe_tile_row_group(compute, all, row, 1, token, token_end);
      }
    }
  }
}

#endif
