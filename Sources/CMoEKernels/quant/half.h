/* 16-bit floats to 32-bit and back, by their bits: the same on every machine and level. */
#ifndef MOE_QUANT_HALF_H
#define MOE_QUANT_HALF_H

#include "format.h"

MOE_ALWAYS_INLINE float moe_float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

MOE_ALWAYS_INLINE uint32_t moe_bits_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* bfloat16 is the upper half of a float. */
MOE_ALWAYS_INLINE float moe_float_from_bf16(uint16_t half) {
  return moe_float_from_bits((uint32_t)half << 16);
}

/* IEEE 754 binary16. Exact; a signalling NaN becomes quiet, as the hardware conversion makes it. */
MOE_ALWAYS_INLINE float moe_float_from_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t magnitude = half & 0x7fff;
  if (magnitude > 0x7c00) return moe_float_from_bits(sign | 0x7fc00000 | magnitude << 13);
  if (magnitude == 0x7c00) return moe_float_from_bits(sign | 0x7f800000);
  if (magnitude < 0x0400) { /* Zero and subnormals: a count of the smallest, 2^-24. */
    return moe_float_from_bits(sign | moe_bits_from_float((float)magnitude * 0x1p-24f));
  }
  return moe_float_from_bits(sign | ((magnitude << 13) + ((127 - 15) << 23)));
}

/* Rounds to nearest, ties to even; beyond 65519 to infinity. NaN stays NaN. */
MOE_ALWAYS_INLINE uint16_t moe_f16_from_float(float value) {
  uint32_t bits = moe_bits_from_float(value);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* From 65520 on. */
  if (magnitude < 0x38800000) {                                  /* Below 2^-14: subnormal. */
    /* The last bit of 0.5 + x is 2^-24, so the addition rounds to what a subnormal can hold. */
    float shifted = moe_float_from_bits(magnitude) + 0.5f;
    return (uint16_t)(sign | (moe_bits_from_float(shifted) - moe_bits_from_float(0.5f)));
  }
  uint32_t odd = magnitude >> 13 & 1;
  return (uint16_t)(sign | ((magnitude - ((127 - 15) << 23) + 0xfff + odd) >> 13));
}

MOE_ALWAYS_INLINE uint16_t moe_load_u16(const uint8_t *bytes) {
  uint16_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

MOE_ALWAYS_INLINE uint32_t moe_load_u32(const uint8_t *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

#endif
