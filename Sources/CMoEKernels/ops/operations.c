/* The tables of operations, one per level. */
#include "ops.h"

static const moe_operations scalar_operations = {
    .embed = moe_embed,
    .rms_norm = moe_rms_norm_scalar,
    .layer_norm = moe_layer_norm_scalar,
    .quantize = moe_quantize,
    .matmul = moe_matmul,
    .rope = moe_rope_scalar,
    .kv_append = moe_kv_append_scalar,
    .attention = moe_attention_scalar,
    .attention_merge = moe_attention_merge_scalar,
    .activate = moe_activate_scalar,
    .add = moe_add_scalar,
    .add_rows = moe_add_rows_scalar,
    .scale = moe_scale_scalar,
    .scatter_add = moe_scatter_add_scalar,
    .gather = moe_gather,
    .regroup = moe_regroup,
    .convert = moe_convert,
    .copy = moe_copy,
    .convolve = moe_convolve_scalar,
    .time_step = moe_time_step_scalar,
    .recurrence = moe_recurrence_scalar,
    .softmax = moe_softmax_scalar,
    .sigmoid = moe_sigmoid_scalar,
    .log_sum_exp = moe_log_sum_exp_scalar,
    .argmax = moe_argmax_scalar,
};

#if defined(__x86_64__)
static const moe_operations avx2_operations = {
    .embed = moe_embed,
    .rms_norm = moe_rms_norm_avx2,
    .layer_norm = moe_layer_norm_avx2,
    .quantize = moe_quantize,
    .matmul = moe_matmul,
    .rope = moe_rope_avx2,
    .kv_append = moe_kv_append_avx2,
    .attention = moe_attention_avx2,
    .attention_merge = moe_attention_merge_avx2,
    .activate = moe_activate_avx2,
    .add = moe_add_avx2,
    .add_rows = moe_add_rows_avx2,
    .scale = moe_scale_avx2,
    .scatter_add = moe_scatter_add_avx2,
    .gather = moe_gather,
    .regroup = moe_regroup,
    .convert = moe_convert,
    .copy = moe_copy,
    .convolve = moe_convolve_avx2,
    .time_step = moe_time_step_scalar,
    .recurrence = moe_recurrence_avx2,
    .softmax = moe_softmax_avx2,
    .sigmoid = moe_sigmoid_avx2,
    .log_sum_exp = moe_log_sum_exp_avx2,
    .argmax = moe_argmax_avx2,
};

/* Attention and recurrences alone gain from wider vectors; what else is here waits for memory. */
static const moe_operations avx512_operations = {
    .embed = moe_embed,
    .rms_norm = moe_rms_norm_avx2,
    .layer_norm = moe_layer_norm_avx2,
    .quantize = moe_quantize,
    .matmul = moe_matmul,
    .rope = moe_rope_avx2,
    .kv_append = moe_kv_append_avx2,
    .attention = moe_attention_avx512,
    .attention_merge = moe_attention_merge_avx2,
    .activate = moe_activate_avx2,
    .add = moe_add_avx2,
    .add_rows = moe_add_rows_avx2,
    .scale = moe_scale_avx2,
    .scatter_add = moe_scatter_add_avx2,
    .gather = moe_gather,
    .regroup = moe_regroup,
    .convert = moe_convert,
    .copy = moe_copy,
    .convolve = moe_convolve_avx2,
    .time_step = moe_time_step_scalar,
    .recurrence = moe_recurrence_avx512,
    .softmax = moe_softmax_avx2,
    .sigmoid = moe_sigmoid_avx2,
    .log_sum_exp = moe_log_sum_exp_avx2,
    .argmax = moe_argmax_avx2,
};
#elif defined(__aarch64__)
/* What has one body for all levels is compiled to NEON already, which every such processor has. */
static const moe_operations neon_operations = {
    .embed = moe_embed,
    .rms_norm = moe_rms_norm_neon,
    .layer_norm = moe_layer_norm_scalar,
    .quantize = moe_quantize,
    .matmul = moe_matmul,
    .rope = moe_rope_scalar,
    .kv_append = moe_kv_append_neon,
    .attention = moe_attention_neon,
    .attention_merge = moe_attention_merge_scalar,
    .activate = moe_activate_neon,
    .add = moe_add_scalar,
    .add_rows = moe_add_rows_scalar,
    .scale = moe_scale_neon,
    .scatter_add = moe_scatter_add_scalar,
    .gather = moe_gather,
    .regroup = moe_regroup,
    .convert = moe_convert,
    .copy = moe_copy,
    .convolve = moe_convolve_scalar,
    .time_step = moe_time_step_scalar,
    .recurrence = moe_recurrence_scalar,
    .softmax = moe_softmax_neon,
    .sigmoid = moe_sigmoid_scalar,
    .log_sum_exp = moe_log_sum_exp_neon,
    .argmax = moe_argmax_neon,
};
#endif

const moe_operations *moe_operations_at(moe_isa isa) {
  if (isa == MOE_ISA_SCALAR) return &scalar_operations;
#if defined(__x86_64__)
  if (isa == MOE_ISA_AVX2 && moe_isa_supported(isa)) return &avx2_operations;
  if (isa == MOE_ISA_AVX512 && moe_isa_supported(isa)) return &avx512_operations;
#elif defined(__aarch64__)
  if (isa == MOE_ISA_NEON) return &neon_operations;
#endif
  return NULL;
}

const moe_operations *moe_operations_current(void) {
  const moe_operations *current = moe_operations_at(moe_isa_current());
  return current ? current : &scalar_operations;
}
