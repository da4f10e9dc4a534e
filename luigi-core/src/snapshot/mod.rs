//! The compiled, immutable policy and the index that finds the few rules a request can meet.
