//! `luigi man`: the man pages, one for `luigi` and one for each command.

use crate::Found;
use crate::args::{Cli, Man};
use crate::failure::Failure;
use crate::output::print;
use clap::CommandFactory;
use std::fs;
use std::path::Path;

pub(crate) fn run(arguments: &Man) -> Result<Found, Failure> {
    let pages = pages()?;
    match (&arguments.folder, &arguments.about) {
        (Some(folder), _) => write(folder, &pages)?,
        (None, about) => {
            let name = about.as_ref().map_or("luigi".to_owned(), |command| format!("luigi-{command}"));
            let page = pages.iter().find(|page| page.name == name).ok_or_else(|| {
                Failure::usage(format!("there is no command `{}`", about.as_deref().unwrap_or_default().escape_debug()))
            })?;
            print(&page.text)?;
        }
    }
    Ok(Found::Fine)
}

/// A page of section 1.
struct Page {
    name: String,
    text: String,
}

fn pages() -> Result<Vec<Page>, Failure> {
    let mut luigi = Cli::command();
    // Fills in what commands take over from `luigi` itself.
    luigi.build();
    let commands = luigi.get_subcommands().filter(|command| command.get_name() != "help").map(|command| {
        let name = format!("luigi-{}", command.get_name());
        (name.clone(), command.clone().display_name(name))
    });
    std::iter::once(("luigi".to_owned(), luigi.clone()))
        .chain(commands)
        .map(|(name, command)| {
            let mut text = Vec::new();
            clap_mangen::Man::new(command)
                .source(concat!("luigi ", env!("CARGO_PKG_VERSION")))
                .render(&mut text)
                .map_err(Failure::environment)?;
            Ok(Page { name, text: String::from_utf8_lossy(&text).into_owned() })
        })
        .collect()
}

fn write(folder: &Path, pages: &[Page]) -> Result<(), Failure> {
    let fails = |path: &Path, error| Failure::environment(format!("cannot write `{}`: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| fails(folder, error))?;
    for page in pages {
        let path = folder.join(format!("{}.1", page.name));
        fs::write(&path, &page.text).map_err(|error| fails(&path, error))?;
    }
    Ok(())
}
