//! What is refused before all rules, where two policies do not refuse the same: upgrades of connections, and requests for another method than their
//! own. Where both refuse, or neither does, it makes no difference, and requests do not ask for it.

use super::dimension::{Atom, Axis, Dimension, Raw, Setting};
use super::in_play::{InPlay, Side};
use crate::policy::model::FactTest;
use crate::target::Host;

/// A dimension for each that the sides do not agree on.
pub(super) fn dimensions(sides: &[Side<'_>], in_play: &InPlay<'_>, host: Host<'_>) -> Vec<Dimension> {
    let differ = |refuses: &dyn Fn(&Side<'_>) -> bool| sides.iter().any(|side| refuses(side) != refuses(&sides[0]));
    let mut all = Vec::new();
    if differ(&|side| side.refuses_upgrade()) {
        let words = ["asking for an upgrade of the connection", "without asking for an upgrade"];
        all.push(asked(Axis::Upgrade, words, Setting::Upgrade, None));
    }
    if differ(&|side| side.snapshot.hosts.of(host).refuses_method_override) {
        // The parameter that stands for all ways to ask for another method is one that a rule looks at.
        let is_taken =
            |test: &FactTest| matches!(test, FactTest::Query { parameter, accepts: _ } if parameter == "_method");
        let taken = in_play.facts.iter().any(|(_, test)| is_taken(test));
        let gap = taken.then(|| "requests for another method that do without parameter `_method`".to_owned());
        let words = ["asking for another method", "without asking for another method"];
        all.push(asked(Axis::Override, words, Setting::Override, gap));
    }
    all
}

fn asked(axis: Axis, [yes, no]: [&str; 2], setting: fn(bool) -> Setting, gap: Option<String>) -> Dimension {
    let atom = Atom { yes: yes.to_owned(), no: no.to_owned() };
    let raw = [false, true].map(|asks| Raw {
        setting: setting(asks),
        atoms: asks.into(),
        rank: asks.into(),
        signature: vec![asks.into()],
    });
    Dimension::reduce(axis, vec![atom], gap, raw)
}
