/* What the operations share: their declarations for the table, and how work is divided. */
#ifndef MOE_OPS_INTERNAL_H
#define MOE_OPS_INTERNAL_H

#include "moe_ops.h"

/* For bodies compiled once per level, and for tiles whose sizes become constants. */
#define MOE_INLINE static inline __attribute__((always_inline))
#define MOE_AVX2 __attribute__((target("avx2,fma,f16c")))
#define MOE_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl")))

#define MOE_DECLARE_OP(name) void name(const void *job, unsigned worker, unsigned worker_count)

typedef struct {
  size_t begin, end;
} moe_range;

/* This worker's contiguous part of [0, count), cut at multiples of grain. */
MOE_INLINE moe_range moe_share(size_t count, size_t grain, unsigned worker, unsigned worker_count) {
  size_t grains = (count + grain - 1) / grain;
  size_t begin = grains * worker / worker_count * grain;
  size_t end = grains * (worker + 1) / worker_count * grain;
  return (moe_range){begin < count ? begin : count, end < count ? end : count};
}

MOE_DECLARE_OP(moe_embed);
MOE_DECLARE_OP(moe_quantize);
MOE_DECLARE_OP(moe_matmul);
MOE_DECLARE_OP(moe_gather);
MOE_DECLARE_OP(moe_regroup);
MOE_DECLARE_OP(moe_convert);
MOE_DECLARE_OP(moe_copy);

MOE_DECLARE_OP(moe_rms_norm_scalar);
MOE_DECLARE_OP(moe_layer_norm_scalar);
MOE_DECLARE_OP(moe_rope_scalar);
MOE_DECLARE_OP(moe_kv_append_scalar);
MOE_DECLARE_OP(moe_attention_scalar);
MOE_DECLARE_OP(moe_attention_merge_scalar);
MOE_DECLARE_OP(moe_activate_scalar);
MOE_DECLARE_OP(moe_add_scalar);
MOE_DECLARE_OP(moe_add_rows_scalar);
MOE_DECLARE_OP(moe_scale_scalar);
MOE_DECLARE_OP(moe_scatter_add_scalar);
MOE_DECLARE_OP(moe_convolve_scalar);
MOE_DECLARE_OP(moe_time_step_scalar);
MOE_DECLARE_OP(moe_recurrence_scalar);
float moe_softmax_scalar(float *x, size_t count);
void moe_sigmoid_scalar(float *x, size_t count);
double moe_log_sum_exp_scalar(const float *x, size_t count);
size_t moe_argmax_scalar(const float *x, size_t count);

#if defined(__x86_64__)
MOE_DECLARE_OP(moe_rms_norm_avx2);
MOE_DECLARE_OP(moe_layer_norm_avx2);
MOE_DECLARE_OP(moe_rope_avx2);
MOE_DECLARE_OP(moe_kv_append_avx2);
MOE_DECLARE_OP(moe_attention_avx2);
MOE_DECLARE_OP(moe_attention_merge_avx2);
MOE_DECLARE_OP(moe_attention_avx512);
MOE_DECLARE_OP(moe_activate_avx2);
MOE_DECLARE_OP(moe_add_avx2);
MOE_DECLARE_OP(moe_add_rows_avx2);
MOE_DECLARE_OP(moe_scale_avx2);
MOE_DECLARE_OP(moe_scatter_add_avx2);
MOE_DECLARE_OP(moe_convolve_avx2);
MOE_DECLARE_OP(moe_recurrence_avx2);
MOE_DECLARE_OP(moe_recurrence_avx512);
float moe_softmax_avx2(float *x, size_t count);
void moe_sigmoid_avx2(float *x, size_t count);
double moe_log_sum_exp_avx2(const float *x, size_t count);
size_t moe_argmax_avx2(const float *x, size_t count);
#elif defined(__aarch64__)
MOE_DECLARE_OP(moe_rms_norm_neon);
MOE_DECLARE_OP(moe_kv_append_neon);
MOE_DECLARE_OP(moe_attention_neon);
MOE_DECLARE_OP(moe_activate_neon);
MOE_DECLARE_OP(moe_scale_neon);
float moe_softmax_neon(float *x, size_t count);
double moe_log_sum_exp_neon(const float *x, size_t count);
size_t moe_argmax_neon(const float *x, size_t count);
#endif

#endif
