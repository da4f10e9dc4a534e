//! Methods as docs/SEMANTICS.md has them: each request line of its table, byte for byte through real HAProxy.

use luigi_runtime::Mode;
use luigi_tests::client::Client;
use luigi_tests::installation::{Release, workspace};
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, POLICY, reason, site};

on_each_haproxy!(methods_are_what_the_page_says);

const HEADING: &str = "| request line | what becomes of it |\n|---|---|\n";

/// The request lines of the page and what becomes of them.
fn rows() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(workspace().join("docs/SEMANTICS.md")).expect("the page");
    let (_, table) = page.split_once(HEADING).expect("the page has the table");
    let rows = table.lines().take_while(|line| line.starts_with("| "));
    let rows = rows.map(|row| {
        let (line, becomes) = row.trim_matches('|').split_once(" | ").expect("two cells");
        let pieces: Vec<&str> = line.split('`').collect();
        let line = match pieces[..] {
            [_, line, _] => line.to_owned(),
            // `A`, so many times, and the rest of the line.
            [times, letter, _, rest, _] => {
                let times = times.trim().strip_suffix(" times").and_then(|times| times.parse().ok()).expect("a number");
                letter.repeat(times) + rest
            }
            _ => panic!("{row}"),
        };
        (line, becomes.trim().replace('`', ""))
    });
    rows.collect()
}

fn methods_are_what_the_page_says(release: Release) {
    let site = site();
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let rows = rows();
    assert!(rows.len() >= 20, "{}", rows.len());
    let mut wrong = Vec::new();
    for (line, expected) in rows {
        let before = site.upstream().seen().len();
        let response =
            Client::connect(haproxy.address()).exchange(format!("{line}\r\nhost: {HOST}\r\n\r\n").as_bytes());
        let why = reason(&response);
        let found = match response.status {
            200 => "passes".to_owned(),
            0 | 400..=599 if why.is_empty() => "HAProxy refuses it".to_owned(),
            400 => format!("refused: {why}"),
            _ => format!("denied: {why}"),
        };
        let reached = site.upstream().seen().len() - before;
        if found != expected || reached != usize::from(found == "passes") {
            wrong.push(format!("{line:.60}: {found}, {reached} at the server, and not: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    haproxy.status_with("failures               0");
}
