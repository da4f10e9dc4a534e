//! The picture for the README: time of a decision against the number of rules, both logarithmic, once for a light page and once for a dark one.
//!
//! Written by hand, since what matters here is what plotting libraries leave to chance: names stand at the ends of their lines, moved apart so
//! that none covers another.

use crate::Contender;
use crate::measure::Column;
use std::fmt::Write as _;
use std::path::Path;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 462.0;
/// Between the base lines of two names.
const LINE: f64 = 17.0;

/// Colours of a page.
struct Theme {
    name: &'static str,
    text: &'static str,
    faint: &'static str,
    series: [(&'static str, &'static str); 5],
}

const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        text: "#1f2328",
        faint: "#d1d9e0",
        series: [
            ("Luigi", "#cf222e"),
            ("Cedar", "#0969da"),
            ("Rego", "#8250df"),
            ("casbin", "#9a6700"),
            ("CEL", "#1a7f37"),
        ],
    },
    Theme {
        name: "dark",
        text: "#e6edf3",
        faint: "#3d444d",
        series: [
            ("Luigi", "#ff7b72"),
            ("Cedar", "#79c0ff"),
            ("Rego", "#d2a8ff"),
            ("casbin", "#e3b341"),
            ("CEL", "#56d364"),
        ],
    },
];

struct Series {
    name: String,
    divided: bool,
    /// Rules and nanoseconds.
    points: Vec<(f64, f64)>,
}

/// Writes `decisions-light.svg` and `decisions-dark.svg` into a folder.
pub fn write(folder: &Path, peers: &[&Contender], columns: &[Column]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let series = series(peers, columns);
    for theme in &THEMES {
        std::fs::write(folder.join(format!("decisions-{}.svg", theme.name)), picture(theme, &series))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for a picture")]
fn series(peers: &[&Contender], columns: &[Column]) -> Vec<Series> {
    let luigi = columns.iter().map(|column| (column.rules as f64, column.luigi.nanoseconds)).collect();
    let mut all = vec![Series { name: "Luigi".into(), divided: false, points: luigi }];
    for (at, peer) in peers.iter().enumerate() {
        let points = columns.iter().map(|column| (column.rules as f64, column.peers[at].nanoseconds)).collect();
        let name = match (peer.by_host, peer.name) {
            (true, "Cedar" | "casbin" | "CEL" | "Rego") => format!("{}, by host", peer.name),
            _ => peer.name.to_owned(),
        };
        all.push(Series { name, divided: peer.by_host, points });
    }
    all
}

fn picture(theme: &Theme, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|one| &one.points);
    let decades = |values: &mut dyn Iterator<Item = f64>| {
        let (least, most) = values.fold((f64::MAX, f64::MIN), |(a, b), value| (a.min(value), b.max(value)));
        (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0))
    };
    let (x0, x1) = decades(&mut points().map(|(rules, _)| *rules));
    let (y0, y1) = decades(&mut points().map(|(_, time)| *time));
    let x = |rules: f64| LEFT + (rules.log10() - x0) / (x1 - x0) * (RIGHT - LEFT);
    let y = |time: f64| BOTTOM - (time.log10() - y0) / (y1 - y0) * (BOTTOM - TOP);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" \
         aria-label=\"Time of a decision against the number of rules\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{}\">\n",
        theme.text
    );
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"24\" font-size=\"16\" font-weight=\"600\">Time of a decision</text>\n\
         <text x=\"{LEFT}\" y=\"42\">the same rules and requests in one run; dashed: divided by host by hand; dotted: rules as data</text>"
    );
    let mut rules = 10f64.powf(x0);
    while rules <= 10f64.powf(x1) * 1.01 {
        let at = x(rules);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {TOP}V{BOTTOM}\" stroke=\"{}\"/>\n<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            theme.faint,
            BOTTOM + 20.0,
            thousands(rules)
        );
        rules *= 10.0;
    }
    let mut time = 10f64.powf(y0);
    while time <= 10f64.powf(y1) * 1.01 {
        let at = y(time);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"{}\"/>\n<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            theme.faint,
            LEFT - 8.0,
            at + 4.5,
            crate::report::time(time)
        );
        time *= 10.0;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">rules</text>",
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 42.0
    );
    let ends: Vec<f64> = series.iter().map(|one| one.points.last().map_or(BOTTOM, |(_, time)| y(*time))).collect();
    let names = apart(&ends);
    for ((one, end), name) in series.iter().zip(&ends).zip(&names) {
        let colour = colour(theme, &one.name);
        let (width, dashes) = match (one.name.as_str(), one.divided) {
            ("Luigi", _) => (3.5, ""),
            ("Rego data" | "Rego VM", _) => (1.8, " stroke-dasharray=\"2 3\""),
            (_, true) => (1.8, " stroke-dasharray=\"6 4\""),
            (_, false) => (1.8, ""),
        };
        let line: Vec<_> = one.points.iter().map(|(rules, time)| format!("{:.1},{:.1}", x(*rules), y(*time))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dashes}/>",
            line.join(" ")
        );
        for (rules, time) in &one.points {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>", x(*rules), y(*time));
        }
        let (last, value) = one.points.last().copied().unwrap_or((1.0, 1.0));
        let start = x(last) + 5.0;
        let weight = if one.name == "Luigi" { " font-weight=\"700\"" } else { "" };
        let _ = writeln!(
            svg,
            "<path d=\"M{start:.1} {end:.1}L{:.1} {name:.1}\" stroke=\"{colour}\" stroke-width=\"0.8\" fill=\"none\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\"{weight}>{}: {}</text>",
            RIGHT + 20.0,
            RIGHT + 24.0,
            name + 4.5,
            one.name,
            crate::report::time(value)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Heights as near as possible to the wanted ones, in the same order, none closer to another than a line, none outside the picture. (Isotonic regression.)
fn apart(wanted: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    // Names that stand together: where the first would be on average, and how many there are.
    let mut groups: Vec<(f64, f64)> = Vec::new();
    let mut above = 0.0;
    for at in &order {
        let mut group = (wanted[*at] - above, 1.0);
        while let Some((first, names)) = groups.pop_if(|(first, _)| *first > group.0) {
            group = ((first * names + group.0 * group.1) / (names + group.1), names + group.1);
        }
        groups.push(group);
        above += LINE;
    }
    let firsts = groups.iter().flat_map(|(first, names)| std::iter::repeat_n(*first, *names as usize));
    let mut placed = wanted.to_vec();
    let mut above_this = 0.0;
    for (at, first) in order.into_iter().zip(firsts) {
        placed[at] = first.min(BOTTOM + LINE - above).max(TOP) + above_this;
        above_this += LINE;
    }
    placed
}

fn colour(theme: &Theme, name: &str) -> &'static str {
    let found = theme.series.iter().find(|(prefix, _)| name.starts_with(prefix));
    found.map_or(theme.text, |(_, colour)| colour)
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    match digits.len() {
        0..4 => digits,
        length => format!("{},{}", &digits[..length - 3], &digits[length - 3..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_order_and_do_not_cover_each_other() {
        for wanted in [vec![100.0, 104.0, 455.0, 460.0, 461.0, 90.0], vec![TOP; 4], vec![200.0, 200.0, 210.0], vec![]] {
            let placed = apart(&wanted);
            let mut order: Vec<usize> = (0..wanted.len()).collect();
            order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
            for pair in order.windows(2) {
                assert!(placed[pair[1]] - placed[pair[0]] >= LINE - 1e-9, "{placed:?}");
            }
            assert!(placed.iter().all(|at| (TOP..=BOTTOM + 1e-9).contains(at)), "{placed:?}");
        }
        assert_eq!(apart(&[200.0, 200.0]), [200.0 - LINE / 2.0, 200.0 + LINE / 2.0], "as near as possible");
        assert_eq!(apart(&[300.0, 200.0]), [300.0, 200.0], "where there is room nothing moves");
    }
}
