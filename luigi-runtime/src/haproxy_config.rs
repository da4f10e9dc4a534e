//! The text of the HAProxy lines for a policy.
