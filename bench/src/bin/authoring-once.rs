//! What it takes to change a policy, once and whole: the time of each step of the command, and the most memory that its process had.
//!
//! Each step runs in a process of its own, so that what one leaves behind is not counted for the next. The estate is read as a directory of files, since
//! one file may have 8 MiB. `cargo run --release -p luigi-bench --bin authoring-once [RULES ...]`; Linux only, for `VmHWM`.
//!
//! Deliberately not repeated: `cargo bench -p luigi-bench --bench authoring` does that, up to 10,000 rules.

use luigi_bench::{NOW, Ready, estate, files_of};
use luigi_core::analysis::{Asker, Bounds, Known, compare, lint, what_can, who_can};
use luigi_core::policy::{Parsed, SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use std::process::{Command, ExitCode};
use std::time::Instant;

const STEPS: [&str; 6] = ["parse", "check", "compile", "diff-one", "who-can", "what-can"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [step, rules] = &arguments[..]
        && STEPS.contains(&step.as_str())
    {
        one(step, rules.parse().expect("a number of rules"));
        return ExitCode::SUCCESS;
    }
    let rules: Vec<usize> = arguments.iter().map(|rules| rules.parse().expect("a number of rules")).collect();
    let rules = if rules.is_empty() { vec![1_000, 10_000, 100_000] } else { rules };
    println!("{:>8}  {:<9} {:>10} {:>10}  remark", "rules", "step", "ms", "peak MiB");
    for rules in rules {
        for step in STEPS {
            let itself = std::env::current_exe().expect("this program is somewhere");
            let output = Command::new(itself).args([step, &rules.to_string()]).output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stdout);
            let remark = if output.status.success() { "" } else { "failed" };
            println!("{rules:>8}  {step:<9} {} {remark}", said.trim_end());
        }
    }
    ExitCode::SUCCESS
}

fn sources(text: &str) -> SourceSet {
    let mut sources = SourceSet::new();
    for (name, text) in files_of(text) {
        sources.add(name, text);
    }
    sources
}

fn parsed(text: &str) -> (SourceSet, Parsed) {
    let sources = sources(text);
    let parsed = parse(&sources);
    assert!(parsed.policy.is_some(), "the policy of a workload is sound");
    (sources, parsed)
}

fn snapshot(text: &str) -> Snapshot {
    let policy = parsed(text).1.policy.expect("the policy of a workload is sound");
    Snapshot::compile(policy).expect("the policy of a workload compiles")
}

/// One step: what it takes beside reading the files, in milliseconds, and what the process took in all.
fn one(step: &str, rules: usize) {
    let text = estate(rules).policy;
    let known = Known { source: None, frontend: None, time: None, now: NOW };
    let (took, remark) = match step {
        "parse" => timed(|| parsed(&text).1.diagnostics.len()),
        "check" => timed(|| {
            let (sources, parsed) = parsed(&text);
            lint::run(&parsed, &sources, Some(NOW)).diagnostics.len()
        }),
        "compile" => {
            let policy = parsed(&text).1.policy.expect("the policy of a workload is sound");
            timed(|| Snapshot::compile(policy).expect("the policy of a workload compiles").encode().len())
        }
        "diff-one" => {
            let (old, new) = (snapshot(&text), snapshot(&text.replacen("group-7\"] }", "group-8\"] }", 1)));
            timed(|| compare(&old, &new, NOW, Bounds::default()).differences.len())
        }
        "who-can" => {
            let snapshot = snapshot(&text);
            let host = Some("svc-1.example.com");
            timed(|| {
                who_can(&snapshot, "GET", host, "/v1/refunds-22/7/lines/1", known, Bounds::default()).allowed.len()
            })
        }
        "what-can" => {
            let snapshot = snapshot(&text);
            // Who it is does not matter, but that it is somebody of the estate.
            let people = Ready::new(estate(100)).people;
            timed(|| what_can(&snapshot, Asker::AnyLogin(&people[0]), known, Bounds::default()).allowed.len())
        }
        _ => unreachable!("only steps come here"),
    };
    println!("{took:>10.1} {:>10}  {remark}", peak_mebibytes());
}

/// The milliseconds that it takes, and a number that it comes to.
fn timed(work: impl FnOnce() -> usize) -> (f64, String) {
    let start = Instant::now();
    let found = work();
    (start.elapsed().as_secs_f64() * 1e3, format!("{found} found"))
}

/// The most memory that this process ever had.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has a high-water mark");
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes / 1024
}
