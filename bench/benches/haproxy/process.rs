//! The processes that are measured: started in a folder of their own, waited for, stopped when dropped; and their processor time.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A folder with everything that the proxies read.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    /// Where `make modules` puts Luigi's modules.
    pub(crate) modules: PathBuf,
}

/// A process that listens.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Site {
    pub(crate) fn new() -> Self {
        let modules = workspace().join("target/luigi");
        assert!(modules.join("lua53/luigi.so").exists(), "no modules in target/luigi: run `make modules` first");
        Self { folder: tempfile::TempDir::new().expect("a temporary folder"), modules }
    }

    /// A file in the folder, as a text for configurations.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a printable path").to_owned()
    }

    /// Writes a file into the folder and says where it is.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file in a temporary folder");
        path
    }

    /// Starts a process and waits until it listens there.
    pub(crate) fn start(&self, name: &str, command: &mut Command, address: SocketAddr) -> Running {
        let log = std::fs::File::create(self.path(&format!("{name}.log"))).expect("a file in a temporary folder");
        let errors = log.try_clone().expect("a file can be opened twice");
        let child = command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let mut running = Running { child: child.expect("the proxy can be started"), address };
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = running.child.try_wait().expect("a child can be asked");
            if ended.is_some() || Instant::now() > end {
                let log = std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
                panic!("`{name}` does not come up: {ended:?}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }
}

impl Running {
    /// Processor time that all threads of the process and of its children have had so far, as the scheduler books it.
    pub(crate) fn cpu(&self) -> Duration {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let processes = children.split_whitespace().filter_map(|child| child.parse().ok()).chain([own]);
        processes.map(of_process).sum()
    }
}

fn of_process(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("a process that runs has threads");
    let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
        let path = thread.expect("a readable folder").path().join("schedstat");
        let text = std::fs::read_to_string(path).expect("Linux keeps scheduler statistics");
        let nanoseconds = text.split(' ').next().and_then(|field| field.parse().ok());
        Duration::from_nanos(nanoseconds.expect("a number first"))
    };
    threads.map(of_thread).sum()
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx stops its workers when asked to, and only then.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(3);
        while asked.is_ok() && Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens at.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a listener has an address")
}

/// The root of the repository.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}
