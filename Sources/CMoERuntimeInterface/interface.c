// The header as a module of its own: Swift checks what it implements against it.
#include "moerun.h"
