/* Products of blocks of integers, by single rows (rows.h) or by panels of rows.
 *
 * A value is the same sum for every shape and vector width: block after block of its row, the exact
 * integer sums of the block, turned into a float by the scales of the weights, and a fused
 * multiply-add of that by the scale of the activations. One token is multiplied row by row: columns
 * are the lanes of a vector, a block's lanes are added up as integers, and the sums over the
 * blocks, each waiting for the one before, are made for four rows at a time. Several tokens are
 * multiplied by panels: a panel's rows are the lanes, 4 columns of each side by side, so that no
 * sum crosses lanes, and what unpacking costs is shared by all tokens. Integers being exact, a
 * value's bits do not tell which way it was computed. */
#ifndef MOE_QUANT_PANEL_H
#define MOE_QUANT_PANEL_H

#include "rows.h"

#if defined(__x86_64__)

enum {
  /* Rows of a panel: a 32-bit lane each. */
  MOE_PANEL_ROWS_AVX2 = 8,
  MOE_PANEL_ROWS_AVX512 = 16,
  /* Panels that share each load of activations; registers allow no more. */
  MOE_PANELS_AVX2 = 1,
  MOE_PANELS_AVX512 = 2,
  /* Tokens that share each load of a panel's weights. */
  MOE_PANEL_TOKENS = 4,
  /* Columns of each row that are unpacked at a time: they stay in the first-level cache, beside the
   * activations of a tile. */
  MOE_PANEL_CHUNK_COLUMNS = 512,
  /* One token alone is cheaper by rows. */
  MOE_PANEL_TOKENS_MIN = 2,
};

/* Some tokens of some panels: blocks first ..< first + count of each row, unpacked. */
typedef struct {
  const uint8_t *unpacked; /* (count, panels), unpacked_bytes apart */
  size_t unpacked_bytes, first, count;
  const uint8_t *x; /* the first token's row */
  size_t x_stride, columns;
  float *y; /* (token, row), y_stride apart; holds the sums of the blocks before */
  size_t y_stride;
} moe_panel_tile;

/* What a format gives for a level. All is inlined, with counts as constants. */
typedef struct {
  size_t block_bytes, elements; /* of a block, which has one scale of activations */
  size_t unpacked_bytes, panel_rows, panels;
  /* The products of rows with one token. */
  void (*rows)(const moe_tile *tile, size_t rows);
  /* Unpacks block `index` of each row of a panel, w_stride bytes apart, and fetches as many bytes
   * from `ahead` on into the cache. */
  void (*unpack)(void *unpacked, const uint8_t *w, size_t index, size_t w_stride,
                 const uint8_t *ahead);
  /* Adds the tile's blocks to y: `panels` side by side, 1 to MOE_PANEL_TOKENS tokens. */
  void (*tile)(const moe_panel_tile *tile, int panels, int tokens);
} moe_panel_kernels;

MOE_ALWAYS_INLINE void moe_panel_tokens(const moe_panel_kernels *kernels, moe_panel_tile tile,
                                        int panels, size_t tokens) {
  for (; tokens >= MOE_PANEL_TOKENS; tokens -= MOE_PANEL_TOKENS) {
    kernels->tile(&tile, panels, MOE_PANEL_TOKENS);
    tile.x += MOE_PANEL_TOKENS * tile.x_stride;
    tile.y += MOE_PANEL_TOKENS * tile.y_stride;
  }
  switch (tokens) {
    case 1: kernels->tile(&tile, panels, 1); break;
    case 2: kernels->tile(&tile, panels, 2); break;
    case 3: kernels->tile(&tile, panels, 3); break;
    default: break;
  }
}

/* The rows of `panels` panels, from `row` on, with all tokens. ahead: the rows wanted next.
 *
 * Reading a panel block by block makes many short streams, which the processor does not foresee.
 * So while it unpacks one panel it is told to fetch the next one, from its beginning to its end and
 * a few lines at a time: many at once would only queue. */
MOE_ALWAYS_INLINE void moe_multiply_panels(const moe_panel_kernels *kernels, const moe_tile *all,
                                           size_t row, int panels, size_t tokens,
                                           const uint8_t *ahead, uint8_t *unpacked) {
  const uint8_t *w = all->w + row * all->w_stride;
  size_t panel_bytes = kernels->panel_rows * all->w_stride;
  size_t blocks = all->columns / kernels->elements;
  size_t count_max = MOE_PANEL_CHUNK_COLUMNS / kernels->elements;
  for (size_t first = 0; first < blocks; first += count_max) {
    size_t rest = blocks - first, count = rest < count_max ? rest : count_max;
    uint8_t *target = unpacked;
    for (size_t i = first; i < first + count; i++) {
      for (int p = 0; p < panels; p++, target += kernels->unpacked_bytes) {
        kernels->unpack(target, w + (size_t)p * panel_bytes, i, all->w_stride, ahead);
        ahead += kernels->panel_rows * kernels->block_bytes;
      }
    }
    moe_panel_tile tile = {unpacked, kernels->unpacked_bytes, first,        count,
                           all->x,   all->x_stride,           all->columns, all->y + row,
                           all->y_stride};
    moe_panel_tokens(kernels, tile, panels, tokens);
  }
}

/* unpacked: room for MOE_PANEL_CHUNK_COLUMNS columns of kernels->panels panels. */
MOE_ALWAYS_INLINE void moe_panel_matmul(const moe_panel_kernels *kernels, const moe_tile *all,
                                        size_t rows, size_t tokens, uint8_t *unpacked) {
  size_t row = 0;
  if (tokens >= MOE_PANEL_TOKENS_MIN) {
    size_t step = kernels->panels * kernels->panel_rows;
    for (; rows - row >= step; row += step) {
      size_t next = rows - row < 2 * step ? row : row + step;
      moe_multiply_panels(kernels, all, row, (int)kernels->panels, tokens,
                          all->w + next * all->w_stride, unpacked);
    }
    if (kernels->panels > 1 && rows - row >= kernels->panel_rows) {
      _Static_assert(MOE_PANELS_AVX512 == 2, "one is left at most");
      moe_multiply_panels(kernels, all, row, 1, tokens, all->w + row * all->w_stride, unpacked);
      row += kernels->panel_rows;
    }
  }
  moe_tile rest = *all;
  rest.w += row * all->w_stride;
  rest.y += row;
  for (size_t token = 0; row < rows && token < tokens; token++) {
    kernels->rows(&rest, rows - row);
    rest.x += all->x_stride;
    rest.y += all->y_stride;
  }
}

/* One 128-bit lane of 4 rows: of the first, and 4, 8 and 12 rows on. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i moe_load_lanes_avx512(const uint8_t *w, size_t stride) {
  __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)w));
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(w + 4 * stride)), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(w + 8 * stride)), 2);
  return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(w + 12 * stride)), 3);
}

/* 16 bytes of 16 rows, transposed by fours of bytes: lane r of out[i] has bytes 4i...4i + 3 of
 * row r. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
moe_transpose_rows_avx512(const uint8_t *w, size_t stride, __m512i out[4]) {
  __m512i row0 = moe_load_lanes_avx512(w, stride);
  __m512i row1 = moe_load_lanes_avx512(w + stride, stride);
  __m512i row2 = moe_load_lanes_avx512(w + 2 * stride, stride);
  __m512i row3 = moe_load_lanes_avx512(w + 3 * stride, stride);
  __m512i low01 = _mm512_unpacklo_epi32(row0, row1), high01 = _mm512_unpackhi_epi32(row0, row1);
  __m512i low23 = _mm512_unpacklo_epi32(row2, row3), high23 = _mm512_unpackhi_epi32(row2, row3);
  out[0] = _mm512_unpacklo_epi64(low01, low23);
  out[1] = _mm512_unpackhi_epi64(low01, low23);
  out[2] = _mm512_unpacklo_epi64(high01, high23);
  out[3] = _mm512_unpackhi_epi64(high01, high23);
}

/* The same; fetches as many bytes ahead, and moves `ahead` on. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
moe_transpose_avx512(const uint8_t *w, size_t stride, const uint8_t **ahead, __m512i out[4]) {
  moe_prefetch(*ahead, 256);
  *ahead += 256;
  moe_transpose_rows_avx512(w, stride, out);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_load_lanes_avx2(const uint8_t *w, size_t stride) {
  __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)w));
  return _mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i *)(w + 4 * stride)), 1);
}

/* The same of 8 rows. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
moe_transpose_rows_avx2(const uint8_t *w, size_t stride, __m256i out[4]) {
  __m256i row0 = moe_load_lanes_avx2(w, stride);
  __m256i row1 = moe_load_lanes_avx2(w + stride, stride);
  __m256i row2 = moe_load_lanes_avx2(w + 2 * stride, stride);
  __m256i row3 = moe_load_lanes_avx2(w + 3 * stride, stride);
  __m256i low01 = _mm256_unpacklo_epi32(row0, row1), high01 = _mm256_unpackhi_epi32(row0, row1);
  __m256i low23 = _mm256_unpacklo_epi32(row2, row3), high23 = _mm256_unpackhi_epi32(row2, row3);
  out[0] = _mm256_unpacklo_epi64(low01, low23);
  out[1] = _mm256_unpackhi_epi64(low01, low23);
  out[2] = _mm256_unpacklo_epi64(high01, high23);
  out[3] = _mm256_unpackhi_epi64(high01, high23);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
moe_transpose_avx2(const uint8_t *w, size_t stride, const uint8_t **ahead, __m256i out[4]) {
  moe_prefetch(*ahead, 128);
  *ahead += 128;
  moe_transpose_rows_avx2(w, stride, out);
}

/* 4 bytes of token t's activation row in all lanes; offset: from the start of the row. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i moe_panel_x_avx512(const moe_panel_tile *tile, int t,
                                                               size_t offset) {
  return _mm512_set1_epi32((int)moe_load_u32(tile->x + (size_t)t * tile->x_stride + offset));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_panel_x_avx2(const moe_panel_tile *tile, int t,
                                                           size_t offset) {
  return _mm256_set1_epi32((int)moe_load_u32(tile->x + (size_t)t * tile->x_stride + offset));
}

/* Where a block's sums of 16 activations begin in a token's row, and a token's scale of it. */
MOE_ALWAYS_INLINE size_t moe_panel_sums_offset(const moe_panel_tile *tile, size_t index) {
  return tile->columns + index * MOE_Q8_K_SUMS * sizeof(int16_t);
}

MOE_ALWAYS_INLINE float moe_panel_x_scale(const moe_panel_tile *tile, int t, size_t index) {
  return moe_q8_k_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns).scales[index];
}

/* The same of activations in the form Q8_0, whose blocks have two sums. */
MOE_ALWAYS_INLINE size_t moe_panel_sums_0_offset(const moe_panel_tile *tile, size_t index) {
  return tile->columns + tile->columns / MOE_Q8_0_ELEMENTS * sizeof(float) +
         index * 2 * sizeof(int16_t);
}

MOE_ALWAYS_INLINE float moe_panel_x_0_scale(const moe_panel_tile *tile, int t, size_t index) {
  return moe_q8_0_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns).scales[index];
}

/* Sums of the blocks before a tile's; zeros before the first one. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_load_sums_avx512(const moe_panel_tile *tile,
                                                              int panels, int tokens,
                                                              __m512 sums[][MOE_PANELS_AVX512]) {
  for (int t = 0; t < tokens; t++) {
    for (int p = 0; p < panels; p++) {
      const float *y = tile->y + (size_t)t * tile->y_stride + p * MOE_PANEL_ROWS_AVX512;
      sums[t][p] = tile->first == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(y);
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_store_sums_avx512(const moe_panel_tile *tile,
                                                               int panels, int tokens,
                                                               __m512 sums[][MOE_PANELS_AVX512]) {
  for (int t = 0; t < tokens; t++) {
    for (int p = 0; p < panels; p++) {
      float *y = tile->y + (size_t)t * tile->y_stride + p * MOE_PANEL_ROWS_AVX512;
      _mm512_storeu_ps(y, sums[t][p]);
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_load_sums_avx2(const moe_panel_tile *tile, int tokens,
                                                          __m256 sums[]) {
  for (int t = 0; t < tokens; t++) {
    const float *y = tile->y + (size_t)t * tile->y_stride;
    sums[t] = tile->first == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(y);
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_store_sums_avx2(const moe_panel_tile *tile, int tokens,
                                                           __m256 sums[]) {
  for (int t = 0; t < tokens; t++) {
    _mm256_storeu_ps(tile->y + (size_t)t * tile->y_stride, sums[t]);
  }
}

/* An unpacked block begins with its quants, 4 columns of each row at a time, and then has the
 * scales of its groups: 32 bits each. */
typedef struct {
  uint8_t quants[MOE_Q8_K_ELEMENTS / 4][MOE_PANEL_ROWS_AVX512][4];
  int32_t scales[][MOE_PANEL_ROWS_AVX512];
} moe_panel_avx512;

/* products += those of group g of block `index`, by its scales. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
moe_panel_group_avx512(const moe_panel_tile *tile, const uint8_t *unpacked, size_t index,
                       size_t elements, size_t g, int panels, int tokens,
                       __m512i products[][MOE_PANELS_AVX512]) {
  const moe_panel_avx512 *panel[MOE_PANELS_AVX512];
  __m512i dots[MOE_PANEL_TOKENS][MOE_PANELS_AVX512];
  for (int p = 0; p < panels; p++) {
    panel[p] = (const moe_panel_avx512 *)(unpacked + (size_t)p * tile->unpacked_bytes);
    for (int t = 0; t < tokens; t++) dots[t][p] = _mm512_setzero_si512();
  }
#pragma clang loop unroll(full)
  for (size_t c = 0; c < elements / 4; c++) {
    for (int t = 0; t < tokens; t++) {
      size_t column = g * elements + c * 4;
      __m512i x = moe_panel_x_avx512(tile, t, index * MOE_Q8_K_ELEMENTS + column);
      for (int p = 0; p < panels; p++) {
        __m512i quants = _mm512_load_si512(panel[p]->quants[column / 4]);
        dots[t][p] = _mm512_dpbusd_epi32(dots[t][p], quants, x);
      }
    }
  }
  for (int t = 0; t < tokens; t++) {
    for (int p = 0; p < panels; p++) {
      __m512i scaled = _mm512_mullo_epi32(dots[t][p], _mm512_load_si512(panel[p]->scales[g]));
      products[t][p] = _mm512_add_epi32(products[t][p], scaled);
    }
  }
}

/* sum plus block `index` of token t, whose products by scale are summed already. */
typedef __m512 (*moe_panel_block_avx512_fn)(__m512 sum, __m512i products, const uint8_t *unpacked,
                                            const moe_panel_tile *tile, int t, size_t index);

/* elements: of a group. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_panel_tile_avx512(moe_panel_block_avx512_fn add_block,
                                                               const moe_panel_tile *tile,
                                                               size_t elements, int panels,
                                                               int tokens) {
  __m512 sums[MOE_PANEL_TOKENS][MOE_PANELS_AVX512];
  moe_load_sums_avx512(tile, panels, tokens, sums);
  for (size_t i = 0; i < tile->count; i++) {
    const uint8_t *unpacked = tile->unpacked + i * (size_t)panels * tile->unpacked_bytes;
    __m512i products[MOE_PANEL_TOKENS][MOE_PANELS_AVX512];
    for (int t = 0; t < tokens; t++) {
      for (int p = 0; p < panels; p++) products[t][p] = _mm512_setzero_si512();
    }
#pragma clang loop unroll(disable)
    for (size_t g = 0; g < MOE_Q8_K_ELEMENTS / elements; g++) {
      moe_panel_group_avx512(tile, unpacked, tile->first + i, elements, g, panels, tokens,
                             products);
    }
    for (int t = 0; t < tokens; t++) {
      for (int p = 0; p < panels; p++) {
        sums[t][p] =
            add_block(sums[t][p], products[t][p], unpacked + (size_t)p * tile->unpacked_bytes,
                      tile, t, tile->first + i);
      }
    }
  }
  moe_store_sums_avx512(tile, panels, tokens, sums);
}

/* The same of 8 rows; scales have 16 bits and stand twice, since products come in pairs. */
typedef struct {
  uint8_t quants[MOE_Q8_K_ELEMENTS / 4][MOE_PANEL_ROWS_AVX2][4];
  int16_t scales[][MOE_PANEL_ROWS_AVX2][2];
} moe_panel_avx2;

/* How many products of 4 columns with quants up to quant_max, and activations down to -128, can be
 * added up in pairs of 16 bits; a power of two, of a group's columns at most. 0 where not one fits:
 * then quants are taken less their offset, of which one does. */
MOE_ALWAYS_INLINE size_t moe_panel_steps_avx2(size_t quant_max, size_t group_elements) {
  size_t steps = group_elements / 4;
  while (steps * 2 * quant_max * 128 >= 1 << 15) steps /= 2;
  return steps;
}

/* steps: how many products of 4 columns fit in pairs of 16 bits; offset: what quants are too large
 * by where it is 0, and activations, whose signs are then turned, are from -127 on. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
moe_panel_group_avx2(const moe_panel_tile *tile, const moe_panel_avx2 *panel, size_t index,
                     size_t elements, size_t steps, int offset, size_t g, int tokens,
                     __m256i products[]) {
  const size_t count = steps == 0 ? 1 : steps;
  __m256i scales = moe_load_256_avx2(panel->scales[g]);
#pragma clang loop unroll(full)
  for (size_t c = 0; c < elements / 4; c += count) {
    __m256i dots[MOE_PANEL_TOKENS];
    for (int t = 0; t < tokens; t++) dots[t] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
    for (size_t step = c; step < c + count; step++) {
      size_t column = g * elements + step * 4;
      __m256i quants = moe_load_256_avx2(panel->quants[column / 4]), sizes = quants;
      if (steps == 0) {
        quants = _mm256_sub_epi8(quants, _mm256_set1_epi8((char)offset));
        sizes = _mm256_abs_epi8(quants);
      }
      for (int t = 0; t < tokens; t++) {
        __m256i x = moe_panel_x_avx2(tile, t, index * MOE_Q8_K_ELEMENTS + column);
        if (steps == 0) x = _mm256_sign_epi8(x, quants);
        dots[t] = _mm256_add_epi16(dots[t], _mm256_maddubs_epi16(sizes, x));
      }
    }
    for (int t = 0; t < tokens; t++) {
      products[t] = _mm256_add_epi32(products[t], _mm256_madd_epi16(dots[t], scales));
    }
  }
}

typedef __m256 (*moe_panel_block_avx2_fn)(__m256 sum, __m256i products, const uint8_t *unpacked,
                                          const moe_panel_tile *tile, int t, size_t index);

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_panel_tile_avx2(moe_panel_block_avx2_fn add_block,
                                                           const moe_panel_tile *tile,
                                                           size_t elements, size_t steps,
                                                           int offset, int tokens) {
  __m256 sums[MOE_PANEL_TOKENS];
  moe_load_sums_avx2(tile, tokens, sums);
  for (size_t i = 0; i < tile->count; i++) {
    const uint8_t *unpacked = tile->unpacked + i * tile->unpacked_bytes;
    __m256i products[MOE_PANEL_TOKENS];
    for (int t = 0; t < tokens; t++) products[t] = _mm256_setzero_si256();
#pragma clang loop unroll(disable)
    for (size_t g = 0; g < MOE_Q8_K_ELEMENTS / elements; g++) {
      moe_panel_group_avx2(tile, (const moe_panel_avx2 *)unpacked, tile->first + i, elements,
                           steps, offset, g, tokens, products);
    }
    for (int t = 0; t < tokens; t++) {
      sums[t] = add_block(sums[t], products[t], unpacked, tile, t, tile->first + i);
    }
  }
  moe_store_sums_avx2(tile, tokens, sums);
}

#endif

#endif
