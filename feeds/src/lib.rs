//! Market data: venue decoders, synchronisation, the feed stage.
