//! Luigi for C: the functions, structs and numbers of `include/luigi.h`, which is made from this crate.
//!
//! Their documentation is written for readers of the header. docs/ABI.md has the policy of the ABI, and examples.
//!
//! | file | what it has |
//! |---|---|
//! | `numbers`, `types` | what C sees beside functions |
//! | `pointers` | everything that is done with pointers from C |
//! | `handles` | numbers that stand for what C holds |
//! | `boundary` | no panic gets past; statuses and errors |
//! | `texts` | strings that C was given |
//! | `engine`, `polling` | engines, and how they follow a feed |
//! | `context`, `request`, `decide` | from a request to a decision |
//! | `identity` | whom the embedder vouches for |
//! | `record`, `response`, `reply`, `explain` | what else there is to say of a decision |
//! | `check` | checking a policy |
//! | `about` | version, features, names of numbers |
//! | `faults` | failures on demand, for tests |

#![allow(non_camel_case_types, reason = "these are the names that C sees")]
#![allow(clippy::missing_safety_doc, reason = "what C promises stands at the head of the header and in `pointers`")]

mod faults;
mod handles;
mod pointers;
mod record;
mod request;

// The header has what is public in this order.
mod numbers;

mod types;

mod about;

mod engine;

mod polling;

mod context;

mod decide;

mod response;

mod identity;

mod reply;

mod explain;

mod check;

mod boundary;

mod texts;

pub use about::{luigi_abi_version, luigi_features, luigi_reason_name, luigi_status_name, luigi_version};
pub use boundary::luigi_error_free;
pub use check::luigi_policy_check;
pub use context::{luigi_context_close, luigi_context_open, luigi_context_refresh};
pub use decide::{luigi_decide, luigi_decide_many, luigi_evaluation_id_text};
pub use engine::{luigi_engine_close, luigi_engine_open, luigi_engine_statistics, luigi_engine_status};
pub use explain::luigi_explain;
pub use identity::{luigi_identity_close, luigi_identity_open};
pub use numbers::*;
pub use polling::{luigi_engine_poll, luigi_engine_start_polling, luigi_engine_stop_polling};
pub use reply::{luigi_http_reply_free, luigi_reply};
pub use response::luigi_record_response;
pub use texts::luigi_string_free;
pub use types::*;
