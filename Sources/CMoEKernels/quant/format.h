/* What a format's file gives to the table, and the activation rows that its products read. */
#ifndef MOE_QUANT_FORMAT_H
#define MOE_QUANT_FORMAT_H

#include <string.h>

#include "moe_quant.h"

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

/* A row of activations as 8-bit integers. All quants stand first, so that they are aligned and the
 * products need not step over anything between them. */
typedef struct {
  const int8_t *quants; /* (columns) */
  const int16_t *sums;  /* (columns / 16), each of 16 quants */
  const float *scales;  /* (columns / 32) in Q8_0, (columns / 256) in Q8_K */
} moe_q8_row;

enum { MOE_Q8_0_ELEMENTS = 32, MOE_Q8_K_ELEMENTS = 256, MOE_Q8_SUM_ELEMENTS = 16 };
enum { MOE_Q8_K_SUMS = MOE_Q8_K_ELEMENTS / MOE_Q8_SUM_ELEMENTS };

/* Q8_0: quants, scales, sums. The scales are rounded to 16 bits, as in the blocks of that name, and
 * kept as floats. */
MOE_ALWAYS_INLINE moe_q8_row moe_q8_0_row_at(const uint8_t *row, size_t columns) {
  const uint8_t *scales = row + columns;
  return (moe_q8_row){(const int8_t *)row,
                      (const int16_t *)(scales + columns / MOE_Q8_0_ELEMENTS * sizeof(float)),
                      (const float *)scales};
}

/* Q8_K: quants, sums, scales. */
MOE_ALWAYS_INLINE moe_q8_row moe_q8_k_row_at(const uint8_t *row, size_t columns) {
  const uint8_t *sums = row + columns;
  return (moe_q8_row){(const int8_t *)row, (const int16_t *)sums,
                      (const float *)(sums + columns / MOE_Q8_SUM_ELEMENTS * sizeof(int16_t))};
}

/* Q13: the scale in the first 64 bytes, then the integers of the whole row, and behind them at
 * least as many zeros as a step of columns may read too far. So many integers add up in 16 bits. */
enum { MOE_Q13_SCALE_BYTES = 64, MOE_Q13_MAX = 4095, MOE_Q13_ADDENDS_MAX = 8 };

/* elements: that share a scale, which tells the forms apart. */
MOE_ALWAYS_INLINE moe_q8_row moe_q8_row_at(const uint8_t *row, size_t columns, size_t elements) {
  return elements == MOE_Q8_0_ELEMENTS ? moe_q8_0_row_at(row, columns)
                                       : moe_q8_k_row_at(row, columns);
}

#endif
