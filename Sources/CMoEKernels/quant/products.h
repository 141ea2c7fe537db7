/* What ends a format's file: its products by level, and its entry of the table.
 *
 * A product is the same frame around a format's own functions every time, so the frames stand here.
 * They find these functions by their names, such as rows_avx2 and tile_avx2. */
#ifndef MOE_QUANT_PRODUCTS_H
#define MOE_QUANT_PRODUCTS_H

#include "neon.h"
#include "tile.h"
#include "x86.h"

/* The head of moe_matmul_<format>_<isa>, a moe_matmul_fn, and its arguments as one value. */
#define MOE_MATMUL(format, isa, target)                                                        \
  static target void moe_matmul_##format##_##isa(                                              \
      const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x, size_t x_stride,       \
      size_t tokens, size_t columns, float *y, size_t y_stride)
#define MOE_MATMUL_ARGUMENTS ((moe_tile){w, w_stride, x, x_stride, columns, y, y_stride})

/* By value_scalar, a moe_value_fn. */
#define MOE_SCALAR_PRODUCT(format)                                                             \
  MOE_MATMUL(format, scalar, ) {                                                               \
    moe_tile all = MOE_MATMUL_ARGUMENTS;                                                       \
    moe_matmul_by_value(value_scalar, &all, rows, tokens);                                     \
  }

/* By tile_<isa>, a moe_tile_fn. */
#define MOE_TILED_PRODUCT(format, isa, target)                                                 \
  MOE_MATMUL(format, isa, target) {                                                            \
    moe_tile all = MOE_MATMUL_ARGUMENTS;                                                       \
    moe_tiled_matmul(tile_##isa, &all, rows, tokens);                                          \
  }

/* By rows_<isa>, unpack_<isa> and tile_<isa> (moe_panel_kernels) and the type panel_<isa>; LEVEL is
 * isa in capitals. A block is the columns that share a scale of activations. */
#define MOE_PANEL_PRODUCT(format, isa, LEVEL, block_bytes, block_elements)                     \
  MOE_MATMUL(format, isa, MOE_TARGET_##LEVEL) {                                                \
    enum { COUNT = MOE_PANEL_CHUNK_COLUMNS / (block_elements) * MOE_PANELS_##LEVEL };          \
    static const moe_panel_kernels kernels = {                                                 \
        block_bytes,        block_elements, sizeof(panel_##isa), MOE_PANEL_ROWS_##LEVEL,       \
        MOE_PANELS_##LEVEL, rows_##isa,     unpack_##isa,        tile_##isa};                  \
    moe_tile all = MOE_MATMUL_ARGUMENTS;                                                       \
    _Alignas(64) uint8_t unpacked[COUNT * sizeof(panel_##isa)];                                \
    moe_panel_matmul(&kernels, &all, rows, tokens, unpacked);                                  \
  }

/* By tile_by_dot, which takes a moe_dot_neon_fn besides a moe_tile_fn's arguments. */
#define MOE_NEON_PRODUCT(format)                                                               \
  MOE_ALWAYS_INLINE void tile_neon(const moe_tile *tile, int tokens) {                         \
    tile_by_dot(tile, tokens, moe_dot_neon);                                                   \
  }                                                                                            \
  MOE_ALWAYS_INLINE MOE_TARGET_DOTPROD void tile_dotprod(const moe_tile *tile, int tokens) {   \
    tile_by_dot(tile, tokens, moe_dot_dotprod);                                                \
  }                                                                                            \
  static MOE_TARGET_DOTPROD void matmul_dotprod(const moe_tile *all, size_t rows,              \
                                                size_t tokens) {                               \
    moe_tiled_matmul(tile_dotprod, all, rows, tokens);                                         \
  }                                                                                            \
  MOE_MATMUL(format, neon, ) {                                                                 \
    moe_tile all = MOE_MATMUL_ARGUMENTS;                                                       \
    if (moe_has_dotprod()) {                                                                   \
      matmul_dotprod(&all, rows, tokens);                                                      \
    } else {                                                                                   \
      moe_tiled_matmul(tile_neon, &all, rows, tokens);                                         \
    }                                                                                          \
  }

/* The products of a format: of integers, which has one for every level of this processor's kind,
 * and of floats, which gains nothing from AVX-512. */
#if defined(__x86_64__)
#define MOE_FLOAT_PRODUCTS(format)                                                             \
  {[MOE_ISA_SCALAR] = moe_matmul_##format##_scalar,                                            \
   [MOE_ISA_AVX2] = moe_matmul_##format##_avx2}
#define MOE_INTEGER_PRODUCTS(format)                                                           \
  {[MOE_ISA_SCALAR] = moe_matmul_##format##_scalar,                                            \
   [MOE_ISA_AVX2] = moe_matmul_##format##_avx2,                                                \
   [MOE_ISA_AVX512] = moe_matmul_##format##_avx512}
#elif defined(__aarch64__)
#define MOE_FLOAT_PRODUCTS(format)                                                             \
  {[MOE_ISA_SCALAR] = moe_matmul_##format##_scalar,                                            \
   [MOE_ISA_NEON] = moe_matmul_##format##_neon}
#define MOE_INTEGER_PRODUCTS(format) MOE_FLOAT_PRODUCTS(format)
#else
#define MOE_FLOAT_PRODUCTS(format) {[MOE_ISA_SCALAR] = moe_matmul_##format##_scalar}
#define MOE_INTEGER_PRODUCTS(format) MOE_FLOAT_PRODUCTS(format)
#endif

/* The products that unpacked_k.h or unpacked_0.h has given a file the parts of. */
#if defined(__x86_64__)
#define MOE_UNPACKED_PRODUCTS(format, bytes, elements)                                         \
  MOE_SCALAR_PRODUCT(format)                                                                   \
  MOE_PANEL_PRODUCT(format, avx2, AVX2, bytes, elements)                                       \
  MOE_PANEL_PRODUCT(format, avx512, AVX512, bytes, elements)
#elif defined(__aarch64__)
#define MOE_UNPACKED_PRODUCTS(format, bytes, elements)                                         \
  MOE_SCALAR_PRODUCT(format)                                                                   \
  MOE_NEON_PRODUCT(format)
#else
#define MOE_UNPACKED_PRODUCTS(format, bytes, elements) MOE_SCALAR_PRODUCT(format)
#endif

/* The entry of a format whose file has a function `dequantize`: GGUF's name and number of it, what
 * a block is, MOE_ACTIVATION_<form>, MOE_<kind>_PRODUCTS. */
#define MOE_DEFINE_FORMAT(format_name, shown_name, type_number, elements, bytes, form, kind)   \
  const moe_format_definition moe_definition_##format_name = {                                 \
      .format = {.name = shown_name,                                                           \
                 .ggml_type = type_number,                                                     \
                 .block_elements = elements,                                                   \
                 .block_bytes = bytes,                                                         \
                 .activation = MOE_ACTIVATION_##form,                                          \
                 .dequantize = dequantize},                                                    \
      .matmul = MOE_##kind##_PRODUCTS(format_name),                                            \
  };

/* The entry of a format of bundles: bytes before a row's groups of 32 columns, and of a group. */
#define MOE_DEFINE_ROW_FORMAT(format_name, shown_name, type_number, bytes, group, per_byte,    \
                              form, kind)                                                      \
  const moe_format_definition moe_definition_##format_name = {                                 \
      .format = {.name = shown_name,                                                           \
                 .ggml_type = type_number,                                                     \
                 .block_elements = MOE_TERNARY_GROUP,                                          \
                 .block_bytes = group,                                                         \
                 .row_bytes = bytes,                                                           \
                 .columns_per_byte = per_byte,                                                 \
                 .activation = MOE_ACTIVATION_##form,                                          \
                 .dequantize = dequantize},                                                    \
      .matmul = MOE_##kind##_PRODUCTS(format_name),                                            \
  };

#endif
