/* QMOE: rows of the three values zero, low and high in the dictionary code of QMoE
 * (arXiv 2310.16795, section 4), multiplied from the code. Bundles alone have it.
 *
 * A matrix is 8 bytes for each row: how far behind them the row's codewords begin, low and high.
 * Codewords of all rows follow. They were checked when they arrived (moe_qmoe_is_row): a row's are
 * read until the columns are full.
 *
 * A codeword's digits are masks over the 32 activations from its first column on. For a few tokens
 * these are added up at once; for more, some rows are unpacked to packed ones that stay in the
 * first-level cache. */
#include "qmoe_table.h"
#include "ternary.h"

enum {
  ROW_BYTES = 8,
  /* More tokens take longer by codewords than by packed rows. */
  CODED_TOKENS_MAX = MOE_TILE_TOKENS_MAX,
  UNPACKED_BYTES = 16 << 10
};
_Static_assert(MOE_TERNARY_COLUMNS_MAX / MOE_TERNARY_GROUP * MOE_TERNARY_GROUP_BYTES +
                       MOE_TERNARY_ROW_BYTES <= UNPACKED_BYTES + MOE_TERNARY_ROW_BYTES,
               "one row at least");

static const uint8_t *codes_at(const uint8_t *row) { return row + moe_load_u32(row); }

/* A row as TERNARY has it. */
static void unpack_row(const uint8_t *row, size_t columns, uint8_t *out) {
  memcpy(out, row + 4, MOE_TERNARY_ROW_BYTES);
  moe_qmoe_decode(codes_at(row), columns, out + MOE_TERNARY_ROW_BYTES);
}

static void dequantize(const uint8_t *row, float *out, size_t columns) {
  moe_ternary_levels levels = moe_ternary_levels_at(row + 4);
  const uint8_t *codes = codes_at(row);
  for (size_t c = 0; c < columns; codes += 2) {
    moe_qmoe_word word = moe_qmoe_word_at(moe_qmoe_entries, codes);
    for (uint32_t i = 0; i < word.digits && c < columns; i++, c++) {
      out[c] = word.low >> i & 1 ? levels.low : word.high >> i & 1 ? levels.high : 0;
    }
  }
}

/* Some rows at a time are unpacked, for all tokens; TERNARY's product then has the rest. */
typedef void (*packed_fn)(const moe_tile *tile, size_t rows, size_t tokens);

MOE_ALWAYS_INLINE void multiply_unpacked(packed_fn multiply, const moe_tile *all, size_t rows,
                                         size_t tokens) {
  _Alignas(64) uint8_t unpacked[UNPACKED_BYTES + MOE_TERNARY_ROW_BYTES];
  moe_tile tile = *all;
  tile.w = unpacked;
  tile.w_stride =
      MOE_TERNARY_ROW_BYTES + moe_ternary_groups(all->columns) * MOE_TERNARY_GROUP_BYTES;
  size_t step = sizeof unpacked / tile.w_stride;
  for (size_t row = 0; row < rows; row += step) {
    size_t count = rows - row < step ? rows - row : step;
    for (size_t i = 0; i < count; i++) {
      unpack_row(all->w + (row + i) * all->w_stride, all->columns, unpacked + i * tile.w_stride);
    }
    tile.y = all->y + row;
    multiply(&tile, count, tokens);
  }
}

static void packed_scalar(const moe_tile *tile, size_t rows, size_t tokens) {
  moe_matmul_by_value(moe_ternary_value_scalar, tile, rows, tokens);
}

MOE_MATMUL(qmoe, scalar, ) {
  moe_tile all = MOE_MATMUL_ARGUMENTS;
  multiply_unpacked(packed_scalar, &all, rows, tokens);
}

#if defined(__x86_64__)

/* One codeword. Returns the columns that it is for. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 size_t step_avx2(const uint8_t *code, const int16_t *x,
                                                   size_t x_stride, int tokens,
                                                   moe_ternary_sums_avx2 *sums) {
  const uint8_t *entry = moe_qmoe_entry_at(code);
  moe_ternary_step_avx2(entry, 4, x, x_stride, tokens, sums);
  return moe_qmoe_digits(entry);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 size_t step_avx512(const uint8_t *code, const int16_t *x,
                                                       size_t x_stride, int tokens,
                                                       moe_ternary_sums_avx512 *sums) {
  const uint8_t *entry = moe_qmoe_entry_at(code);
  __mmask32 masks[2] = {moe_load_u32(entry), moe_load_u32(entry + 4)};
  moe_ternary_step_avx512(masks, x, x_stride, tokens, sums);
  return moe_qmoe_digits(entry);
}

/* Runs of codewords for which columns are left however long they are, so that no branch hangs on
 * what is read; then the rest. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  enum { RUN = MOE_Q13_ADDENDS_MAX / 2 };
  moe_ternary_sums_avx2 sums;
  moe_ternary_begin_avx2(&sums, tokens);
  const uint8_t *code = codes_at(tile->w);
  const int16_t *x = moe_q13_quants(tile->x), *end = x + tile->columns;
  while (end - x >= RUN * MOE_QMOE_DIGITS_MAX) {
#pragma clang loop unroll(full)
    for (int i = 0; i < RUN; i++, code += 2) {
      x += step_avx2(code, x, tile->x_stride, tokens, &sums);
    }
    moe_ternary_flush_avx2(tokens, &sums);
  }
  while (x < end) {
    for (int i = 0; i < RUN && x < end; i++, code += 2) {
      x += step_avx2(code, x, tile->x_stride, tokens, &sums);
    }
    moe_ternary_flush_avx2(tokens, &sums);
  }
  moe_ternary_finish_avx2(tile, tokens, moe_ternary_levels_at(tile->w + 4), &sums);
}

/* The masks of low digits have something else in their highest 4 bits, which the sums' lanes keep
 * apart. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_tile *tile, int tokens) {
  enum { RUN = MOE_Q13_ADDENDS_MAX };
  moe_ternary_sums_avx512 sums;
  moe_ternary_begin_avx512(&sums, tokens);
  const uint8_t *code = codes_at(tile->w);
  const int16_t *x = moe_q13_quants(tile->x), *end = x + tile->columns;
  while (end - x >= RUN * MOE_QMOE_DIGITS_MAX) {
#pragma clang loop unroll(full)
    for (int i = 0; i < RUN; i++, code += 2) {
      x += step_avx512(code, x, tile->x_stride, tokens, &sums);
    }
    moe_ternary_flush_avx512(tokens, MOE_QMOE_LOW_MASK, &sums);
  }
  while (x < end) {
    for (int i = 0; i < RUN && x < end; i++, code += 2) {
      x += step_avx512(code, x, tile->x_stride, tokens, &sums);
    }
    moe_ternary_flush_avx512(tokens, MOE_QMOE_LOW_MASK, &sums);
  }
  moe_ternary_finish_avx512(tile, tokens, moe_ternary_levels_at(tile->w + 4), &sums);
}

static MOE_TARGET_AVX2 void packed_avx2(const moe_tile *tile, size_t rows, size_t tokens) {
  moe_tiled_matmul(moe_ternary_tile_avx2, tile, rows, tokens);
}

static MOE_TARGET_AVX512 void packed_avx512(const moe_tile *tile, size_t rows, size_t tokens) {
  moe_tiled_matmul(moe_ternary_tile_avx512, tile, rows, tokens);
}

MOE_MATMUL(qmoe, avx2, MOE_TARGET_AVX2) {
  moe_tile all = MOE_MATMUL_ARGUMENTS;
  if (tokens > CODED_TOKENS_MAX) return multiply_unpacked(packed_avx2, &all, rows, tokens);
  for (size_t row = 0; row < rows; row++) moe_tiled_row(tile_avx2, &all, row, 0, tokens);
}

MOE_MATMUL(qmoe, avx512, MOE_TARGET_AVX512) {
  moe_tile all = MOE_MATMUL_ARGUMENTS;
  if (tokens > CODED_TOKENS_MAX) return multiply_unpacked(packed_avx512, &all, rows, tokens);
  for (size_t row = 0; row < rows; row++) moe_tiled_row(tile_avx512, &all, row, 0, tokens);
}

#endif

MOE_DEFINE_ROW_FORMAT(qmoe, "QMOE", 0x4D6F0002, ROW_BYTES, 0, 2, Q13, TERNARY)
