//! `make demo KEEP=1`: leaves everything running, says what to try, and waits for Ctrl-C.

use crate::Trouble;
use crate::page::Page;
use crate::scene::{HOST, Scene};
use std::time::Duration;

/// Prints what to try with curl and with `luigi`, then waits.
pub(crate) fn running(scene: &Scene, luigi: &std::path::Path, page: &mut Page) -> Result<(), Trouble> {
    for person in scene.people().iter() {
        let header = person.token.as_ref().map(|token| format!("header = \"authorization: Bearer {token}\"\n"));
        let text = format!(
            "silent\nshow-error\ninclude\nnoproxy = \"*\"\nconnect-to = \"::{}\"\n{}",
            scene.address(),
            header.unwrap_or_default()
        );
        scene.put(&format!("{}.curl", person.name), text.as_bytes())?;
    }
    let folder = scene.folder().display();
    page.chapter(
        "Your turn",
        "Everything is still running. There is a curl configuration with address and token for everybody; the header x-luigi-answer says \
         what Luigi answered.",
    );
    page.command(&["cd", &folder.to_string()]);
    page.command(&["curl", "-K", "anna.curl", &format!("http://{HOST}/orders/7")]);
    page.command(&["curl", "-K", "ben.curl", "-X", "POST", &format!("http://{HOST}/orders/7/refund")]);
    page.command(&["curl", "-K", "nobody.curl", "-H", "'accept: text/html'", &format!("http://{HOST}/orders/7")]);
    page.say("Change the policy (policy/*.toml), or the mode, and ask again:");
    page.gap();
    let luigi = luigi.display().to_string();
    page.command(&[&luigi, "apply", "policy", "--to", "feed", "--key", "feed.key", "--mode", "observe"]);
    page.command(&[&luigi, "status", "--socket", "stats.sock"]);
    page.say("The configuration of HAProxy is haproxy.cfg, its log is log. Ctrl-C stops and removes everything.");
    while !scene.interrupt().is_set() {
        std::thread::sleep(Duration::from_millis(50));
    }
    page.say("Stopped; everything is gone.");
    Ok(())
}
