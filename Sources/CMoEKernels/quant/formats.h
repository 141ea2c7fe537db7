/* Every element format, one line each: the order of moe_format_at. */
MOE_FORMAT(f32)
MOE_FORMAT(f16)
MOE_FORMAT(bf16)
MOE_FORMAT(q8_0)
MOE_FORMAT(q4_k)
MOE_FORMAT(q6_k)
MOE_FORMAT(q5_k)
MOE_FORMAT(mxfp4)
