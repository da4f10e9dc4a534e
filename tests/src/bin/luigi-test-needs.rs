//! Says which tests will pass without trying anything, because what they need cannot be had here. `make test` starts it before the tests.

use luigi_tests::needs::Need;

fn main() {
    for need in Need::ALL.into_iter().filter(|need| !need.is_met()) {
        println!("SKIPPED: {}", need.without());
    }
}
