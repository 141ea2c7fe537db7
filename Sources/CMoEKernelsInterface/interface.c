// The headers as a module of their own: see Package.swift.
#include "CMoEKernelsInterface.h"
