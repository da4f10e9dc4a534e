//! What the tests here stand on: the library as C finds it, the compilers, and programs that are told apart by how they are built.

// Each test takes what it needs.
#![allow(dead_code, reason = "each test is a program of its own")]

use luigi_tests::tokens::{Signer, jwks};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The moment at which the programs' token is good, and ten minutes more.
pub(crate) const NOW: i64 = 1_772_442_000;

/// The crate's folder.
pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The workspace.
pub(crate) fn workspace() -> &'static Path {
    here().parent().expect("the crate lies in the workspace")
}

/// The libraries that cargo built for this test, beside it.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let path = test.with_file_name(name);
    assert!(path.exists(), "cargo builds `{}` with every test of the crate", path.display());
    path
}

/// The static library.
pub(crate) fn static_library() -> PathBuf {
    built("libluigi_ffi.a")
}

/// The shared library.
pub(crate) fn shared_library() -> PathBuf {
    built("libluigi_ffi.so")
}

/// The name by which programs ask for the shared library.
pub(crate) fn soname() -> String {
    format!("libluigi.so.{}.{}", luigi_ffi::LUIGI_VERSION_MAJOR, luigi_ffi::LUIGI_ABI_VERSION)
}

/// How a program is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As C99, without optimising.
    C,
    /// As C++, without optimising.
    Cpp,
    /// As C99, optimised as far as it goes.
    Optimised,
    /// As C99, with AddressSanitizer and UndefinedBehaviorSanitizer: what they see is C and the heap, which Rust's allocations are part of.
    Address,
    /// As C99, with ThreadSanitizer, which sees what C does.
    Thread,
}

impl Build {
    fn command(self) -> Command {
        const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"];
        let (compiler, language, flags): (_, _, &[&str]) = match self {
            Self::C => ("cc", "c", &["-std=c99"]),
            Self::Cpp => ("c++", "c++", &["-std=c++11"]),
            Self::Optimised => ("cc", "c", &["-std=c99", "-O3"]),
            Self::Address => {
                ("cc", "c", &["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1"])
            }
            Self::Thread => ("cc", "c", &["-std=c99", "-fsanitize=thread", "-O1"]),
        };
        let mut command = Command::new(compiler);
        command.args(["-x", language]).args(flags).args(WARNINGS).arg("-D_POSIX_C_SOURCE=200809L");
        command
    }
}

/// A folder with the library as it is installed, and programs.
pub(crate) struct Workshop {
    folder: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self::with(&shared_library())
    }

    /// With another build of the library.
    pub(crate) fn with(library: &Path) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for name in ["libluigi.so".to_owned(), soname()] {
            std::os::unix::fs::symlink(library, folder.path().join(name)).expect("our own folder");
        }
        Self { folder }
    }

    /// A new folder.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).expect("our own folder");
        path
    }

    /// A pipe that nobody writes to.
    pub(crate) fn pipe(&self) -> PathBuf {
        let path = self.path("pipe");
        run(Command::new("mkfifo").arg(&path));
        path
    }

    /// A policy with two errors, the first in line 4.
    pub(crate) fn broken(&self) -> PathBuf {
        self.write("broken.toml", "schema = 1\n[[rules]]\nid = \"lockdown\"\neffect = \"denny\"\nscopes = \"al\"\n")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles a program of `tests/c`.
    pub(crate) fn compile(&self, name: &str, build: Build) -> PathBuf {
        self.compile_file(&here().join("tests/c").join(name).with_extension("c"), build)
    }

    /// Compiles a program and links it with the shared library.
    pub(crate) fn compile_file(&self, source: &Path, build: Build) -> PathBuf {
        let folder = self.folder.path().display();
        let library = ["-lluigi".to_owned(), format!("-L{folder}"), format!("-Wl,-rpath,{folder}")];
        self.compile_with(source, build, &library)
    }

    /// Compiles a program of `tests/c` that looks for the library by itself.
    pub(crate) fn compile_alone(&self, name: &str, build: Build) -> PathBuf {
        self.compile_with(&here().join("tests/c").join(name).with_extension("c"), build, &["-ldl".to_owned()])
    }

    fn compile_with(&self, source: &Path, build: Build, libraries: &[String]) -> PathBuf {
        let name = source.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let program = self.path(&format!("{name}-{build:?}"));
        let mut command = build.command();
        command.arg("-I").arg(workspace().join("include")).arg(source).arg("-o").arg(&program);
        run(command.args(libraries).arg("-pthread"));
        program
    }

    /// Puts a file there.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("our own folder");
        path
    }

    /// The keys of the shop's issuer, and a token of somebody in `support`.
    pub(crate) fn token(&self) -> (PathBuf, String) {
        let signer = Signer::es256("k");
        let claims = serde_json::json!({
            "iss": "https://login.example.com", "aud": "shop", "sub": "ada", "groups": ["support"],
            "iat": NOW, "exp": NOW + 600,
        });
        (self.write("keys.json", jwks(&[&signer])), signer.token(&claims))
    }
}

/// The policy of the programs.
pub(crate) fn shop() -> PathBuf {
    here().join("tests/c/shop.toml")
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a printable path")
}

/// A command that runs a program.
pub(crate) fn started(program: &Path) -> Command {
    let mut command = Command::new(program);
    // The library is not made for ThreadSanitizer, which sees none of its atomics: what it copies is not to be judged.
    command.env("TSAN_OPTIONS", "ignore_noninstrumented_modules=1");
    command
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

/// A command that runs a program under valgrind; any error, and any memory that is lost, is its failure.
pub(crate) fn valgrind(program: &Path) -> Command {
    let leaks =
        ["--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"];
    under_valgrind(&leaks, program)
}

/// The same, whatever memory is lost: a child that is forked has that of threads that it has not.
pub(crate) fn valgrind_of_forks(program: &Path) -> Command {
    under_valgrind(&["--leak-check=no"], program)
}

fn under_valgrind(leaks: &[&str], program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--error-exitcode=9", "--fair-sched=yes"]).args(leaks).arg(program);
    command
}
