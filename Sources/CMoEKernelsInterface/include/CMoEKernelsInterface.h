#include "moe_quant.h"
#include "moe_qmoe.h"
#include "moe_team.h"
#include "moe_ops.h"
