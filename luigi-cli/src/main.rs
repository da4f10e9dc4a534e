//! The command line of Luigi.

fn main() {}
