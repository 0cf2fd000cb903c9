//! The order gateway: risk gate, order state, venue codecs, paper exchange.
