/* The table of formats and the choice of instruction set, made once, at the first question. */
#include <pthread.h>
#include <stdlib.h>

#include "quant/activations.h"
#include "quant/format.h"
#include "quant/grids.h"

#define MOE_FORMAT(name) extern const moe_format_definition moe_definition_##name;
#include "quant/formats.h"
#include "quant/bundle_formats.h"
#undef MOE_FORMAT

#define MOE_FORMAT(name) &moe_definition_##name,
/* Those of GGUF files first. */
static const moe_format_definition *const definitions[] = {
#include "quant/formats.h"
#include "quant/bundle_formats.h"
};
#undef MOE_FORMAT

#define MOE_FORMAT(name) +1
enum {
  FILE_FORMAT_COUNT = 0
#include "quant/formats.h"
  ,
  FORMAT_COUNT = sizeof definitions / sizeof definitions[0],
  ACTIVATION_COUNT = 4
};
#undef MOE_FORMAT

static struct {
  moe_isa isa;
  moe_format formats[FORMAT_COUNT];
  moe_quantize_fn quantizers[ACTIVATION_COUNT];
} table;
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static const char *const isa_names[MOE_ISA_COUNT] = {"scalar", "avx2", "avx512", "neon"};

int moe_isa_supported(moe_isa isa) {
  switch (isa) {
    case MOE_ISA_SCALAR: return 1;
#if defined(__x86_64__)
    case MOE_ISA_AVX2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
    case MOE_ISA_AVX512:
      return moe_isa_supported(MOE_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    case MOE_ISA_NEON: return 1;
#endif
    default: return 0;
  }
}

/* Whether any format would run differently at this level. */
static int has_variants(moe_isa isa) {
  for (size_t i = 0; i < FORMAT_COUNT; i++) {
    if (definitions[i]->matmul[isa]) return 1;
  }
  return 0;
}

/* The level that MOE_ISA names, or the highest; then down to one that machine and build have. */
static moe_isa chosen_isa(void) {
  int isa = MOE_ISA_COUNT - 1;
  const char *wanted = getenv("MOE_ISA");
  for (int i = 0; wanted && i < MOE_ISA_COUNT; i++) {
    if (strcmp(wanted, isa_names[i]) == 0) isa = i;
  }
  while (isa > MOE_ISA_SCALAR && !(moe_isa_supported((moe_isa)isa) && has_variants((moe_isa)isa))) {
    isa--;
  }
  return (moe_isa)isa;
}

static void fill_table(void) {
  moe_fill_grids();
  table.isa = chosen_isa();
  for (size_t i = 0; i < FORMAT_COUNT; i++) {
    table.formats[i] = definitions[i]->format;
    for (int isa = MOE_ISA_SCALAR; isa <= (int)table.isa; isa++) {
      moe_matmul_fn variant = definitions[i]->matmul[isa];
      if (variant && moe_isa_supported((moe_isa)isa)) table.formats[i].matmul = variant;
    }
  }
  for (int i = 0; i < ACTIVATION_COUNT; i++) {
    for (int isa = MOE_ISA_SCALAR; isa <= (int)table.isa; isa++) {
      moe_quantize_fn variant = moe_activation_variant((moe_activation)i, (moe_isa)isa);
      if (variant && moe_isa_supported((moe_isa)isa)) table.quantizers[i] = variant;
    }
  }
}

moe_isa moe_isa_current(void) {
  pthread_once(&table_once, fill_table);
  return table.isa;
}

const char *moe_isa_name(moe_isa isa) {
  return (unsigned)isa < MOE_ISA_COUNT ? isa_names[isa] : "unknown";
}

size_t moe_format_count(void) { return FILE_FORMAT_COUNT; }

const moe_format *moe_format_at(size_t index) {
  pthread_once(&table_once, fill_table);
  return index < FILE_FORMAT_COUNT ? &table.formats[index] : NULL;
}

size_t moe_bundle_format_count(void) { return FORMAT_COUNT - FILE_FORMAT_COUNT; }

const moe_format *moe_bundle_format_at(size_t index) {
  pthread_once(&table_once, fill_table);
  if (index >= FORMAT_COUNT - FILE_FORMAT_COUNT) return NULL;
  return &table.formats[FILE_FORMAT_COUNT + index];
}

const moe_format *moe_format_for_type(uint32_t ggml_type) {
  for (size_t i = 0; i < FILE_FORMAT_COUNT; i++) {
    if (definitions[i]->format.ggml_type == ggml_type) return moe_format_at(i);
  }
  return NULL;
}

moe_matmul_fn moe_format_matmul_at(const moe_format *format, moe_isa isa) {
  if ((unsigned)isa >= MOE_ISA_COUNT || !moe_isa_supported(isa)) return NULL;
  return definitions[format - table.formats]->matmul[isa];
}

moe_quantize_fn moe_activation_quantizer_at(moe_activation activation, moe_isa isa) {
  return moe_isa_supported(isa) ? moe_activation_variant(activation, isa) : NULL;
}

void moe_quantize_activation(moe_activation activation, const float *x, uint8_t *out,
                             size_t columns) {
  pthread_once(&table_once, fill_table);
  table.quantizers[activation](x, out, columns);
}
