//! The fact line: which facts about a request a HAProxy line carries, and how it is taken apart.
