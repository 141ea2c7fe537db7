/* The quantisers of activations at each level; see moe_quantize_activation. */
#ifndef MOE_QUANT_ACTIVATIONS_H
#define MOE_QUANT_ACTIVATIONS_H

#include "moe_quant.h"

/* Null where the level has no variant of its own. All variants give the same bytes. */
moe_quantize_fn moe_activation_variant(moe_activation activation, moe_isa isa);

#endif
