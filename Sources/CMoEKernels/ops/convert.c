/* Weights from the form in which a file has them to that of a format: the same at every level. */
#include "ops.h"

#include <string.h>

/* Rows that a worker takes at a time: a cache line of the smallest elements. */
enum { GRAIN = 64, COPY_GRAIN = 4096 };

enum { MXFP4_ELEMENTS = 32, MXFP4_QUANTS = MXFP4_ELEMENTS / 2 };

/* Elements i and i + 16 of a block share a byte, where the source has 2i and 2i + 1 in one. */
MOE_INLINE void convert_mxfp4(const moe_convert_job *job, size_t row, uint8_t *out) {
  size_t blocks = job->columns / MXFP4_ELEMENTS;
  const uint8_t *quants = job->source + row * blocks * MXFP4_QUANTS;
  const uint8_t *scales = job->scales + row * blocks;
  for (size_t b = 0; b < blocks; b++, quants += MXFP4_QUANTS, out += 1 + MXFP4_QUANTS) {
    out[0] = scales[b];
    for (size_t i = 0; i < MXFP4_QUANTS / 2; i++) {
      uint8_t first = quants[i], second = quants[i + MXFP4_QUANTS / 2];
      out[1 + 2 * i] = (uint8_t)((first & 15) | second << 4);
      out[2 + 2 * i] = (uint8_t)(first >> 4 | (second & 0xf0));
    }
  }
}

/* An E4M3 float. Its bits in the place of a 32-bit float's mean 2^-120 times as much, also where
 * they are subnormal. */
MOE_INLINE float float_of_f8(uint8_t bits) {
  uint32_t wide = (uint32_t)(bits & 127) << 20;
  if ((bits & 127) == 127) wide = 0x7fc00000;
  wide |= (uint32_t)(bits & 128) << 24;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value * 0x1p120f;
}

/* Rounds to nearest, ties to even. */
MOE_INLINE uint16_t bf16_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

MOE_INLINE void convert_f8(const moe_convert_job *job, size_t row, uint8_t *out) {
  size_t blocks = (job->columns + MOE_STORED_F8_BLOCK - 1) / MOE_STORED_F8_BLOCK;
  const uint8_t *source = job->source + row * job->columns;
  const uint8_t *scales = job->scales + row / MOE_STORED_F8_BLOCK * blocks * sizeof(float);
  for (size_t b = 0; b < blocks; b++) {
    size_t begin = b * MOE_STORED_F8_BLOCK, rest = job->columns - begin;
    size_t count = rest < MOE_STORED_F8_BLOCK ? rest : MOE_STORED_F8_BLOCK;
    float scale;
    memcpy(&scale, scales + b * sizeof scale, sizeof scale);
    uint16_t values[MOE_STORED_F8_BLOCK];
    for (size_t c = 0; c < count; c++) values[c] = bf16_of(float_of_f8(source[begin + c]) * scale);
    memcpy(out + begin * sizeof values[0], values, count * sizeof values[0]);
  }
}

/* Rows of the target, which are columns of the source: for each of the source's rows some
 * neighbours. */
MOE_INLINE void convert_columns(const moe_convert_job *job, moe_range part, size_t bytes) {
  size_t half = job->rows / 2;
  for (size_t c = 0; c < job->columns; c++) {
    for (size_t r = part.begin; r < part.end; r++) {
      size_t row = job->takes_turns ? r % 2 * half + r / 2 : r;
      memcpy(job->target + (row * job->columns + c) * bytes,
             job->source + (c * job->rows + r) * bytes, bytes);
    }
  }
}

void moe_convert(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_convert_job *job = argument;
  moe_range part = moe_share(job->rows, GRAIN, worker, worker_count);
  if (job->form == MOE_STORED_COLUMNS) {
    for (size_t begin = part.begin; begin < part.end; begin += GRAIN) {
      size_t end = part.end - begin < GRAIN ? part.end : begin + GRAIN;
      moe_range rows = {begin, end};
      if (job->element_bytes == 2) convert_columns(job, rows, 2);
      else convert_columns(job, rows, 4);
    }
    return;
  }
  for (size_t r = part.begin; r < part.end; r++) {
    size_t row = job->takes_turns ? r % 2 * (job->rows / 2) + r / 2 : r;
    switch (job->form) {
      case MOE_STORED_MXFP4:
        convert_mxfp4(job, r, job->target + row * (job->columns / MXFP4_ELEMENTS) * 17);
        break;
      case MOE_STORED_F8: convert_f8(job, r, job->target + row * job->columns * 2); break;
      default:
        job->format->dequantize(job->source + r * job->columns * job->element_bytes,
                                (float *)job->target + row * job->columns, job->columns);
    }
  }
}

void moe_copy(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_copy_job *job = argument;
  moe_range part = moe_share(job->bytes, COPY_GRAIN, worker, worker_count);
  memcpy(job->target + part.begin, job->source + part.begin, part.end - part.begin);
}
