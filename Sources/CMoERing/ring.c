#include "moe_ring.h"
#include <liburing.h>
