/* What a format's file gives to the table, and the activation rows that its products read. */
#ifndef MOE_QUANT_FORMAT_H
#define MOE_QUANT_FORMAT_H

#include <string.h>

#include "../include/moe_quant.h"

/* Results are stated as products and sums rounded one by one; a compiler that fuses them where the
 * machine can would make them depend on the machine. Where fusing is meant, it is written out. */
#pragma STDC FP_CONTRACT OFF

#define MOE_ALWAYS_INLINE static inline __attribute__((always_inline))

enum { MOE_ISA_COUNT = 4 };

/* One per format, named moe_definition_<format>; formats.h lists them. */
typedef struct {
  moe_format format;                   /* without its matmul, which dispatch.c fills in */
  moe_matmul_fn matmul[MOE_ISA_COUNT]; /* by moe_isa; null where there is no variant */
} moe_format_definition;

/* A row of Q8_0 activations: all quants, then all scales, so that both are aligned and the products
 * need not step over one to reach the other. The scales are rounded to 16 bits, as in the blocks of
 * that name, and kept as floats. */
enum { MOE_Q8_0_ELEMENTS = 32 };
typedef struct {
  const int8_t *quants; /* (columns) */
  const float *scales;  /* (columns / 32) */
} moe_q8_0_row;

MOE_ALWAYS_INLINE moe_q8_0_row moe_q8_0_row_at(const uint8_t *row, size_t columns) {
  return (moe_q8_0_row){(const int8_t *)row, (const float *)(row + columns)};
}

/* A row of Q8_K activations: all quants, all sums of 16 quants, all scales. */
enum { MOE_Q8_K_ELEMENTS = 256, MOE_Q8_K_SUMS = 16 };
typedef struct {
  const int8_t *quants; /* (columns) */
  const int16_t *sums;  /* (columns / 16) */
  const float *scales;  /* (columns / 256) */
} moe_q8_k_row;

MOE_ALWAYS_INLINE moe_q8_k_row moe_q8_k_row_at(const uint8_t *row, size_t columns) {
  const uint8_t *sums = row + columns;
  return (moe_q8_k_row){(const int8_t *)row, (const int16_t *)sums,
                        (const float *)(sums + columns / 16 * sizeof(int16_t))};
}

#endif
