//! Scopes from a description of an API: one scope for each operation, in a file that people go on with.
//!
//! * `description` reads OpenAPI 3 and Swagger 2, JSON or YAML, into operations in the words of policies.
//! * `scopes` writes them into the text of a policy file and finds them there again, whatever people have made of the file since.

mod description;
mod scopes;

pub(crate) use description::read;
pub(crate) use scopes::{Changes, Said, Vanished, merge};

#[cfg(test)]
mod tests;
