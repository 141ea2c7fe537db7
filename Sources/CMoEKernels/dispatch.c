#include "CMoEKernels.h"
size_t moe_format_count(void) { return 0; }
const moe_format *moe_format_at(size_t index) { (void)index; return 0; }
const moe_format *moe_format_for_type(uint32_t ggml_type) { (void)ggml_type; return 0; }
size_t moe_activation_row_bytes(moe_activation activation, size_t columns) { return activation ? columns * 2 : columns * 4; }
