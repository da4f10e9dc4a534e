//! Answers first, then times.
//!
//! Every engine is asked all requests and compared with the oracle, as far as that takes seconds. Then rounds: each engine in turn gets the same
//! requests in the same order, and the processor time of its round, divided by their number, is one measurement. The median of the rounds counts; the
//! first one is left out. A slow engine gets the first so many requests of each round, and a very slow one fewer rounds.

use crate::Contender;
use crate::engines::{Engine, luigi::Luigi};
use luigi_bench::mixed::{CALLS, Make, Mixed};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Rounds that count.
    rounds: usize,
    /// Rounds that count for an engine that takes more than a second for one.
    rounds_of_slow: usize,
    /// What an engine may take for a round.
    round: Duration,
    /// Fewest requests of a round, however long they take.
    fewest: usize,
    /// What comparing an engine's answers may take; fewer of them are compared if all would take longer.
    comparison: Duration,
    /// What the oracle may take, likewise.
    oracle: Duration,
}

impl Pace {
    pub const FULL: Self = Self {
        rounds: 7,
        rounds_of_slow: 3,
        round: Duration::from_millis(60),
        fewest: 32,
        comparison: Duration::from_secs(8),
        oracle: Duration::from_secs(64),
    };
    pub const QUICK: Self = Self {
        rounds: 1,
        rounds_of_slow: 1,
        round: Duration::from_millis(2),
        fewest: 4,
        comparison: Duration::from_millis(500),
        oracle: Duration::from_secs(4),
    };
}

/// What came out for one engine and one number of rules.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Nanoseconds of processor time a decision.
    pub nanoseconds: f64,
    /// How many answers were compared.
    pub compared: usize,
    /// How many of those differ from the oracle's.
    pub differ: usize,
    /// Different requests of a round.
    pub timed: usize,
    /// What making the engine took.
    pub built: Duration,
}

/// What came out for one number of rules.
pub struct Column {
    pub rules: usize,
    /// How many of all requests pass.
    pub allowed: usize,
    pub luigi: Cell,
    /// As the contenders were given.
    pub peers: Vec<Cell>,
}

struct Runner {
    engine: Box<dyn Engine>,
    /// Requests of a round: whole passes over the first `timed` ones.
    timed: usize,
    passes: usize,
    /// Whether a round takes more than a second.
    is_slow: bool,
    rounds: Vec<f64>,
    compared: usize,
    differ: usize,
    built: Duration,
}

/// Makes all engines with so many rules, compares and times them.
pub fn column(rules: usize, peers: &[&Contender], pace: Pace) -> Column {
    let workload = Mixed::new(rules, Make::Everything);
    eprintln!("{rules} rules: the oracle");
    let mut luigi = Luigi::new(&workload);
    let (expected, took) = timed(|| oracle(&mut luigi, &pace));
    eprintln!("    {} answers in {took:.1?}", expected.len());
    let mut runners = vec![Runner::new("Luigi", &expected, pace, || Box::new(Luigi::new(&workload)))];
    for peer in peers {
        let name = format!("{}, {}", peer.name, peer.form);
        runners.push(Runner::new(&name, &expected, pace, || (peer.build)(&workload)));
    }
    for round in 0..=pace.rounds {
        for runner in &mut runners {
            if runner.is_slow && round > pace.rounds_of_slow {
                continue;
            }
            let each = runner.round();
            // The first warms up.
            if round > 0 {
                runner.rounds.push(each);
            }
        }
    }
    let allowed = expected.iter().filter(|allowed| **allowed).count();
    let mut cells = runners.into_iter().map(Runner::cell);
    let luigi = cells.next().expect("Luigi runs first");
    Column { rules, allowed: allowed * CALLS / expected.len(), luigi, peers: cells.collect() }
}

/// The oracle looks at every rule and writes down everything: seconds, if there are many.
fn oracle(luigi: &mut Luigi, pace: &Pace) -> Vec<bool> {
    let end = Instant::now() + pace.oracle;
    let mut answers = Vec::new();
    for request in 0..CALLS {
        if Instant::now() > end && request >= pace.fewest {
            break;
        }
        answers.push(luigi.oracle(request));
    }
    answers
}

impl Runner {
    fn new(name: &str, expected: &[bool], pace: Pace, build: impl FnOnce() -> Box<dyn Engine>) -> Self {
        let (mut engine, built) = timed(build);
        let (mut compared, mut differ) = (0, 0);
        let (start, before) = (Instant::now(), clock());
        for (request, expected) in expected.iter().enumerate() {
            if start.elapsed() > pace.comparison && compared >= pace.fewest {
                break;
            }
            differ += usize::from(engine.allows(request) != *expected);
            compared += 1;
        }
        let each = (clock() - before).as_secs_f64() / compared as f64;
        let affordable = pace.round.as_secs_f64() / each;
        // Also those that the oracle had no time for: what is asked again and again is in the caches.
        let timed = (affordable as usize).clamp(pace.fewest, CALLS);
        let passes = (affordable / timed as f64).max(1.0) as usize;
        eprintln!(
            "    {name}: built in {built:.1?}, {differ} of {compared} answers differ, about {:.2?} a decision",
            Duration::from_secs_f64(each)
        );
        let is_slow = each * (timed * passes) as f64 > 1.0;
        Self { engine, timed, passes, is_slow, rounds: Vec::new(), compared, differ, built }
    }

    /// Nanoseconds of this thread's processor time a decision.
    fn round(&mut self) -> f64 {
        let before = clock();
        for _ in 0..self.passes {
            for request in 0..self.timed {
                std::hint::black_box(self.engine.allows(std::hint::black_box(request)));
            }
        }
        (clock() - before).as_secs_f64() * 1e9 / (self.passes * self.timed) as f64
    }

    fn cell(mut self) -> Cell {
        self.rounds.sort_by(f64::total_cmp);
        let nanoseconds = self.rounds[self.rounds.len() / 2];
        Cell { nanoseconds, compared: self.compared, differ: self.differ, timed: self.timed, built: self.built }
    }
}

fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (what(), start.elapsed())
}

fn clock() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}
