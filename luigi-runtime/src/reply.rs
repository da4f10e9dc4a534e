//! What a denied caller is sent.
