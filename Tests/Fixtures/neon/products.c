/* Rounding of activations, and products of every format. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

enum { OUTPUT_GAP = 3, BLOCK_ELEMENTS_MAX = 256, BLOCK_BYTES_MAX = 256, BLOCK_KINDS = 16 };
static const float UNTOUCHED = -12345.678f;

/* MARK: Activations */

/* Rows of every kind: ordinary, exponents apart, ties, equal magnitudes, extremes. */
static void fill_row(float *x, size_t columns, unsigned kind, generator *g) {
  static const float extremes[] = {
      0, -0.0f, 0x1p-149f, 0x1p-126f, 1e-37f, 5e-37f, 1e-8f, 4e-6f, 65504,
      8.3e6f, 8.4e6f, 1e20f, 3.4028234e38f, INFINITY, -INFINITY, NAN};
  enum { EXTREME_COUNT = sizeof extremes / sizeof extremes[0] };
  for (size_t c = 0; c < columns; c++) {
    if (kind == 0) {
      x[c] = draw_gaussian(g);
    } else if (kind == 1) {
      x[c] = ldexpf(draw_gaussian(g), (int)(draw(g) % 41) - 20);
    } else if (kind == 2) {
      x[c] = c % 32 == 0 ? 127 : (float)(c % 200) / 2 - 50;
    } else if (kind == 3) {
      x[c] = draw(g) % 8 == 0 ? (draw(g) % 2 ? 3.0f : -3.0f) : 0.25f;
    } else if (kind < 4 + EXTREME_COUNT) {
      x[c] = c % 512 == 77 % columns ? extremes[kind - 4] : draw_gaussian(g);
    } else {
      x[c] = c % 512 == 77 % columns ? extremes[kind - 4 - EXTREME_COUNT]
                                     : -extremes[kind - 4 - EXTREME_COUNT] / 3;
    }
  }
}
enum { ROW_KINDS = 4 + 2 * 16 };

/* Of the level, or where it has none of its own, of the best below it, as programs use it. */
static moe_quantize_fn quantizer(moe_activation form, moe_isa isa) {
  moe_quantize_fn found = NULL;
  for (int i = (int)isa; !found; i--) found = moe_activation_quantizer_at(form, (moe_isa)i);
  return found;
}

void check_activations(moe_isa isa) {
  static const size_t column_counts[] = {256, 512, 1024, 2304};
  for (int form = MOE_ACTIVATION_Q8_0; form <= MOE_ACTIVATION_Q8_K; form++) {
    moe_quantize_fn quantize = quantizer((moe_activation)form, isa);
    moe_quantize_fn reference = quantizer((moe_activation)form, MOE_ISA_SCALAR);
    for (unsigned i = 0; i < 4 * ROW_KINDS; i++) {
      size_t columns = column_counts[i / ROW_KINDS];
      size_t bytes = moe_activation_row_bytes((moe_activation)form, columns);
      generator g = {i + 1};
      float *x = guarded_floats(columns);
      uint8_t *found = guarded(bytes), *wanted = guarded(bytes);
      fill_row(x, columns, i % ROW_KINDS, &g);
      quantize(x, found, columns);
      reference(x, wanted, columns);
      if (memcmp(found, wanted, bytes) != 0)
        complain("activations %d, columns %zu, kind %u: not the scalar level's", form, columns,
                 i % ROW_KINDS);
      digest_bytes(found, bytes);
      report("activations %d columns %zu kind %u", form, columns, i % ROW_KINDS);
      release_all();
    }
  }
}

/* MARK: Products */

typedef struct {
  const moe_format *format;
  size_t rows, tokens, columns, row_bytes, x_bytes;
  uint8_t *w, *x;
} product;

static float amplitude(const moe_format *format, const uint8_t *block) {
  float values[BLOCK_ELEMENTS_MAX], most = 0;
  format->dequantize(block, values, format->block_elements);
  for (size_t i = 0; i < format->block_elements; i++) {
    if (!isfinite(values[i])) return INFINITY;
    most = fmaxf(most, fabsf(values[i]));
  }
  return most;
}

/* A block of random bytes whose elements are of ordinary size. */
static void draw_block(const moe_format *format, uint8_t *block, generator *g) {
  float size;
  do {
    for (size_t i = 0; i < format->block_bytes; i++) block[i] = (uint8_t)draw(g);
    size = amplitude(format, block);
  } while (!(size >= 0.0625f && size <= 4));
}

/* As many bytes as possible become `pattern`: all but those that scale the block. */
static void saturate_block(const moe_format *format, uint8_t *block, uint8_t pattern) {
  for (size_t i = 0; i < format->block_bytes; i++) {
    uint8_t original = block[i];
    block[i] = pattern;
    float size = amplitude(format, block);
    if (!(size >= 0.001f && size <= 1000)) block[i] = original;
  }
}

static product make_product(const moe_format *format, size_t rows, size_t tokens, size_t columns) {
  product p = {format, rows, tokens, columns, 0, 0, NULL, NULL};
  p.row_bytes = columns / format->block_elements * format->block_bytes;
  p.x_bytes = moe_activation_row_bytes(format->activation, columns);
  p.w = guarded(rows * p.row_bytes);
  p.x = guarded(tokens * p.x_bytes);
  return p;
}

static void set_token(const product *p, size_t token, const float *x) {
  quantizer(p->format->activation, MOE_ISA_SCALAR)(x, p->x + token * p->x_bytes, p->columns);
}

/* kinds: of the rows of activations, one after the other; 1 for ordinary ones only. */
static void set_tokens(const product *p, unsigned kinds, generator *g) {
  float *x = guarded_floats(p->columns);
  for (size_t t = 0; t < p->tokens; t++) {
    fill_row(x, p->columns, (unsigned)t % kinds, g);
    set_token(p, t, x);
  }
}

static void set_blocks(const product *p, generator *g) {
  uint8_t blocks[BLOCK_KINDS][BLOCK_BYTES_MAX];
  size_t bytes = p->format->block_bytes, count = p->rows * p->row_bytes / bytes;
  for (int i = 0; i < BLOCK_KINDS; i++) draw_block(p->format, blocks[i], g);
  for (size_t i = 0; i < count; i++)
    memcpy(p->w + i * bytes, blocks[draw(g) % BLOCK_KINDS], bytes);
}

/* Of the level, or of the best below it, as the table of formats is filled. */
static moe_matmul_fn product_at(const moe_format *format, moe_isa isa) {
  moe_matmul_fn found = NULL;
  for (int i = (int)isa; !found; i--) found = moe_format_matmul_at(format, (moe_isa)i);
  return found;
}

/* Some rows and tokens: (token, row) into y, which is packed. */
static void multiply(const product *p, moe_isa isa, size_t row, size_t rows, size_t token,
                     size_t tokens, float *y) {
  size_t stride = rows + OUTPUT_GAP, count = tokens * stride - OUTPUT_GAP;
  float *out = guarded_floats(count);
  for (size_t i = 0; i < count; i++) out[i] = UNTOUCHED;
  product_at(p->format, isa)(p->w + row * p->row_bytes, p->row_bytes, rows,
                             p->x + token * p->x_bytes, p->x_bytes, tokens, p->columns, out,
                             stride);
  for (size_t i = 0; i < count; i++) {
    if (i % stride < rows) {
      y[i / stride * rows + i % stride] = out[i];
    } else if (out[i] != UNTOUCHED) {
      complain("%s: wrote between rows of the result", p->format->name);
    }
  }
}

/* The value of an element as the product sees it. */
static double activation_at(const product *p, size_t token, size_t c) {
  const uint8_t *row = p->x + token * p->x_bytes;
  size_t group = p->format->activation == MOE_ACTIVATION_Q8_0 ? 32 : 256;
  size_t sums = p->format->activation == MOE_ACTIVATION_Q8_0 ? 0 : p->columns / 8;
  float scale;
  if (p->format->activation == MOE_ACTIVATION_F32) return ((const float *)row)[c];
  memcpy(&scale, row + p->columns + sums + c / group * sizeof scale, sizeof scale);
  return (double)((const int8_t *)row)[c] * scale;
}

/* Within the roundings that the order of summing allows: units of 2^-24 of the sum of magnitudes,
 * one per step of a lane and some at each end. slack: where parts of a value cancel. */
static void compare_with_scalar(const product *p, const float *y, double slack,
                                const char *what) {
  if (!compares_with_scalar) return;
  float *reference = guarded_floats(p->rows * p->tokens), *w = guarded_floats(p->columns);
  size_t step = p->format->block_elements < 8 ? 8 : p->format->block_elements;
  double roundings = (double)(p->columns / step) * 2 + 16;
  multiply(p, MOE_ISA_SCALAR, 0, p->rows, 0, p->tokens, reference);
  for (size_t row = 0; row < p->rows; row++) {
    p->format->dequantize(p->w + row * p->row_bytes, w, p->columns);
    for (size_t t = 0; t < p->tokens; t++) {
      double magnitude = 0;
      for (size_t c = 0; c < p->columns; c++)
        magnitude += fabs((double)w[c] * activation_at(p, t, c));
      size_t i = t * p->rows + row;
      double bound = magnitude * 0x1p-24 * roundings * slack + 1e-37;
      if (!(fabs((double)y[i] - (double)reference[i]) <= bound))
        complain("%s %s, row %zu, token %zu: %a, but %a at the scalar level", p->format->name,
                 what, row, t, (double)y[i], (double)reference[i]);
    }
  }
}

/* Rows and tokens by themselves and in numbers that are cut up in every way have the bits of the
 * whole. */
static void compare_with_parts(const product *p, moe_isa isa, const float *y) {
  static const size_t row_counts[] = {1, 2, 5, 8}, token_counts[] = {1, 2, 3, 4, 5, 9};
  for (size_t i = 0; i < 4; i++) {
    for (size_t j = 0; j < sizeof token_counts / sizeof *token_counts; j++) {
      size_t tokens = token_counts[j];
      size_t rows = row_counts[i], row = p->rows - rows, token = p->tokens - tokens;
      float part[9 * 9];
      multiply(p, isa, row, rows, token, tokens, part);
      for (size_t t = 0; t < tokens; t++) {
        if (!same_bits(part + t * rows, y + (token + t) * p->rows + row, rows))
          complain("%s, columns %zu: %zu rows of %zu tokens differ from the whole",
                   p->format->name, p->columns, rows, tokens);
      }
    }
  }
}

static void check_shape(const moe_format *format, moe_isa isa, size_t rows, size_t tokens,
                        size_t columns) {
  generator g = {columns * 1000 + rows};
  product p = make_product(format, rows, tokens, columns);
  set_blocks(&p, &g);
  set_tokens(&p, 1, &g);
  float *y = guarded_floats(rows * tokens);
  multiply(&p, isa, 0, rows, 0, tokens, y);
  if (isa != MOE_ISA_SCALAR) {
    if (rows * tokens * columns < 1 << 18) compare_with_scalar(&p, y, 1, "ordinary");
    if (rows == 9 && tokens == 9 && columns <= 2304) compare_with_parts(&p, isa, y);
  }
  digest_floats(y, rows * tokens);
  report("%s rows %zu tokens %zu columns %zu", format->name, rows, tokens, columns);
  release_all();
}

/* Weights at every address. */
static void check_addresses(const moe_format *format, moe_isa isa) {
  generator g = {13};
  size_t columns = format->block_elements == 1 ? 37 : format->block_elements * 3;
  product p = make_product(format, 9, 5, columns);
  set_blocks(&p, &g);
  set_tokens(&p, 1, &g);
  float wanted[9 * 5], found[9 * 5];
  multiply(&p, isa, 0, 9, 0, 5, wanted);
  for (size_t offset = 1; offset <= 64; offset++) {
    product moved = p;
    moved.w = guarded(9 * p.row_bytes + offset);
    memcpy(moved.w, p.w, 9 * p.row_bytes);
    multiply(&moved, isa, 0, 9, 0, 5, found);
    if (!same_bits(found, wanted, 9 * 5))
      complain("%s: other bits where weights lie %zu bytes before a page", format->name, offset);
  }
  release_all();
}

/* Weights of any bytes, with scales that are infinite, not numbers or subnormal, and activations of
 * every kind: the same bits, whatever they are. */
static void check_raw_bytes(const moe_format *format, moe_isa isa) {
  for (uint64_t seed = 1; seed <= 8; seed++) {
    generator g = {seed};
    size_t columns = format->block_elements == 1 ? 90 + seed : format->block_elements * seed;
    product p = make_product(format, 35, ROW_KINDS, columns);
    for (size_t i = 0; i < p.rows * p.row_bytes; i++) p.w[i] = (uint8_t)draw(&g);
    set_tokens(&p, ROW_KINDS, &g);
    float *y = guarded_floats(p.rows * p.tokens);
    multiply(&p, isa, 0, p.rows, 0, p.tokens, y);
    for (size_t t = 0; t < p.tokens; t++) digest_floats(y + t * p.rows, p.rows);
    report("%s raw bytes, seed %d", format->name, (int)seed);
    release_all();
  }
}

/* A row of -128, which the quantisers never make, in the form that has room for it. */
static void set_least_token(const product *p, size_t token) {
  uint8_t *row = p->x + token * p->x_bytes;
  int16_t sum = 16 * -128;
  float scale = 0.5f;
  memset(row, 0x80, p->columns);
  for (size_t i = 0; i < p->columns / 16; i++)
    memcpy(row + p->columns + 2 * i, &sum, sizeof sum);
  for (size_t i = 0; i < p->columns / 256; i++)
    memcpy(row + p->columns + p->columns / 8 + 4 * i, &scale, sizeof scale);
}

/* Quants and activations at their limits, which a 16-bit step on the way could lose. */
static void check_saturation(const moe_format *format, moe_isa isa) {
  static const uint8_t patterns[] = {0x00, 0x0f, 0x7f, 0x80, 0x88, 0xf0, 0xff};
  for (size_t i = 0; i < sizeof patterns; i++) {
    generator g = {i};
    size_t columns = format->block_elements == 1 ? 24 : format->block_elements * 3;
    product p = make_product(format, 33, 6, columns);
    uint8_t block[BLOCK_BYTES_MAX];
    draw_block(format, block, &g);
    saturate_block(format, block, patterns[i]);
    for (size_t b = 0; b < p.rows * p.row_bytes; b += format->block_bytes)
      memcpy(p.w + b, block, format->block_bytes);
    float *x = guarded_floats(columns);
    for (size_t t = 0; t < 6; t++) {
      for (size_t c = 0; c < columns; c++) {
        int negative = t == 1 || (t == 2 && c % 2) || (t == 3 && c % 4 < 2) ||
                       (t == 4 && c % 32 < 16);
        x[c] = negative ? -1 : 1;
      }
      set_token(&p, t, x);
    }
    /* AVX2 turns the signs of activations for quants of all 8 bits: these are from -127 on. */
    int has_all_bits = strcmp(format->name, "IQ4_XS") == 0;
    if (format->activation == MOE_ACTIVATION_Q8_K && !has_all_bits) set_least_token(&p, 5);
    float *y = guarded_floats(p.rows * p.tokens);
    multiply(&p, isa, 0, p.rows, 0, p.tokens, y);
    /* Scale and minimum may nearly cancel here, which costs what they were larger. */
    compare_with_scalar(&p, y, 64, "saturated");
    digest_floats(y, p.rows * p.tokens);
    report("%s saturated %02x", format->name, patterns[i]);
    release_all();
  }
}

void check_products(moe_isa isa) {
  static const size_t block_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 31, 33, 64};
  for (size_t f = 0; f < moe_format_count(); f++) {
    const moe_format *format = moe_format_at(f);
    for (size_t i = 0; i < sizeof block_counts / sizeof block_counts[0]; i++) {
      size_t columns = block_counts[i] * format->block_elements;
      if (columns <= 4096) check_shape(format, isa, 9, 9, columns);
    }
    for (size_t blocks = 1; blocks <= 7; blocks += 2)
      check_shape(format, isa, 66, 9, blocks * format->block_elements);
    check_shape(format, isa, 301, 27, 512);
    check_addresses(format, isa);
    check_raw_bytes(format, isa);
    check_saturation(format, isa);
  }
}
