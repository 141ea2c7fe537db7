/* Element formats that no GGUF file has, one line each: the order of moe_bundle_format_at. */
MOE_FORMAT(ternary)
MOE_FORMAT(qmoe)
