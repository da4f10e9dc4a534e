//! A slow, obvious evaluator: the meaning of a policy, spelled out, with every rule and predicate on record.
