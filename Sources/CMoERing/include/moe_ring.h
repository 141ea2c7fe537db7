/* Our wrapper over liburing: no liburing type appears here. */
