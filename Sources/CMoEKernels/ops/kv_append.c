/* Keys and values of a step's rows into a layer's caches. All levels give the same bits. */
#include "kv_pages.h"

#include <math.h>
#include <string.h>

/* Contraction would fuse products of some levels and not of others. */
#pragma clang fp contract(off)

typedef void (*halve)(const float *x, uint16_t *out, size_t count);

/* The largest magnitude of a block, with its sign; NaN where the block has an infinity or a NaN. */
static float largest_of_block(const float *x) {
  float largest = 0;
  for (size_t i = 0; i < MOE_KV_BLOCK; i++) {
    if (!(fabsf(x[i]) < INFINITY)) return NAN;
    if (fabsf(x[i]) > fabsf(largest)) largest = x[i];
  }
  return largest;
}

/* The scale of a block as it is stored: finite, so that what is too large for it is cut. */
static uint16_t half_scale(float scale) {
  uint16_t half = moe_f16_from_float(scale), magnitude = half & 0x7fff;
  return magnitude == 0x7c00 ? (uint16_t)(half - 1) : half;
}

/* To nearest, ties to even, between two bounds; 0 where the scale is 0 or NaN. */
static int quantize(float x, float inverse, int least, int most) {
  float quant = x * inverse;
  if (!(quant > (float)least)) return quant <= (float)least ? least : 0;
  return quant < (float)most ? (int)(quant + 0x1.8p23f - 0x1.8p23f) : most;
}

/* What blocks hold is the nearest that their scale, as it is stored, allows. A block with an
 * infinity or a NaN gets the scale NaN, so that the fault shows. */
static float store_scale(float scale, uint8_t *block) {
  uint16_t half = scale != scale ? 0x7e00 : half_scale(scale);
  memcpy(block, &half, sizeof half);
  float stored = moe_float_from_f16(half);
  return stored == 0 || stored != stored ? 0 : 1 / stored;
}

static void store_q8_0(const float *x, uint8_t *block) {
  float inverse = store_scale(fabsf(largest_of_block(x)) / 127, block);
  for (size_t i = 0; i < MOE_KV_BLOCK; i++)
    block[2 + i] = (uint8_t)(int8_t)(inverse == 0 ? 0 : quantize(x[i], inverse, -127, 127));
}

/* The largest becomes -8, of which there is no opposite. */
static void store_q4_0(const float *x, uint8_t *block) {
  float inverse = store_scale(largest_of_block(x) / -8, block);
  for (size_t i = 0; i < MOE_KV_BLOCK / 2; i++) {
    int low = inverse == 0 ? 0 : quantize(x[i], inverse, -8, 7);
    int high = inverse == 0 ? 0 : quantize(x[i + MOE_KV_BLOCK / 2], inverse, -8, 7);
    block[2 + i] = (uint8_t)((low + 8) | (high + 8) << 4);
  }
}

/* Rounds to nearest, ties to even. NaN stays NaN. */
static void store_bf16(const float *x, uint16_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = moe_bits_from_float(x[i]);
    out[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    if (x[i] != x[i]) out[i] = (uint16_t)(bits >> 16 | 0x40);
  }
}

MOE_INLINE void store(const float *x, void *cache, moe_kv_type type, size_t count, halve halve) {
  switch (type) {
    case MOE_KV_F16:
      return halve(x, cache, count);
    case MOE_KV_F32:
      memcpy(cache, x, count * sizeof(float));
      return;
    case MOE_KV_BF16:
      return store_bf16(x, cache, count);
    case MOE_KV_Q8_0:
    case MOE_KV_Q4_0:
      for (size_t i = 0; i < count; i += MOE_KV_BLOCK) {
        uint8_t *block = (uint8_t *)cache + moe_kv_bytes(type, i);
        if (type == MOE_KV_Q8_0)
          store_q8_0(x + i, block);
        else
          store_q4_0(x + i, block);
      }
  }
}

/* One head of one row. row: of the step; index: of the segment. */
MOE_INLINE void append_head(const moe_kv_append_job *job, const moe_kv_segment *segment,
                            size_t row, size_t index, size_t head, halve halve) {
  const moe_kv_shape *shape = &job->shape;
  size_t position = segment->position + index;
  char *page = moe_kv_page(segment, position);
  size_t slot = head * segment->page_positions + position % segment->page_positions;
  store(job->k + row * job->k_stride + head * shape->key_dimension,
        page + segment->key_offset + moe_kv_bytes(shape->type, slot * shape->key_dimension),
        shape->type, shape->key_dimension, halve);
  if (!job->v) return;
  store(job->v + row * job->v_stride + head * shape->value_dimension,
        page + segment->value_offset + moe_kv_bytes(shape->type, slot * shape->value_stride),
        shape->type, shape->value_dimension, halve);
}

MOE_INLINE void kv_append(const moe_kv_append_job *job, halve halve, unsigned worker,
                          unsigned worker_count) {
  size_t heads = job->shape.kv_heads, rows = 0;
  for (size_t s = 0; s < job->segment_count; s++) rows += job->segments[s].rows;
  moe_range range = moe_share(rows * heads, 1, worker, worker_count);
  const moe_kv_segment *segment = job->segments;
  size_t first = 0; /* row of the step that is the segment's first */
  for (size_t i = range.begin; i < range.end; i++) {
    size_t row = i / heads;
    while (row - first >= segment->rows) first += segment++->rows;
    append_head(job, segment, row, row - first, i % heads, halve);
  }
}

static void halve_scalar(const float *x, uint16_t *out, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = moe_f16_from_float(x[i]);
}

void moe_kv_append_scalar(const void *job, unsigned worker, unsigned worker_count) {
  kv_append(job, halve_scalar, worker, worker_count);
}

#if defined(__x86_64__)
#include <immintrin.h>

static MOE_AVX2 void halve_avx2(const float *x, uint16_t *out, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128((__m128i *)(out + i), halves);
  }
  for (; i < count; i++) out[i] = moe_f16_from_float(x[i]);
}

void moe_kv_append_avx2(const void *job, unsigned worker, unsigned worker_count) {
  kv_append(job, halve_avx2, worker, worker_count);
}
#elif defined(__aarch64__)
#include "../quant/neon.h"

static void halve_neon(const float *x, uint16_t *out, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    float32x4x2_t floats = moe_load_8_neon(x + i);
    float16x8_t halves = vcvt_high_f16_f32(vcvt_f16_f32(floats.val[0]), floats.val[1]);
    vst1q_u16(out + i, vreinterpretq_u16_f16(halves));
  }
  for (; i < count; i++) out[i] = moe_f16_from_float(x[i]);
}

void moe_kv_append_neon(const void *job, unsigned worker, unsigned worker_count) {
  kv_append(job, halve_neon, worker, worker_count);
}
#endif
