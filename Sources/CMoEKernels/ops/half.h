/* Half precision for builds without the instructions: the same bits as F16C gives. */
#ifndef MOE_HALF_H
#define MOE_HALF_H

#include <stdint.h>
#include <string.h>

#include "ops.h"

/* To nearest, ties to even; beyond 65504 to infinity. */
MOE_INLINE uint16_t moe_f16_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu, half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | (magnitude >> 13 & 0x3ffu);
  } else if (magnitude >= 0x47800000u) {
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {
    /* Subnormal: a float at 0.5 has units of 2^-24, so that this addition rounds to halves'. */
    float shifted;
    memcpy(&shifted, &magnitude, sizeof shifted);
    shifted += 0.5f;
    memcpy(&half, &shifted, sizeof half);
    half -= 0x3f000000u;
  } else {
    magnitude += 0xfffu + (magnitude >> 13 & 1u);
    half = (magnitude - 0x38000000u) >> 13;
  }
  return (uint16_t)(sign | half);
}

MOE_INLINE float moe_float_from_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, magnitude = half & 0x7fffu, bits;
  if (magnitude >= 0x7c00u) {
    uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0;
    bits = 0x7f800000u | quiet | (magnitude & 0x3ffu) << 13;
  } else if (magnitude >= 0x400u) {
    bits = (magnitude << 13) + 0x38000000u;
  } else {
    float value = (float)magnitude * 0x1p-24f;
    memcpy(&bits, &value, sizeof bits);
  }
  bits |= sign;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
