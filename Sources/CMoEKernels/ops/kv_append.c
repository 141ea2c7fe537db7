/* Keys and values of a step's rows into a layer's caches. All levels give the same bits. */
#include "kv_pages.h"

#include <string.h>

#include "../quant/half.h"

typedef void (*halve)(const float *x, uint16_t *out, size_t count);

MOE_INLINE void store(const float *x, void *cache, moe_kv_type type, size_t count, halve halve) {
  if (type == MOE_KV_F32) {
    memcpy(cache, x, count * sizeof(float));
  } else {
    halve(x, cache, count);
  }
}

/* One head of one row. row: of the step; index: of the segment. */
MOE_INLINE void append_head(const moe_kv_append_job *job, const moe_kv_segment *segment,
                            size_t row, size_t index, size_t head, halve halve) {
  const moe_kv_shape *shape = &job->shape;
  size_t position = segment->position + index, element = moe_kv_element_bytes(shape->type);
  char *page = moe_kv_page(segment, position);
  size_t slot = head * segment->page_positions + position % segment->page_positions;
  store(job->k + row * job->k_stride + head * shape->key_dimension,
        page + segment->key_offset + slot * shape->key_dimension * element, shape->type,
        shape->key_dimension, halve);
  if (!job->v) return;
  store(job->v + row * job->v_stride + head * shape->value_dimension,
        page + segment->value_offset + slot * shape->value_stride * element, shape->type,
        shape->value_dimension, halve);
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
