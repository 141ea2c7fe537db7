/* Pieces that the kernels for 64-bit Arm share; empty on other processors.
 *
 * Vectors of four floats come in twos, as the lanes of one AVX2 vector: this level sums in the same
 * order and fuses the same products, so it gives the same bits.
 *
 * NEON is part of every such processor. The instruction that multiplies bytes and sums the products
 * by fours (SDOT, since Armv8.2) is not: integer products have a variant for either kind, and a
 * product asks which one it is on each time it is called, which costs a load or two. */
#ifndef MOE_QUANT_NEON_H
#define MOE_QUANT_NEON_H

#include "half.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <sys/auxv.h>

#define MOE_TARGET_DOTPROD __attribute__((target("dotprod")))

/* Whether this processor has SDOT. */
MOE_ALWAYS_INLINE int moe_has_dotprod(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }

MOE_ALWAYS_INLINE float32x4x2_t moe_broadcast_8_neon(float value) {
  return (float32x4x2_t){{vdupq_n_f32(value), vdupq_n_f32(value)}};
}

MOE_ALWAYS_INLINE float32x4x2_t moe_load_8_neon(const float *x) {
  return (float32x4x2_t){{vld1q_f32(x), vld1q_f32(x + 4)}};
}

MOE_ALWAYS_INLINE void moe_store_8_neon(float *x, float32x4x2_t v) {
  vst1q_f32(x, v.val[0]);
  vst1q_f32(x + 4, v.val[1]);
}

MOE_ALWAYS_INLINE float32x4x2_t moe_add_8_neon(float32x4x2_t a, float32x4x2_t b) {
  return (float32x4x2_t){{vaddq_f32(a.val[0], b.val[0]), vaddq_f32(a.val[1], b.val[1])}};
}

/* sums + a * b, rounded once. */
MOE_ALWAYS_INLINE float32x4x2_t moe_fma_8_neon(float32x4x2_t sums, float32x4x2_t a,
                                               float32x4x2_t b) {
  return (float32x4x2_t){{vfmaq_f32(sums.val[0], a.val[0], b.val[0]),
                          vfmaq_f32(sums.val[1], a.val[1], b.val[1])}};
}

/* The larger of each lane, b where they are equal or one is NaN: as x86 has it, which the
 * processor's own maximum is not. */
MOE_ALWAYS_INLINE float32x4_t moe_larger_neon(float32x4_t a, float32x4_t b) {
  return vbslq_f32(vcgtq_f32(a, b), a, b);
}

/* The sum of 8 lanes, always in this order: 4 apart, 2 apart, neighbours. */
MOE_ALWAYS_INLINE float moe_sum_lanes_neon(float32x4x2_t v) {
  float32x4_t four = vaddq_f32(v.val[0], v.val[1]);
  return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}

/* The sums of four vectors' lanes: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). */
MOE_ALWAYS_INLINE float32x4_t moe_fold_4_neon(float32x4x2_t a, float32x4x2_t b, float32x4x2_t c,
                                              float32x4x2_t d) {
  float32x4_t low =
      vpaddq_f32(vpaddq_f32(a.val[0], b.val[0]), vpaddq_f32(c.val[0], d.val[0]));
  float32x4_t high =
      vpaddq_f32(vpaddq_f32(a.val[1], b.val[1]), vpaddq_f32(c.val[1], d.val[1]));
  return vaddq_f32(low, high);
}

/* The same of one vector. */
MOE_ALWAYS_INLINE float moe_sum_pairs_neon(float32x4x2_t v) {
  float32x4_t pairs = vpaddq_f32(v.val[0], v.val[1]);
  return vpadds_f32(vget_low_f32(vpaddq_f32(pairs, pairs)));
}

/* 8 16-bit floats at any address. */
MOE_ALWAYS_INLINE float32x4x2_t moe_load_8_f16_neon(const void *halves) {
  float16x8_t v = vreinterpretq_f16_u8(vld1q_u8(halves));
  return (float32x4x2_t){{vcvt_f32_f16(vget_low_f16(v)), vcvt_high_f32_f16(v)}};
}

/* One at any address. */
MOE_ALWAYS_INLINE float moe_load_f16_neon(const uint8_t *bytes) {
  float16x4_t half = vreinterpret_f16_u16(vdup_n_u16(moe_load_u16(bytes)));
  return vgetq_lane_f32(vcvt_f32_f16(half), 0);
}

/* sums + the products of signed bytes, added up by fours of neighbours. Integers are exact, so both
 * variants agree in every bit. */
typedef int32x4_t (*moe_dot_neon_fn)(int32x4_t sums, int8x16_t w, int8x16_t x);

MOE_ALWAYS_INLINE int32x4_t moe_dot_neon(int32x4_t sums, int8x16_t w, int8x16_t x) {
  int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)));
  int32x4_t high = vpaddlq_s16(vmull_high_s8(w, x));
  return vaddq_s32(sums, vpaddq_s32(low, high));
}

MOE_ALWAYS_INLINE MOE_TARGET_DOTPROD int32x4_t moe_dot_dotprod(int32x4_t sums, int8x16_t w,
                                                               int8x16_t x) {
  return vdotq_s32(sums, w, x);
}

#endif

#endif
