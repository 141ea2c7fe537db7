/* Keys and values of new tokens into a layer's cache. Both levels give the same bits. */
#include "ops.h"

#include <string.h>

#include "../quant/half.h"

typedef void (*halve)(const float *x, uint16_t *out, size_t count);

MOE_INLINE void store(const float *x, void *cache, size_t index, moe_kv_type type, size_t count,
                      halve halve) {
  if (type == MOE_KV_F32) {
    memcpy((float *)cache + index, x, count * sizeof(float));
  } else {
    halve(x, (uint16_t *)cache + index, count);
  }
}

MOE_INLINE void kv_append(const moe_kv_append_job *job, halve halve, unsigned worker,
                          unsigned worker_count) {
  size_t width = job->head_dimension;
  moe_range rows = moe_share(job->tokens * job->kv_heads, 1, worker, worker_count);
  for (size_t i = rows.begin; i < rows.end; i++) {
    size_t token = i / job->kv_heads, head = i % job->kv_heads;
    size_t position = job->position + token;
    size_t block = position / job->block_positions * job->block_stride;
    size_t index = (head * job->block_positions + position % job->block_positions) * width;
    store(job->k + token * job->k_stride + head * width, (char *)job->k_cache + block, index,
          job->type, width, halve);
    store(job->v + token * job->v_stride + head * width, (char *)job->v_cache + block, index,
          job->type, width, halve);
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
