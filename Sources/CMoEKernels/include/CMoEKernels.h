// What these files implement; users of the functions depend on the headers' own target.
#include "CMoEKernelsInterface.h"
