/* Element formats of weights and the products with them.
 *
 * Weights stay in the file's blocks. Activations are brought into the form that a format's product
 * wants (its reference implementation's): 32-bit floats, or blocks of 8-bit integers. */
#ifndef MOE_QUANT_H
#define MOE_QUANT_H

#include <stddef.h>
#include <stdint.h>

typedef enum { MOE_ISA_SCALAR = 0, MOE_ISA_AVX2 = 1, MOE_ISA_AVX512 = 2, MOE_ISA_NEON = 3 } moe_isa;

/* How a row of activations is stored for a product. */
typedef enum {
  MOE_ACTIVATION_F32 = 0,  /* floats as they are */
  MOE_ACTIVATION_Q8_0 = 1, /* blocks of 32: float scale, 32 int8, 2 int16 sums of 16 */
  MOE_ACTIVATION_Q8_K = 2, /* blocks of 256: float scale, 256 int8, 16 int16 sums of 16 */
  MOE_ACTIVATION_Q13 = 3   /* the row: float scale in 64 bytes, int16 up to 4095, 32 zeros */
} moe_activation;

/* y[token * y_stride + row] = sum over c of w[row][c] * x[token][c].
 *
 * w: rows matrix rows, w_stride bytes apart, at any address (file alignment phases).
 * x: tokens activation rows, x_stride bytes apart, 64-byte aligned.
 * columns: a multiple of the format's block elements; may be any size that is.
 * Batch invariant: each y is bit-identical whatever rows and tokens it is computed with. */
typedef void (*moe_matmul_fn)(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                              size_t x_stride, size_t tokens, size_t columns, float *y,
                              size_t y_stride);

typedef struct moe_format {
  const char *name;        /* as GGUF tools print it, for example "Q4_K" */
  uint32_t ggml_type;      /* GGUF's number, or one of bundles */
  uint32_t block_elements; /* elements per block */
  uint32_t block_bytes;    /* bytes per block */
  /* Of formats of bundles, whose rows may have any number of columns up to
   * MOE_TERNARY_COLUMNS_MAX: bytes before a row's blocks, of which the last may not be full.
   * `dequantize` then takes one row. Else 0. */
  uint32_t row_bytes;
  /* The same: columns that a product takes as long for as for reading a byte. */
  uint32_t columns_per_byte;
  moe_activation activation;
  /* elements a multiple of block_elements; blocks at any address. */
  void (*dequantize)(const uint8_t *blocks, float *out, size_t elements);
  moe_matmul_fn matmul; /* at the best level of this machine, or the one that MOE_ISA forces */
} moe_format;

/* Every format of GGUF files, in a fixed order; index in [0, moe_format_count()). */
size_t moe_format_count(void);
const moe_format *moe_format_at(size_t index);
/* Null where the number is unknown. */
const moe_format *moe_format_for_type(uint32_t ggml_type);
/* The same of the formats that bundles alone have. */
size_t moe_bundle_format_count(void);
const moe_format *moe_bundle_format_at(size_t index);
/* The format's product at one level, or null where this machine or build has none (for tests). */
moe_matmul_fn moe_format_matmul_at(const moe_format *format, moe_isa isa);

/* Bytes of one activation row of `columns` elements, rounded up to 64. */
size_t moe_activation_row_bytes(moe_activation activation, size_t columns);
/* x: `columns` floats -> out. Rounds as the reference does: to nearest, ties to even. */
void moe_quantize_activation(moe_activation activation, const float *x, uint8_t *out,
                             size_t columns);
/* The same at one level, or null where this machine or build has none (for tests). All levels give
 * the same bytes. A block with an infinity or NaN makes every product with it NaN. */
typedef void (*moe_quantize_fn)(const float *x, uint8_t *out, size_t columns);
moe_quantize_fn moe_activation_quantizer_at(moe_activation activation, moe_isa isa);

/* The level in use, and its name ("scalar", "avx2", ...). */
moe_isa moe_isa_current(void);
/* Whether this machine can run a level, whether or not a format has a variant for it. */
int moe_isa_supported(moe_isa isa);
const char *moe_isa_name(moe_isa isa);

#endif
