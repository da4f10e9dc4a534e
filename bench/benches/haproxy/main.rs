//! What a decided request costs a proxy: what Luigi adds to HAProxy, and beside it what else one could put there.
//!
//! Two parts, each with a file: `lines` asks what Luigi costs beyond the lines of its configuration; `others` compares it with HAProxy's own means, with
//! an authentication server and with Envoy, on the same policy, requests and tokens. `haproxy`, `nginx` and `envoy` have the configurations, `process` starts what is
//! measured and reads its processor time, `load` asks. Decisions alone are compared with other engines in `bench/peers`.
//!
//! `make modules && cargo bench -p luigi-bench --bench haproxy`; `-- lines` and `-- others` run one part, `-- --test` does everything once and briefly. What counts
//! is processor time as the scheduler books it, in rounds that alternate between the setups: other load on the machine disturbs it little. Times are for
//! comparing within one run, not between machines.

mod envoy;
mod estate;
mod haproxy;
mod lines;
mod load;
mod nginx;
mod others;
mod process;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let short = arguments.iter().any(|argument| argument == "--test");
    let parts: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| part.contains(wanted.as_str()));
    if wanted("lines") {
        lines::run(short);
    }
    if wanted("others") {
        others::run(short);
    }
}

/// The middle one of some measurements, which are sorted thereby.
fn median(measurements: &mut [f64]) -> f64 {
    measurements.sort_by(f64::total_cmp);
    measurements[measurements.len() / 2]
}
