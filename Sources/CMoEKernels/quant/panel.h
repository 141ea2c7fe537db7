/* Products of blocks of 256 (the K formats), by single rows or by panels of rows.
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

#include "tile.h"
#include "x86.h"

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
  /* Blocks of each row that are unpacked at a time: they stay in the first-level cache, beside the
   * activations of a tile. */
  MOE_PANEL_CHUNK = 2,
  /* One token alone is cheaper by rows. */
  MOE_PANEL_TOKENS_MIN = 2,
  /* Blocks of one row whose lanes are added up together. */
  MOE_ROW_BLOCKS = 4,
  /* Rows whose blocks are then summed side by side. */
  MOE_ROWS = 4,
  /* Blocks of a row whose values and activations are kept meanwhile, in the first-level cache. */
  MOE_ROW_CHUNK = 32,
};
_Static_assert(MOE_ROW_CHUNK % MOE_ROW_BLOCKS == 0 && MOE_ROW_BLOCKS == 4 && MOE_ROWS == 4,
               "four values of four rows are transposed at a time");

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
  size_t block_bytes, unpacked_bytes, panel_rows, panels;
  /* The products of rows with one token. */
  void (*rows)(const moe_tile *tile, size_t rows);
  /* Unpacks one block of each row of a panel, w_stride bytes apart, and fetches as many bytes from
   * `ahead` on into the cache. */
  void (*unpack)(void *unpacked, const uint8_t *w, size_t w_stride, const uint8_t *ahead);
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
  size_t blocks = all->columns / MOE_Q8_K_ELEMENTS;
  for (size_t first = 0; first < blocks; first += MOE_PANEL_CHUNK) {
    size_t rest = blocks - first, count = rest < MOE_PANEL_CHUNK ? rest : MOE_PANEL_CHUNK;
    uint8_t *target = unpacked;
    for (size_t i = first; i < first + count; i++) {
      for (int p = 0; p < panels; p++, target += kernels->unpacked_bytes) {
        kernels->unpack(target, w + (size_t)p * panel_bytes + i * kernels->block_bytes,
                        all->w_stride, ahead);
        ahead += kernels->panel_rows * kernels->block_bytes;
      }
    }
    moe_panel_tile tile = {unpacked, kernels->unpacked_bytes, first,        count,
                           all->x,   all->x_stride,           all->columns, all->y + row,
                           all->y_stride};
    moe_panel_tokens(kernels, tile, panels, tokens);
  }
}

/* unpacked: room for MOE_PANEL_CHUNK blocks of kernels->panels panels. */
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
    for (; rows - row >= kernels->panel_rows; row += kernels->panel_rows) {
      moe_multiply_panels(kernels, all, row, 1, tokens, all->w + row * all->w_stride, unpacked);
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

/* 1 to MOE_ROW_BLOCKS blocks of one row and one token. */
typedef struct {
  const uint8_t *w;
  const int8_t *x_quants;
  const int16_t *x_sums;
} moe_row_step;

/* The step's values, before the scales of activations; a constant number of blocks. */
typedef __m128 (*moe_row_step_fn)(moe_row_step step, int blocks);

/* Activations of a chunk in another order. */
typedef struct {
  _Alignas(64) int8_t quants[MOE_ROW_CHUNK * MOE_Q8_K_ELEMENTS];
  _Alignas(64) int16_t sums[MOE_ROW_CHUNK * MOE_Q8_K_SUMS];
} moe_row_room;

/* Activations as steps want them, which may be in `room`: each block's in the place that is the
 * block's in x, or of its step's blocks. */
typedef moe_q8_k_row (*moe_row_order_fn)(moe_q8_k_row x, size_t blocks, moe_row_room *room);

MOE_ALWAYS_INLINE moe_q8_k_row moe_row_as_it_is(moe_q8_k_row x, size_t blocks,
                                                moe_row_room *room) {
  (void)blocks, (void)room;
  return x;
}

/* What a format gives for rows at a level. */
typedef struct {
  size_t block_bytes;
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
    step.x_quants += MOE_ROW_BLOCKS * MOE_Q8_K_ELEMENTS;
    step.x_sums += MOE_ROW_BLOCKS * MOE_Q8_K_SUMS;
  }
  moe_prefetch_ahead(step.w, blocks * kernels.block_bytes);
  switch (blocks) {
    case 1: _mm_store_ps(values, kernels.step(step, 1)); break;
    case 2: _mm_store_ps(values, kernels.step(step, 2)); break;
    case 3: _mm_store_ps(values, kernels.step(step, 3)); break;
    default: break;
  }
}

/* Lane r: sums[r] + values[r][0] * scales[0], + values[r][1] * scales[1], ... */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 moe_chain_rows(__m128 sums,
                                                        float values[MOE_ROWS][MOE_ROW_CHUNK],
                                                        const float *scales, size_t blocks) {
  for (size_t i = 0; i < blocks; i += 4) {
    __m128 v0 = _mm_load_ps(values[0] + i), v1 = _mm_load_ps(values[1] + i);
    __m128 v2 = _mm_load_ps(values[2] + i), v3 = _mm_load_ps(values[3] + i);
    _MM_TRANSPOSE4_PS(v0, v1, v2, v3);
    sums = _mm_fmadd_ps(v0, _mm_set1_ps(scales[i]), sums);
    if (i + 1 < blocks) sums = _mm_fmadd_ps(v1, _mm_set1_ps(scales[i + 1]), sums);
    if (i + 2 < blocks) sums = _mm_fmadd_ps(v2, _mm_set1_ps(scales[i + 2]), sums);
    if (i + 3 < blocks) sums = _mm_fmadd_ps(v3, _mm_set1_ps(scales[i + 3]), sums);
  }
  return sums;
}

/* A chunk of up to MOE_ROWS rows; y has their sums before it, if it is not the first one. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_some_rows(moe_row_kernels kernels, const uint8_t *w,
                                                     size_t w_stride, moe_q8_k_row x,
                                                     size_t blocks, int is_first, float *y,
                                                     size_t rows) {
  _Alignas(16) float values[MOE_ROWS][MOE_ROW_CHUNK], sums[MOE_ROWS] = {0};
  if (rows < MOE_ROWS) memset(values, 0, sizeof values);
  for (size_t r = 0; r < rows; r++, w += w_stride) {
    moe_row_values(kernels, (moe_row_step){w, x.quants, x.sums}, blocks, values[r]);
  }
  if (!is_first) memcpy(sums, y, rows * sizeof *y);
  _mm_store_ps(sums, moe_chain_rows(_mm_load_ps(sums), values, x.scales, blocks));
  memcpy(y, sums, rows * sizeof *y);
}

/* Rows go through memory one after the other; only the sums over their blocks, of which each must
 * wait for the one before, are made for some rows at a time. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_row_products(moe_row_kernels kernels,
                                                        const moe_tile *tile, size_t rows) {
  moe_row_room room;
  size_t blocks = tile->columns / MOE_Q8_K_ELEMENTS;
  for (size_t first = 0; first < blocks; first += MOE_ROW_CHUNK) {
    size_t chunk = blocks - first < MOE_ROW_CHUNK ? blocks - first : MOE_ROW_CHUNK;
    moe_q8_k_row x = moe_q8_k_row_at(tile->x, tile->columns);
    x.quants += first * MOE_Q8_K_ELEMENTS;
    x.sums += first * MOE_Q8_K_SUMS;
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

/* Lane i: the sum of the lanes of v[i]. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128i moe_sum_lanes_4_avx2(const __m256i v[4]) {
  __m256i v01 = _mm256_add_epi32(_mm256_unpacklo_epi32(v[0], v[1]),
                                 _mm256_unpackhi_epi32(v[0], v[1]));
  __m256i v23 = _mm256_add_epi32(_mm256_unpacklo_epi32(v[2], v[3]),
                                 _mm256_unpackhi_epi32(v[2], v[3]));
  __m256i two = _mm256_add_epi32(_mm256_unpacklo_epi64(v01, v23), _mm256_unpackhi_epi64(v01, v23));
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

/* One 128-bit lane of 4 rows: of the first, and 4, 8 and 12 rows on. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i moe_load_lanes_avx512(const uint8_t *w, size_t stride) {
  __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)w));
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(w + 4 * stride)), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(w + 8 * stride)), 2);
  return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(w + 12 * stride)), 3);
}

/* 16 bytes of 16 rows, transposed by fours of bytes: lane r of out[i] has bytes 4i...4i + 3 of
 * row r. Fetches as many bytes ahead, and moves `ahead` on. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
moe_transpose_avx512(const uint8_t *w, size_t stride, const uint8_t **ahead, __m512i out[4]) {
  for (int i = 0; i < 256; i += MOE_CACHE_LINE_BYTES) {
    _mm_prefetch((const char *)*ahead + i, _MM_HINT_T0);
  }
  *ahead += 256;
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

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_load_lanes_avx2(const uint8_t *w, size_t stride) {
  __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)w));
  return _mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i *)(w + 4 * stride)), 1);
}

/* The same of 8 rows. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
moe_transpose_avx2(const uint8_t *w, size_t stride, const uint8_t **ahead, __m256i out[4]) {
  for (int i = 0; i < 128; i += MOE_CACHE_LINE_BYTES) {
    _mm_prefetch((const char *)*ahead + i, _MM_HINT_T0);
  }
  *ahead += 128;
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
  for (int t = 0; t < tokens; t++) {
    for (int p = 0; p < panels; p++) {
      const float *y = tile->y + (size_t)t * tile->y_stride + p * MOE_PANEL_ROWS_AVX512;
      sums[t][p] = tile->first == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(y);
    }
  }
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
  for (int t = 0; t < tokens; t++) {
    for (int p = 0; p < panels; p++) {
      float *y = tile->y + (size_t)t * tile->y_stride + p * MOE_PANEL_ROWS_AVX512;
      _mm512_storeu_ps(y, sums[t][p]);
    }
  }
}

/* The same of 8 rows; scales have 16 bits and stand twice, since products come in pairs. */
typedef struct {
  uint8_t quants[MOE_Q8_K_ELEMENTS / 4][MOE_PANEL_ROWS_AVX2][4];
  int16_t scales[][MOE_PANEL_ROWS_AVX2][2];
} moe_panel_avx2;

/* steps: how many products of 4 columns fit in pairs of 16 bits. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
moe_panel_group_avx2(const moe_panel_tile *tile, const moe_panel_avx2 *panel, size_t index,
                     size_t elements, size_t steps, size_t g, int tokens, __m256i products[]) {
  __m256i scales = moe_load_256_avx2(panel->scales[g]);
#pragma clang loop unroll(full)
  for (size_t c = 0; c < elements / 4; c += steps) {
    __m256i dots[MOE_PANEL_TOKENS];
    for (int t = 0; t < tokens; t++) dots[t] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
    for (size_t step = c; step < c + steps; step++) {
      size_t column = g * elements + step * 4;
      __m256i quants = moe_load_256_avx2(panel->quants[column / 4]);
      for (int t = 0; t < tokens; t++) {
        __m256i x = moe_panel_x_avx2(tile, t, index * MOE_Q8_K_ELEMENTS + column);
        dots[t] = _mm256_add_epi16(dots[t], _mm256_maddubs_epi16(quants, x));
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
                                                           int tokens) {
  __m256 sums[MOE_PANEL_TOKENS];
  for (int t = 0; t < tokens; t++) {
    const float *y = tile->y + (size_t)t * tile->y_stride;
    sums[t] = tile->first == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(y);
  }
  for (size_t i = 0; i < tile->count; i++) {
    const uint8_t *unpacked = tile->unpacked + i * tile->unpacked_bytes;
    __m256i products[MOE_PANEL_TOKENS];
    for (int t = 0; t < tokens; t++) products[t] = _mm256_setzero_si256();
#pragma clang loop unroll(disable)
    for (size_t g = 0; g < MOE_Q8_K_ELEMENTS / elements; g++) {
      moe_panel_group_avx2(tile, (const moe_panel_avx2 *)unpacked, tile->first + i, elements,
                           steps, g, tokens, products);
    }
    for (int t = 0; t < tokens; t++) {
      sums[t] = add_block(sums[t], products[t], unpacked, tile, t, tile->first + i);
    }
  }
  for (int t = 0; t < tokens; t++) {
    _mm256_storeu_ps(tile->y + (size_t)t * tile->y_stride, sums[t]);
  }
}

#endif

#endif
