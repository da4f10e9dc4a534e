//! `luigi serve`, end to end: what is recorded is in the ledger exactly once, whoever is killed meanwhile.

mod changes;
mod clock;
mod faults;
mod process;
mod proxy;
mod spool;
