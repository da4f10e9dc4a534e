//! What shells and editors are given, as the real command gives it.

use std::fs;
use std::process::{Command, Output};

fn luigi(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luigi")).args(arguments).output().expect("the command runs")
}

/// The commands, as `luigi --help` lists them.
fn commands() -> Vec<String> {
    let help = String::from_utf8(luigi(&["--help"]).stdout).unwrap();
    let listed = help.split("Commands:\n").nth(1).expect("a list of commands").lines();
    let names = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let written = luigi(&["man", "--folder", folder.path().to_str().unwrap()]);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let commands = commands();
    assert!(commands.len() > 8, "{commands:?}");
    for command in &commands {
        let page = fs::read_to_string(folder.path().join(format!("luigi-{command}.1"))).expect(command);
        let escaped = command.replace('-', "\\-");
        assert!(page.contains(".SH SYNOPSIS") && page.contains(&format!("luigi {escaped}")), "{command}: {page}");
        assert_eq!(String::from_utf8(luigi(&["man", command]).stdout).unwrap(), page, "{command}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), commands.len() + 1, "and one for luigi itself");
    let unknown = luigi(&["man", "chekc"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no command `chekc`"));
}

#[test]
fn bash_completes_commands_and_options() {
    let script = String::from_utf8(luigi(&["completions", "bash"]).stdout).unwrap();
    let ask = format!(
        "{script}\nCOMP_WORDS=(luigi apply --mo); COMP_CWORD=2; _luigi luigi --mo apply; echo \"${{COMPREPLY[@]}}\"\n\
         COMP_WORDS=(luigi ap); COMP_CWORD=1; _luigi luigi ap luigi; echo \"${{COMPREPLY[@]}}\"\n"
    );
    let answer = Command::new("bash").args(["--norc", "-c", &ask]).output().expect("bash");
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "--mode\napply\n");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(
            String::from_utf8(luigi(&["completions", shell]).stdout).unwrap().contains("haproxy-config"),
            "{shell}"
        );
    }
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_slice(&luigi(&["schema"]).stdout).unwrap();
    assert_eq!(schema["properties"]["schema"]["const"], 1);
}

#[test]
fn the_language_server_speaks_over_standard_streams() {
    use std::io::{Read as _, Write as _};
    let mut child = Command::new(env!("CARGO_BIN_EXE_luigi"))
        .arg("language-server")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for message in [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#,
        r#"{"jsonrpc":"2.0","method":"exit"}"#,
    ] {
        write!(input, "Content-Length: {}\r\n\r\n{message}", message.len()).unwrap();
    }
    let mut answers = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answers).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(answers.starts_with("Content-Length: ") && answers.contains("\"definitionProvider\":true"), "{answers}");
}
