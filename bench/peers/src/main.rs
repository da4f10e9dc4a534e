//! Luigi beside other decision engines on one workload, in one process: `make bench` runs it and puts what it prints into docs/BENCHMARKS.md.
//!
//! `engines` has one file for each engine with the policy as its documentation advises; `measure` compares every answer with Luigi's oracle and then takes times in
//! turns; `report` writes the tables, `plot` the pictures.

mod engines;
mod measure;
mod plot;
mod report;

use clap::Parser;
use engines::{ByHost, Engine, Whole, casbin::Casbin, cedar::Cedar, cel::Cel, rego};
use luigi_bench::mixed::Mixed;
use std::path::PathBuf;

/// Luigi beside other decision engines: time of a decision against the number of rules.
#[derive(Parser)]
struct Arguments {
    /// Numbers of rules.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000")]
    rules: Vec<usize>,
    /// Only engines whose name has this in it; Luigi always runs.
    #[arg(long, default_value = "")]
    only: String,
    /// Few requests and one round, to see that everything runs and that no answer differs without a known reason.
    #[arg(long)]
    quick: bool,
    /// A folder for the pictures.
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// An engine in one of its forms.
pub struct Contender {
    /// What the tables call it.
    pub name: &'static str,
    /// The package that it is.
    pub package: &'static str,
    /// How its policy is written.
    pub form: &'static str,
    /// Whether it was divided by host by hand.
    pub by_host: bool,
    build: fn(&Mixed) -> Box<dyn Engine>,
}

const PEERS: [Contender; 10] = [
    Contender {
        name: "Cedar",
        package: "cedar-policy",
        form: "a policy each",
        by_host: false,
        build: |workload| Box::new(Whole::<Cedar>::new(workload)),
    },
    Contender {
        name: "Cedar",
        package: "cedar-policy",
        form: "a policy set for each host",
        by_host: true,
        build: |workload| Box::new(ByHost::<Cedar>::new(workload)),
    },
    Contender {
        name: "Rego",
        package: "regorus",
        form: "a Rego rule each",
        by_host: false,
        build: |workload| Box::new(Whole::<rego::Rules>::new(workload)),
    },
    Contender {
        name: "Rego",
        package: "regorus",
        form: "a Rego rule each, an engine for each host",
        by_host: true,
        build: |workload| Box::new(ByHost::<rego::Rules>::new(workload)),
    },
    Contender {
        name: "Rego data",
        package: "regorus",
        form: "rules as data by host and path",
        by_host: true,
        build: |workload| Box::new(Whole::<rego::Data>::new(workload)),
    },
    Contender {
        name: "Rego VM",
        package: "regorus",
        form: "the same, compiled for its virtual machine",
        by_host: true,
        build: |workload| Box::new(Whole::<rego::Compiled>::new(workload)),
    },
    Contender {
        name: "casbin",
        package: "casbin",
        form: "a policy line for each group",
        by_host: false,
        build: |workload| Box::new(Whole::<Casbin>::new(workload)),
    },
    Contender {
        name: "casbin",
        package: "casbin",
        form: "an enforcer for each host",
        by_host: true,
        build: |workload| Box::new(ByHost::<Casbin>::new(workload)),
    },
    Contender {
        name: "CEL",
        package: "cel",
        form: "a program each, in turn",
        by_host: false,
        build: |workload| Box::new(Whole::<Cel>::new(workload)),
    },
    Contender {
        name: "CEL",
        package: "cel",
        form: "a list of programs for each host",
        by_host: true,
        build: |workload| Box::new(ByHost::<Cel>::new(workload)),
    },
];

fn main() {
    let arguments = Arguments::parse();
    let peers: Vec<&Contender> =
        PEERS.iter().filter(|peer| peer.name.to_lowercase().contains(&arguments.only.to_lowercase())).collect();
    let pace = if arguments.quick { measure::Pace::QUICK } else { measure::Pace::FULL };
    let columns: Vec<measure::Column> =
        arguments.rules.iter().map(|rules| measure::column(*rules, &peers, pace)).collect();
    print!("{}", report::tables(&peers, &columns));
    if let Some(folder) = arguments.plots {
        plot::write(&folder, &peers, &columns).expect("the folder for pictures can be written to");
    }
    let differ = columns.iter().flat_map(|column| &column.peers).any(|cell| cell.differ > 0)
        || columns.iter().any(|column| column.luigi.differ > 0);
    assert!(!differ, "some answers are not those of the oracle: see the table above");
}
